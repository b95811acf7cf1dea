"""`diagnose` finds each of twelve planted faults, and nothing in healthy networks."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "check_diagnose.py"
_spec = importlib.util.spec_from_file_location("check_diagnose", SCRIPT)
planted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(planted)

#: One epoch is enough for what can be seen without training.
EPOCHS = dict.fromkeys(
    (
        "exploding gradients",
        "softmax before a loss on logits",
        "inputs of 0 to 255",
        "duplicate rows",
        "dead units",
        "saturated units",
    ),
    1,
)
#: Of two steps each.
EPOCHS["too few rows"] = 60


@pytest.mark.parametrize("fault", planted.FAULTS)
def test_a_planted_fault_is_found(fault):
    case, expected = planted.FAULTS[fault]
    found = planted.run(case, 2000, epochs=EPOCHS.get(fault, 20)).findings
    assert expected in {finding.name for finding in found}
    for finding in found:
        assert "{" not in finding.command


@pytest.mark.parametrize("kind", planted.HEALTHY)
def test_a_healthy_network_gives_no_alarm(kind):
    diagnosis = planted.run(planted.HEALTHY[kind], 2000)
    assert diagnosis.findings == ()
