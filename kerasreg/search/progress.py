"""What a search tells while it runs, as values; `kerasreg.terminal` draws them."""

from collections.abc import Callable
from dataclasses import dataclass

from kerasreg.objectives import sign


@dataclass(frozen=True)
class Event:
    """One moment of a search.

    Attributes:
        phase: `"searching"`, `"baseline"`, `"refitting"` or `"testing"`.
        done, total: Settings finished and asked for in this phase; `total` 0 when not counted.
        fraction: Share of the phase that is done, in [0, 1], epochs inside a setting included.
        objective: Name of the score.
        best, best_trial: The best score so far and its trial; None while there is none.
        finished: One line on a setting that has just finished, else empty.
        new_best: Whether that setting is the best so far.
        notice: One sentence the user should read, else empty.
        story: Lines on what was read, before anything is trained.
        workers: Processes of a cluster that train now; 0 where this one does.
    """

    phase: str
    done: int = 0
    total: int = 0
    fraction: float = 0.0
    objective: str = ""
    best: float | None = None
    best_trial: str | None = None
    finished: str = ""
    new_best: bool = False
    notice: str = ""
    story: tuple[str, ...] = ()
    workers: int = 0


Progress = Callable[[Event], None]


class Counter:
    """Counts the epochs and settings of one phase and tells `progress`.

    Args:
        progress: Called with every event; None for a silent search.
        total: Settings of the phase.
        epochs: Most member-epochs of a setting.
        workers: Says how many processes of a cluster train now.
    """

    def __init__(
        self,
        progress: Progress | None,
        phase: str,
        total: int,
        epochs: int,
        objective: str,
        workers: Callable[[], int] = int,
    ):
        self._progress, self._phase, self._objective = progress, phase, objective
        self._workers = workers
        self._total, self._epochs_a_setting = total, epochs
        self.done = self._epochs = 0
        self.best: float | None = None
        self.best_trial: str | None = None
        self._tell()

    def epochs(self, count: int) -> None:
        """`count` more member-epochs were trained."""
        self._epochs += count
        self._tell()

    def setting(self, record: dict, new: bool = True) -> None:
        """A setting is finished, just now or (not `new`) before an interruption."""
        self.done += 1
        # A setting that stopped early is finished: its missing epochs are not work left to do.
        self._epochs = max(0, self._epochs - self._epochs_a_setting)
        score, before = record["score"], self.best_trial
        if record["status"] == "completed" and score is not None:
            way = sign(self._objective)
            if self.best is None or way * score > way * self.best:
                self.best, self.best_trial = score, record["trial"]
        line = ""
        if new:
            value = "-" if score is None else f"{score:.4g}"
            line = f"{self._phase} {record['trial']}: {record['status']}, {self._objective} {value}"
        self._tell(line, self.best_trial != before)

    def _tell(self, finished: str = "", new_best: bool = False) -> None:
        if not self._progress:
            return
        part = self._epochs / self._epochs_a_setting if self._epochs_a_setting else 0.0
        fraction = min(1.0, (self.done + part) / self._total) if self._total else 0.0
        self._progress(
            Event(
                phase=self._phase,
                done=self.done,
                total=self._total,
                fraction=fraction,
                objective=self._objective,
                best=self.best,
                best_trial=self.best_trial,
                finished=finished,
                new_best=new_best,
                workers=self._workers(),
            )
        )
