"""The study folder: made, extended, reopened, counted."""

from kerasreg.study import Study, failed_record


def test_a_trial_is_there_after_reopening(tmp_path):
    study = Study.create(tmp_path / "s", {"trials": 1})
    record = failed_record("1", {"dropout": 0.5}, "boom", seeds=[0])
    study.append(record)
    assert Study.open(tmp_path / "s").trials() == [record]
