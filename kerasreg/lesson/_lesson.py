"""A lesson that runs: what it was asked, what it trained, what it found."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasreg.claims import find_claim
from kerasreg.evidence import Decision, ShareOfErrors, Verdict, combine
from kerasreg.lesson._data import LessonData, load_lesson_data
from kerasreg.lesson._judging import (
    Advice,
    Conclusion,
    Test,
    choose_advice,
    decide_together,
    take_home,
)
from kerasreg.lesson._panels import Panel, draw
from kerasreg.lesson._progress import Progress
from kerasreg.lesson._runs import Runs
from kerasreg.lesson._training import (
    Networks,
    best_candidate,
    configs_of,
    run_folder,
    train_arms,
    write_scalars,
)
from kerasreg.plots import Figure

if TYPE_CHECKING:
    from kerasreg.networks import Config

#: Epochs of a --quick run.
QUICK_EPOCHS = 2
TUNING_SEEDS = 3
#: Tuning seeds begin here: no run that tunes is a run that decides.
FIRST_TUNING_SEED = 1_000_000


@dataclass
class Lesson:
    """One run of a script: training, judging, and everything it will write at the end.

    Attributes:
        text: Parts of the script's docstring: question, prediction, source, rule.
        data_name: What `--data` said.
        quick: Whether this is a trial of the script that decides nothing.
    """

    name: str
    text: dict[str, str]
    data_name: str
    seeds: tuple[int, ...]
    quick: bool
    out: Path
    conclusions: list[Conclusion] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    figures: list[tuple[Figure, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    loaded: LessonData | None = None

    @property
    def smallest_effect(self) -> ShareOfErrors:
        """Smallest difference of accuracies that matters: a fifth of the errors, at most 1.5 pp."""
        return ShareOfErrors()

    def data(self, train_size: int | None = None) -> LessonData:
        """The rows of the lesson: draws of `train_size` rows, tuning rows and test rows.

        Raises:
            UserError: A set without classes, or with too few rows.
        """
        if self.loaded is None:
            self.loaded = load_lesson_data(self.data_name, train_size)
        pool = len(self.loaded.pool)
        return self.loaded.resized(pool if train_size is None else train_size)

    @property
    def tuning_seeds(self) -> range:
        """Seeds to choose settings with: no verdict rests on them."""
        return range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + (1 if self.quick else TUNING_SEEDS))

    def train(
        self,
        arms: Networks,
        data: LessonData,
        *,
        epochs: int,
        batch_size: int,
        every: int = 1,
        label: str = "",
        histograms: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
        dtype: str = "float32",
    ) -> Runs:
        """Train every arm with every seed, one population for each structure.

        With equal seeds arms share training rows, initial weights, batch order and the draws
        behind their dropout masks. `--quick` ends after two epochs.

        Args:
            arms: Name -> network: a compiled Keras model of any kind, or a config.
            epochs, batch_size: Of training; the last batch of an epoch may be short.
            every: Epochs between two measurements; the last epoch is always measured.
            label: Folder of the event files below `tensorboard/`, where a lesson trains twice.
            histograms: Arms whose first run writes activation histograms to TensorBoard.
            seeds: By default the lesson's.
            dtype: `"float64"` for identities, which rounding would hide after many steps.
        """
        arms = configs_of(arms, data)
        seeds = self.seeds if seeds is None else tuple(seeds)
        epochs = min(epochs, QUICK_EPOCHS) if self.quick else epochs
        with Progress(f"{label or self.name}: {len(arms)} arms × {len(seeds)} seeds") as progress:
            runs = train_arms(
                arms,
                data,
                [(data.draw(seed), data.judging(seed)) for seed in seeds],
                seeds,
                epochs=epochs,
                batch_size=batch_size,
                every=1 if self.quick else min(every, epochs),
                progress=progress,
                events=self.out / "tensorboard" / label,
                histograms=histograms,
                dtype=dtype,
            )
        if diverged := runs.diverged():
            self.notes.append(
                f"Of {len(seeds)} runs diverged: {diverged}. From there they count as knowing "
                f"nothing: accuracy 1/{data.classes}, data loss ln {data.classes}."
            )
        self._remember(label or "training", arms, data, epochs, batch_size)
        return runs

    def tune(
        self,
        arms: Networks,
        rates: Sequence[float],
        data: LessonData,
        *,
        epochs: int,
        batch_size: int,
        seeds: int = TUNING_SEEDS,
        label: str = "tuning",
        worst: bool = False,
    ) -> "dict[str, Config]":
        """`choose` the learning rate of each arm; a best rate at an end of the grid is noted."""
        candidates = {
            name: {f"{rate:g}": config.replace(learning_rate=rate) for rate in rates}
            for name, config in configs_of(arms, data).items()
        }
        best = self.choose(
            candidates,
            data,
            epochs=epochs,
            batch_size=batch_size,
            seeds=seeds,
            label=label,
            worst=worst,
        )
        ends = [n for n, config in best.items() if config.learning_rate in (min(rates), max(rates))]
        if ends and not self.quick:
            self.notes.append(
                f"{label}: at the end of the grid: the best rate of {', '.join(ends)}."
            )
        return best

    def choose(
        self,
        candidates: Mapping[str, Networks],
        data: LessonData,
        *,
        epochs: int,
        batch_size: int,
        seeds: int = TUNING_SEEDS,
        label: str = "tuning",
        worst: bool = False,
    ) -> "dict[str, Config]":
        """Give each arm the candidate with the best mean accuracy on the tuning rows.

        All candidates × seeds train together, with seeds that no verdict rests on; the tuning rows
        choose nothing else. Ties go to the smaller data loss.

        Args:
            candidates: Arm -> name -> network: `{"L2": {"l2 1e-4": model, …}, …}`, as in `train`.
            seeds: How many.
            worst: Judge by the worst seed instead of the mean, where single runs may fail.
        """
        candidates = {arm: configs_of(named, data) for arm, named in candidates.items()}
        count = 1 if self.quick else seeds
        epochs = min(epochs, QUICK_EPOCHS) if self.quick else epochs
        grid = {f"{arm}/{n}": c for arm, named in candidates.items() for n, c in named.items()}
        own = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + count)
        with Progress(f"{label}: {len(grid)} candidates × {count} seeds") as progress:
            runs = train_arms(
                grid,
                data,
                [(data.draw(seed), data.tuning) for seed in own],
                own,
                epochs=epochs,
                batch_size=batch_size,
                every=epochs,
                progress=progress,
            )
        chosen, scores = {}, {}
        for arm, named in candidates.items():
            tried = {name: runs[f"{arm}/{name}"] for name in named}
            chosen[arm], scores[arm] = best_candidate(tried, worst)
        best = {arm: candidates[arm][name] for arm, name in chosen.items()}
        self._remember(label, best, data, epochs, batch_size)
        self.settings[label] |= {"seeds": count, "chosen": chosen}
        self.settings[label]["accuracy on tuning rows"] = scores
        return best

    def _remember(
        self, label: str, arms: "Mapping[str, Config]", data: LessonData, epochs: int, batch: int
    ) -> None:
        self.settings[label] = {
            "train_size": data.train_size,
            "epochs": epochs,
            "batch_size": batch,
            "arms": {name: config.to_dict() for name, config in arms.items()},
        }

    def log(
        self, arm: str, steps: Sequence[int] | np.ndarray, curves: Mapping[str, np.ndarray]
    ) -> None:
        """Write curves of an arm that `train` did not train to `tensorboard/`.

        Args:
            curves: Tag -> values, (seeds, measurements); their mean over seeds is written.
        """
        write_scalars(run_folder(self.out / "tensorboard", arm), steps, curves)

    def judge(self, tests: Mapping[str, Test]) -> dict[str, Decision]:
        """Decide the comparisons of one claim, with Holm's adjustment over them.

        Args:
            tests: Name -> (rule, results of arm a, results of arm b), one a seed, where b may be
                one number; or (rule, comparison), made on the rule's terms; or a decision that
                needs no numbers. What only reports is judged by a call of its own.

        Returns:
            Name -> decision; all undecided in a quick run.
        """
        return decide_together(tests, self.quick)

    def conclude(
        self,
        claim: str,
        *decisions: Decision,
        setting: str,
        advice: Advice,
        why: str = "",
        predicted: Verdict = "supported",
        beside: Sequence[Decision] = (),
    ) -> Decision:
        """Record the verdict on a claim of the notes and return it; undecided in a quick run.

        Args:
            claim: Its id, such as "C01".
            *decisions: From `judge`, an `ExactRule` or a `ThresholdRule`; several are joined by
                `kerasreg.evidence.combine`.
            setting: Rows and network in words, for every sentence about the claim.
            predicted: The verdict that the docstring predicts.
            beside: Decisions that are shown with the claim and do not decide it.
        """
        known = find_claim(claim)
        decision = decisions[0] if len(decisions) == 1 else combine(known.statement, decisions)
        words, what_to_do = take_home(decision, advice, setting), choose_advice(decision, advice)
        if self.quick:
            reason = f"a quick run decides nothing ({decision.reason})"
            decision = replace(decision, verdict="undecided", sign=0, reason=reason)
            words, what_to_do = "A quick run decides nothing.", ""
        self.conclusions.append(
            Conclusion(known, decision, words, what_to_do, setting, why, predicted, tuple(beside))
        )
        return decision

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to the table that is printed, written and shown; columns are all their keys."""
        self.rows += [dict(row) for row in rows]

    def draw(self, title: str, *panels: Panel, caption: str, columns: int | None = None) -> Figure:
        """Draw a figure of panels: figure.png, figure_2.png and so on; all are in the report.

        Args:
            *panels: From `curves`, `sweep`, `dots`, `effects`, or any function of an `Axes`.
            caption: What one sees in it, for the report and for those who cannot see it.
        """
        figure = draw(f"{title} ({Path(self.data_name).name})", panels, columns)
        self.figures.append((figure, caption))
        return figure
