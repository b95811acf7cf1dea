"""`diagnose`: measure a network and its data, judge, and keep both."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from kerasreg.diagnosis import inside, predictions
from kerasreg.diagnosis.checks.data import (
    check_classes,
    check_duplicates,
    check_inputs,
    check_target,
)
from kerasreg.diagnosis.checks.fit import check_gap, check_underfitting
from kerasreg.diagnosis.checks.labels import check_calibration, check_labels
from kerasreg.diagnosis.checks.normalization import check_shift, check_statistics
from kerasreg.diagnosis.checks.output import check_output
from kerasreg.diagnosis.checks.training import (
    check_dead,
    check_gradients,
    check_penalty,
    check_rate,
    check_saturated,
)
from kerasreg.diagnosis.copies import Copies, fresh_copy, train_copies
from kerasreg.diagnosis.effect import Effect, effect_of
from kerasreg.diagnosis.finding import Finding
from kerasreg.diagnosis.network import Structure, structure_of
from kerasreg.diagnosis.reference import plain_network
from kerasreg.diagnosis.row_facts import (
    Duplicates,
    Inputs,
    Target,
    duplicates_of,
    inputs_of,
    target_of,
)
from kerasreg.diagnosis.rows import Rows, rows_of
from kerasreg.errors import check_whole

#: Steps that copies train, unless epochs are given: Adam at 0.001 has learned small sets by then.
STEPS = 500
FEWEST_EPOCHS, MOST_EPOCHS = 5, 60
#: Weights that err at most this share of what always guessing the same does have been trained.
TRAINED = 0.75


@dataclass(frozen=True)
class Facts:
    """Everything that was measured.

    Attributes:
        rows: What on.
        structure: Of the network.
        inputs, target, duplicates: Of the rows.
        copies: The network's copies; `reference` those of a plain one.
        trained: Whether the network came with trained weights: units and normalisation are then
            its own, and copies begin with new weights.
        gradients: Before the first step, by layer: norm and norm of the weights.
        units, normalizations, more_errors: Of the trained network.
        classes, calibration, disagreement: Of classes; None for regression, or where training
            broke.
    """

    rows: Rows
    structure: Structure
    inputs: Inputs | None
    target: Target | None
    duplicates: Duplicates
    copies: Copies
    reference: Copies
    trained: bool
    gradients: dict[str, tuple[float, float]]
    units: inside.Units
    normalizations: list[inside.Normalization]
    more_errors: Effect | None
    classes: predictions.Classes | None
    calibration: predictions.Calibration | None
    disagreement: predictions.Disagreement | None


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What is wrong with a network, and what was measured.

    Attributes:
        files: The network's and the data's, or what to call them.
        findings: Serious ones first; empty where nothing is wrong.
        facts: What they were judged by.
    """

    files: tuple[str, str]
    findings: tuple[Finding, ...]
    facts: Facts

    def __repr__(self) -> str:
        """The findings, for a console; `kerasreg.report.render_diagnosis` writes the page."""
        found = [f"{f.name} ({f.severity}): {f.text}\n  {f.advice}" for f in self.findings]
        return "\n".join(found or ["Nothing wrong was found."])


def diagnose(
    model: keras.Model,
    data: Any,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    rows: int = 2000,
    scaling: str | None = None,
    seed: int = 0,
    files: tuple[str, str] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Diagnosis:
    """Find out what is wrong with a network, with numbers and what to do next.

    Copies of the network are trained as one population: on five folds, on a quarter, half and all
    of their rows, and at nine learning rates. Test rows are not read.

    Args:
        model: Compiled; one that is not is compiled by what its output says. Its weights are not
            changed.
        data: `(x, y)`, of which a test part is left alone, or `((x, y), (x_val, y_val))`, as the
            model takes them; a `Dataset`, or what `load` takes.
        epochs: How long copies train; None for about 500 steps.
        batch_size: Rows a step; None for 32 up to 2,000 rows, 128 above.
        rows: Most rows that copies train on.
        scaling: Of a `Dataset`'s arrays: `"none"`, the rows as they came, or `"auto"`, scaled by
            it. None: none for the path of an `.npz` file and for a network that begins with its own
            scaling, else auto.
        seed: Of the split, the folds, batches and masks.
        files: What commands give as `--model` and `--data`.
        progress: Called with what is done and its fraction.

    Raises:
        UserError: Data that do not fit the model, a model that cannot be trained in a population,
            or an argument out of range.
    """
    told = progress or (lambda what, fraction: None)
    check_whole("rows", rows, 20)
    told("reading", 0.0)
    held = rows_of(data, model, rows, scaling, seed)
    size = (32 if len(held.used) <= 2000 else 128) if batch_size is None else batch_size
    check_whole("batch_size", size)
    if epochs is None:
        steps = math.ceil(max(len(train) for train, _ in held.folds) / size)
        epochs = int(np.clip(math.ceil(STEPS / steps), FEWEST_EPOCHS, MOST_EPOCHS))
    check_whole("epochs", epochs)
    with warnings.catch_warnings():
        # `check_output` says it, with what to do.
        warnings.filterwarnings("ignore", ".*received `from_logits=True`")
        facts = _measure(model, held, epochs, size, seed, told)
    told("judging", 1.0)
    files = files or (f"{model.name}.keras", held.name)
    findings = [
        replace(one, command=one.command.format(model=files[0], data=files[1]))
        for one in sorted(_judge(facts), key=lambda finding: finding.severity)
    ]
    return Diagnosis(files, tuple(findings), facts)


def _measure(
    model: keras.Model,
    rows: Rows,
    epochs: int,
    batch_size: int,
    seed: int,
    told: Callable[[str, float], None],
) -> Facts:
    structure, probe = structure_of(model), inside.probe_of(rows)
    given = np.asarray(model.predict(rows.inputs(rows.used), verbose=0))
    trained = bool(rows.errors(given, rows.used).mean() <= TRAINED * rows.guess_error)
    start = fresh_copy(model, seed, keep=not trained)
    x, y = rows.inputs(probe), rows.y[probe]
    gradients = inside.gradients_of(start, x, y)
    copies = train_copies(
        start, rows, epochs, batch_size, seed, lambda done: told("training copies", done)
    )
    plain, plain_rows = plain_network(rows, seed)
    reference = train_copies(
        plain,
        plain_rows,
        epochs,
        batch_size,
        seed,
        lambda done: told("training a plain network", done),
        full=False,
    )
    told("looking inside", 0.0)
    network = model if trained else copies.models.member(0)
    normalizations = inside.normalizations_of(network, x)
    predicted = None
    if rows.classification and not copies.broken:
        predicted = predictions.predicted(rows, copies.outputs, structure.activation)
    return Facts(
        rows,
        structure,
        inputs_of(model, rows, probe),
        target_of(rows),
        duplicates_of(rows),
        copies,
        reference,
        trained,
        gradients,
        inside.units_of(network, x),
        normalizations,
        _more_errors(network, rows, batch_size) if normalizations else None,
        predicted and predictions.classes_of(predicted, rows.class_names),
        predicted and predictions.calibration_of(predicted, seed),
        predicted and predictions.disagreement_of(predicted),
    )


def _more_errors(network: keras.Model, rows: Rows, batch_size: int) -> Effect | None:
    """Errors with moving statistics against those with batches' own, on rows trained on."""
    train = rows.folds[0][0]
    batches = np.split(train, range(batch_size, min(len(train), inside.PROBE), batch_size))[:-1]
    if not batches:
        return None
    seen = np.concatenate(batches)
    moving = np.asarray(network.predict(rows.inputs(seen), verbose=0))
    own = inside.by_batches(network, [rows.inputs(batch) for batch in batches])
    errors = [rows.errors(outputs, seen) for outputs in (moving, own)]
    return effect_of(errors[0] - errors[1])


def _judge(facts: Facts) -> list[Finding]:
    """Every check; what only follows from a cause that was found is left out."""
    copies, unit = facts.copies, facts.rows.unit
    steps = copies.epochs * math.ceil(len(facts.rows.folds[0][0]) / copies.batch_size)
    scale = [check_inputs(facts.inputs), check_target(facts.target)]
    shift = check_shift(facts.normalizations, facts.structure.after_dropout)
    statistics = check_statistics(facts.normalizations, facts.more_errors, steps)
    # Fit and units are measured in inference: what wrong moving statistics spoil says nothing.
    spoiled = statistics and not shift
    gradients = check_gradients(facts.gradients)
    dead = None if spoiled else check_dead(facts.units)
    underfitting = None if spoiled else check_underfitting(copies, facts.reference, unit)
    training = [
        check_output(facts.structure),
        *scale,
        None if dead or any(scale) else gradients,
        check_penalty(copies, underfitting is not None),
    ]
    if not any(training):
        training.append(underfitting)
    training.append(check_rate(copies, facts.rows.guess_error, unit))
    if not any(scale):
        training += [dead, None if spoiled else check_saturated(facts.units)]
    training.append(shift or statistics)
    found = [check_duplicates(facts.duplicates), *training]
    if not any(training):
        labels = check_labels(facts.disagreement)
        gap = check_gap(copies, unit)
        found += [labels, gap, check_classes(facts.classes)]
        if not (labels or gap):
            found.append(check_calibration(facts.calibration))
    return [finding for finding in found if finding]
