"""The unit of absolute errors: the target's in new records, and in old ones when they are read."""

import json

import pytest
from made_studies import member

from kerasreg.errors import UserError
from kerasreg.stacks import StackConfig
from kerasreg.study import Study, trial_record

SCALE = 100.0


def record(name, objective="val_mae", **options):
    members = [member(StackConfig(), seed, metric="mae", level=0.3) for seed in (0, 1)]
    return trial_record(name, {"l2": 0.0}, members, objective, **options)


def in_unit(part):
    """A part of a record, its errors multiplied by hand."""
    return {
        name: [SCALE * v for v in value] if isinstance(value, list) else SCALE * value
        for name, value in part.items()
        if name.endswith("mae")
    }


@pytest.mark.parametrize("objective", ["val_mae", "val_data_loss"])
def test_a_record_has_the_targets_unit(objective):
    plain, scaled = (record("1", objective, target_scale=scale) for scale in (1.0, SCALE))
    factor = SCALE if objective == "val_mae" else 1.0
    for key in ("score", "score_std"):
        assert scaled[key] == pytest.approx(factor * plain[key])
    for key in ("metrics", "curves"):
        assert scaled[key] == {**plain[key], **in_unit(plain[key])}
    for one, other in zip(scaled["members"], plain["members"], strict=True):
        assert one["curves"] == {**other["curves"], **in_unit(other["curves"])}
        assert one["score"] == pytest.approx(factor * other["score"])
    assert scaled["chosen_epoch"] == plain["chosen_epoch"]


@pytest.fixture
def old(tmp_path):
    """A study as version 0.1 wrote it, in standard deviations of the target."""
    request = {"objective": "val_mae", "dataset": {"target_scale": SCALE}}
    study = Study.create(tmp_path / "s", request)
    study.append(record("1"))
    sides = {"best": record("1"), "baseline": None}
    study.count_test_read()
    candidates = [{"score": 0.5, "status": "completed"}]
    study.write_result({"objective": "val_mae", **sides, "baseline_candidates": candidates})
    info = study.info
    del info["error_unit"]
    (study.folder / "study.json").write_text(json.dumps(info))
    return Study.open(study.folder)


def test_version_0_1_is_read_in_the_targets_unit(old):
    expected = record("1", target_scale=SCALE)
    assert old.trials() == [expected]
    assert old.best() == expected
    assert old.dataframe().loc[0, "val_mae"] == expected["metrics"]["val_mae"]
    result = old.result
    assert result["best"] == expected
    assert result["baseline_candidates"][0]["score"] == 50.0
    assert old.is_readable_only


@pytest.mark.parametrize("scale", ["x", 0, -1.0, None, True])
def test_a_wrong_scale_is_one_line(old, scale):
    info = old.info
    info["asked"]["dataset"]["target_scale"] = scale
    (old.folder / "study.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match="'target_scale'"):
        Study.open(old.folder).trials()


def test_a_wrong_unit_is_one_line(old):
    info = old.info
    info["error_unit"] = "metres"
    (old.folder / "study.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match="'error_unit'"):
        Study.open(old.folder)
