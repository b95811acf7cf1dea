"""`diagnose` finds each of twelve planted faults, and nothing in healthy networks."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from keras import layers

SCRIPT = Path(__file__).parent.parent / "scripts" / "check_diagnose.py"
_spec = importlib.util.spec_from_file_location("check_diagnose", SCRIPT)
planted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(planted)

#: Of those that set the thresholds: the script has others for checking them.
SEED = 0
#: One epoch is enough for what can be seen without training; "too few rows" has two steps in one.
EPOCHS = {
    "exploding gradients": 1,
    "softmax before a loss on logits": 1,
    "inputs of 0 to 255": 1,
    "duplicate rows": 1,
    "dead units": 1,
    "saturated units": 1,
    "dropout before batch normalisation": 1,
    "too few rows": 60,
}


@pytest.mark.parametrize("fault", planted.FAULTS)
def test_a_planted_fault_is_found(fault):
    case, expected = planted.FAULTS[fault]
    found = planted.run(case, SEED, epochs=EPOCHS.get(fault, 20)).findings
    assert expected in {finding.name for finding in found}
    assert not any("{" in finding.command for finding in found)


@pytest.mark.parametrize(("kind", "seed"), [("logits", 1), ("logits", 2), ("regression", 1)])
def test_a_healthy_network_gives_no_alarm(kind, seed):
    assert planted.run(planted.HEALTHY[kind], seed, epochs=25).findings == ()


def test_the_same_seed_gives_the_same_numbers():
    first, second = (planted.run(planted.too_few_rows, SEED, epochs=2).facts for _ in range(2))
    np.testing.assert_array_equal(first.copies.outputs, second.copies.outputs)
    np.testing.assert_array_equal(first.copies.rate_errors, second.copies.rate_errors)


def test_what_only_follows_from_wrong_moving_statistics_is_left_out():
    def slow_statistics(seed):
        hidden = []
        for _ in range(3):
            hidden += [planted.dense(activation=None), layers.BatchNormalization(momentum=0.999)]
            hidden.append(layers.ReLU())
        return planted.network(hidden), planted.clusters(seed)

    found = planted.run(slow_statistics, SEED, epochs=4).findings
    assert [finding.name for finding in found] == ["batch normalisation differs in inference"]
