"""Objectives: which there are, for which task, and which way each is better."""

import pytest

from kerasreg.errors import UserError
from kerasreg.objectives import (
    METRICS,
    OBJECTIVES,
    direction,
    lower_is_better,
    objectives_of,
    of_predictions,
    sign,
)
from kerasreg.statuses import MEMBER_STATUSES, SCORED, TRIAL_STATUSES, UNSCORED


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("loss", "min"),
        ("data_loss", "min"),
        ("penalty", "min"),
        ("accuracy", "max"),
        ("mae", "min"),
        ("balanced_accuracy", "max"),
        ("auc", "max"),
        ("f1", "max"),
        ("rmse", "min"),
    ],
)
def test_direction_is_the_metrics_on_training_and_validation_rows(name, way):
    for twin in (name, f"val_{name}"):
        assert direction(twin) == way
        assert lower_is_better(twin) == (way == "min")
        assert sign(twin) == {"min": -1, "max": 1}[way]
    assert name in METRICS


def test_each_task_has_its_objectives_the_data_loss_first():
    labels = ("val_accuracy", "val_balanced_accuracy", "val_auc", "val_f1")
    assert objectives_of("classification") == ("val_data_loss", *labels)
    assert objectives_of("regression") == ("val_data_loss", "val_mae", "val_rmse")
    assert set(OBJECTIVES) == {*objectives_of("classification"), *objectives_of("regression")}
    assert OBJECTIVES[0] == "val_data_loss"


def test_those_of_predictions_are_named_without_their_twin():
    assert of_predictions("val_auc", None, "val_loss", "val_auc", "val_rmse") == ("auc", "rmse")


@pytest.mark.parametrize("name", ["val_recall", "", "val_", "val_val_loss"])
def test_an_unknown_metric_is_refused(name):
    with pytest.raises(UserError, match="Expected a metric"):
        direction(name)


def test_every_status_is_scored_or_not():
    assert {*SCORED, *UNSCORED} == set(TRIAL_STATUSES)
    assert not {*SCORED} & {*UNSCORED}
    assert set(TRIAL_STATUSES) - set(MEMBER_STATUSES) == {"failed"}
