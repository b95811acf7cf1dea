"""A study folder as the page needs it: what was asked, records, result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.objectives import OBJECTIVES
from kerasreg.study import Study, best_trial

Record = dict[str, Any]


@dataclass(frozen=True)
class StudyView:
    """What a page is drawn from. Absolute errors are in the target's own units.

    Attributes:
        folder: The study folder.
        info: What `study.json` holds.
        trials: Trial records in the order they finished.
        result: What `result.json` holds, None before the end.
        test_reads: How often the test rows were read.
    """

    folder: Path
    info: Mapping[str, Any]
    trials: Sequence[Record]
    result: Mapping[str, Any] | None
    test_reads: int

    @property
    def request(self) -> Mapping[str, Any]:
        """The arguments of the search."""
        return self.info["asked"]

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What is known of the data: how it was asked for, and `Dataset.describe()`."""
        return {**(self.request.get("data") or {}), **(self.request.get("dataset") or {})}

    @property
    def name(self) -> str:
        """What the data is called."""
        return str(self.data.get("name") or "arrays")

    @property
    def objective(self) -> str:
        """Name of the score."""
        return str(self.request.get("objective", "val_data_loss"))

    @cached_property
    def metric(self) -> str:
        """`accuracy` or `mae`."""
        return "mae" if any("mae" in trial["metrics"] for trial in self.trials) else "accuracy"

    @cached_property
    def best(self) -> Record | None:
        """The record of the trial that answers; of an unfinished study, of the best so far."""
        chosen = ((self.result or {}).get("best") or {}).get("trial")
        by_name = {trial["trial"]: trial for trial in self.trials}
        return by_name.get(chosen) or best_trial(self.trials, self.objective)

    @property
    def baseline(self) -> Record | None:
        """The unregularised baseline's record, None before it was trained."""
        return (self.result or {}).get("baseline")

    def tests(self, side: str) -> list[Mapping[str, Any]]:
        """Test metrics of `baseline` or `best`, one a seed; empty before the rows were read."""
        test = ((self.result or {}).get(side) or {}).get("test") or {}
        return list(test.get("seeds") or ([test] if test else []))

    def test(self, side: str, name: str) -> float | None:
        """A test metric of `baseline` or `best`, mean over seeds; None where one is missing."""
        values = [one.get(name) for one in self.tests(side)]
        if not values or None in values:
            return None
        return sum(values) / len(values)


def metric_of(record: Record | None, name: str) -> float | None:
    """A metric at the chosen epoch, None without a record or where it was not measured."""
    return ((record or {}).get("metrics") or {}).get(name)


def gap(record: Record | None, metric: str) -> float | None:
    """Training minus validation at the chosen epoch, None where one of them is missing."""
    train, validation = metric_of(record, metric), metric_of(record, f"val_{metric}")
    return None if train is None or validation is None else train - validation


def read_study(folder: Path | str) -> StudyView:
    """Read a study, running, interrupted or finished.

    Raises:
        UserError: No study there, or a file that is not what kerasreg writes.
    """
    study = Study.open(folder)
    _check_asked(study)
    return StudyView(study.folder, study.info, study.trials(), study.result, study.test_reads)


_ASKED = {"data": dict, "dataset": dict, "base": dict, "objective": str, "trials": int, "seed": int}
_DATASET = {"target_scale": (int, float), "rows": dict, "notes": list}


def _check_asked(study: Study) -> None:
    """Check what the page relies on; whatever else is there, it shows.

    Raises:
        UserError: A value of another type, or an objective that there is none of.
    """
    asked = study.request
    for values, kinds in ((asked, _ASKED), (asked.get("dataset"), _DATASET)):
        if not isinstance(values, dict):
            continue
        for name, kind in kinds.items():
            value = values.get(name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise _damaged(study, name, value)
    if (asked.get("objective") or "val_data_loss") not in OBJECTIVES:
        raise _damaged(study, "objective", asked["objective"])
    for part, count in ((asked.get("dataset") or {}).get("rows") or {}).items():
        if type(count) is not int or count < 0:
            raise _damaged(study, f"rows of {part}", count)


def _damaged(study: Study, name: str, value: Any) -> UserError:
    return UserError(
        f"{study.folder / 'study.json'}: expected what kerasreg writes, got "
        f"{ascii(value)[:40]} for {ascii(name)[1:41]}; it was edited or damaged. Restore it from a "
        "copy."
    )
