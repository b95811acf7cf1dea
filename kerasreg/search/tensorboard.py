"""What a study writes for TensorBoard, and where.

    DIR/tensorboard                    names of the HParams columns, text
    DIR/tensorboard/trials/0007        curves of a trial (mean over its members), HParams session
    DIR/tensorboard/trials/0007/s1-f0  one member's session, when a trial has several
    DIR/tensorboard/baseline, .../best curves, activations, gradients, weights: one click compares
    DIR/tensorboard/live               every epoch: how the trials in training stand
    DIR/tensorboard/figures            the report's figures

The dashboards show a tag's last value; HParams therefore get the chosen epoch's under other
names. Every run has the same tags.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasreg.monitors.events import EventWriter
from kerasreg.statuses import UNSCORED

Record = Mapping[str, Any]


def write_study(folder: Path, request: Mapping[str, Any], record: Record) -> None:
    """Name the columns of the HParams dashboard after the first record, and show the request."""
    settings = "\n".join(f"    {key}: {json.dumps(value)}" for key, value in request.items())
    with EventWriter(folder) as writer:
        writer.hparams_experiment(
            {name: type(value) for name, value in _plain(record).items()},
            # The dashboard shows the first columns only.
            tuple(dict.fromkeys((request["objective"], *record["metrics"]))),
        )
        writer.text("study", settings)


def write_trial(folder: Path, record: Record) -> None:
    """Write one finished trial below `folder`; it can be read while the search goes on."""
    run = trial_folder(folder, record)
    members = record["members"]
    with EventWriter(run) as writer:
        write_curves(writer, record["curves"])
        if record.get("error"):
            writer.text("error", record["error"])
        if len(members) < 2:
            _session(writer, record, record["metrics"], record["seconds"])
    if len(members) < 2:
        return
    for member in members:
        fold = "" if member["fold"] is None else f"-f{member['fold']}"
        chosen = record["chosen_epoch"]
        metrics = {
            name: curve[chosen - 1]
            for name, curve in member["curves"].items()
            if chosen and chosen <= len(curve)
        }
        with EventWriter(run / f"s{member['seed']}{fold}") as writer:
            _session(writer, record, metrics, record["seconds"] / len(members))


def trial_folder(folder: Path, record: Record) -> Path:
    """Where a trial's event files are."""
    return folder / "trials" / record["trial"]


def write_curves(writer: EventWriter, curves: Mapping[str, list[float | None]]) -> None:
    """Write training, validation and gap of every metric, one event an epoch."""
    names = [name for name in curves if not name.startswith("val_")]
    for epoch in range(len(next(iter(curves.values()), ()))):
        scalars = {}
        for name in names:
            train = curves[name][epoch]
            validation = curves.get(f"val_{name}", curves[name])[epoch]
            if name == "penalty":
                scalars["penalty/penalty"] = train
                continue
            scalars |= {f"{name}/train": train, f"{name}/validation": validation}
            if name != "loss" and train is not None and validation is not None:
                scalars[f"{name}/gap"] = train - validation
        known = {tag: value for tag, value in scalars.items() if value is not None}
        writer.scalars(epoch + 1, known)


class Live:
    """How the trials in training stand, one packed event an epoch, while none has finished yet.

    One object serves a whole search, so its steps grow. It replaces the curve of an earlier run of
    the same search, because TensorBoard would draw the two on top of each other.
    """

    def __init__(self, folder: Path, objective: str):
        self._folder = folder / "live"
        self._writer: EventWriter | None = None
        self._objective = objective
        self._step = 0

    def epoch(self, scores: np.ndarray) -> None:
        """Write the spread of the objective over the members just trained."""
        if self._writer is None:
            clear(self._folder)
            self._writer = EventWriter(self._folder)
        self._step += 1
        values: dict[str, float] = {"live/members": len(scores)}
        finite = scores[np.isfinite(scores)]
        if len(finite):
            quantiles = np.quantile(finite, [0, 0.5, 1])
            names = ("lowest", "median", "highest")
            values |= {
                f"live/{name} {self._objective}": float(value)
                for name, value in zip(names, quantiles, strict=True)
            }
        self._writer.scalars(self._step, values)
        self._writer.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._writer is not None:
            self._writer.close()


def clear(run: Path) -> None:
    """Delete a run's event files: TensorBoard draws all files of a folder as one curve."""
    for old in run.glob("events.*"):
        old.unlink()


def write_figures(folder: Path, figures: Path) -> None:
    """Put the report's PNGs into the Images dashboard, in place of earlier ones."""
    run = folder / "figures"
    clear(run)
    with EventWriter(run) as writer:
        for path in sorted(figures.glob("*.png")):
            png = path.read_bytes()
            # The size stands at a fixed place of every PNG, in its first chunk.
            width, height = struct.unpack(">II", png[16:24])
            # One prefix: the dashboard opens the first two groups only.
            writer.image(f"figures/{path.stem}", png, width, height)


def _session(
    writer: EventWriter, record: Record, metrics: Mapping[str, float | None], seconds: float
) -> None:
    failed = record["status"] in UNSCORED
    writer.hparams(
        _plain(record),
        {name: value for name, value in metrics.items() if value is not None},
        group=record["trial"],
        step=record["chosen_epoch"] or 0,
        status="failure" if failed else "success",
        seconds=seconds,
    )


def _plain(record: Record) -> dict[str, Any]:
    return {k: v for k, v in record["hyperparameters"].items() if v is not None}
