"""The page of `kerasreg diagnose`: findings, figures, and what was measured."""

from pathlib import Path

import numpy as np

from kerasreg import plots
from kerasreg.diagnosis import Diagnosis
from kerasreg.diagnosis.copies import SHARES
from kerasreg.diagnosis.effect import effect_of
from kerasreg.diagnosis.predictions import Calibration
from kerasreg.report._page import drawn, write_page
from kerasreg.report._trials import cell
from kerasreg.words import count

#: Rows of a bin in the picture of the calibration: fewer show chance.
FEWEST = 10
_COLUMNS = (
    "layer",
    "gradient norm at first",
    "weight norm at first",
    "dead units",
    "saturated",
    "variance, inference / training",
)


def render_diagnosis(diagnosis: Diagnosis, folder: Path | str) -> Path:
    """Write `diagnosis.html` and `figures/` to a folder, and return the page."""
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    facts = diagnosis.facts
    copies = facts.copies
    picture = None
    if not copies.broken:
        picture = drawn(
            plots.diagnosis(
                SHARES,
                np.nanmean(copies.seen, axis=1),
                np.nanmean(copies.unseen, axis=1),
                float(np.nanmean(facts.reference.unseen)),
                copies.rates,
                copies.rate_errors,
                copies.own_rate,
                facts.rows.guess_error,
                _telling(facts.calibration),
                facts.rows.unit,
            ),
            "diagnosis",
            f"Copies of the network after {copies.epochs} epochs; means over folds. The test rows "
            "were not read.",
            "; ".join(f"{name}: {value}" for name, value in measured(diagnosis)),
            folder / "figures",
        )
    model, data = (Path(name).name for name in diagnosis.files)
    values = {
        "title": f"{model} on {data}",
        "headline": headline(diagnosis),
        "fit": fit_sentence(diagnosis),
        "findings": diagnosis.findings,
        "picture": picture,
        "measured": measured(diagnosis),
        "columns": _COLUMNS,
        "numeric": [False, *[True] * 5],
        "layers": [[cell(value) for value in row] for row in layers(diagnosis)],
    }
    return write_page("diagnosis.html.j2", folder / "diagnosis.html", values)


def headline(diagnosis: Diagnosis) -> str:
    """One sentence: how many findings, and which."""
    found = diagnosis.findings
    if not found:
        return "Nothing wrong was found."
    return f"{count(len(found), 'finding')}: {', '.join(finding.name for finding in found)}."


def fit_sentence(diagnosis: Diagnosis) -> str:
    """How well copies of the network fit, in numbers."""
    copies, rows = diagnosis.facts.copies, diagnosis.facts.rows
    if copies.broken:
        return "Training copies of the network broke: a loss was not finite."
    gap = effect_of(copies.unseen[-1] - copies.seen[-1])
    return (
        f"Copies of the network have {_share(copies.seen[-1])} {rows.unit} on rows they trained on "
        f"and {_share(copies.unseen[-1])} on others (gap {gap}); a plain network has "
        f"{_share(diagnosis.facts.reference.unseen)} on others, always guessing the same "
        f"{rows.guess_error:.1%}."
    )


def measured(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Everything that was measured, as names and values for readers."""
    facts = diagnosis.facts
    rows, copies, inputs = facts.rows, facts.copies, facts.inputs
    validation = int(rows.validation.sum())
    said = [
        ("Loss and optimiser", f"{facts.structure.loss}, {facts.structure.optimizer}"),
        ("Rows", f"{len(rows.y) - validation:,} training, {validation:,} validation"),
        ("Copies trained on", f"{len(rows.used):,} rows, {len(rows.folds)} folds"),
        ("Training", f"{copies.epochs} epochs, batches of {copies.batch_size}"),
        ("Units and normalisation of", "its own weights" if facts.trained else "a trained copy"),
        (f"Error on training rows ({rows.unit})", _share(copies.seen[-1])),
        *(
            (f"Error on rows not seen, {share:.0%} of the rows", _share(errors))
            for share, errors in zip(SHARES, copies.unseen, strict=True)
        ),
        ("The same of a plain network, 128-128", _share(facts.reference.unseen)),
        ("Always guessing the same", f"{rows.guess_error:.1%}"),
        ("Data loss and penalty", f"{copies.data_loss:.3g} and {copies.penalty:.3g}"),
        ("Learning rate", f"{copies.own_rate:.3g}"),
    ]
    if facts.target:
        said.append(("Target", f"{facts.target.low:.3g} to {facts.target.high:.3g}"))
    if inputs:
        size = f"{inputs.low:.3g} to {inputs.high:.3g}, root mean square {inputs.size:.3g}"
        said.append((f"Inputs of {inputs.layer}", size))
    if facts.calibration:
        found = facts.calibration
        chance = f"{found.error:.1%} (chance: up to {found.by_chance:.1%})"
        said.append(("Expected calibration error", chance))
    if facts.disagreement:
        sure = facts.disagreement.sure
        share = f"{sure.share:.1%} [{sure.low:.1%}, {sure.high:.1%}]"
        said.append(("Labels against the surest quarter", share))
    said.append(("Validation rows that are training rows", str(len(facts.duplicates.rows))))
    return said


def layers(diagnosis: Diagnosis) -> list[list]:
    """A row a layer: gradient and weights before training, dead, saturated, variance ratio."""
    facts = diagnosis.facts
    variances = {one.layer: one.variance_ratio for one in facts.normalizations}
    columns = (
        {name: norm for name, (norm, _) in facts.gradients.items()},
        {name: weights for name, (_, weights) in facts.gradients.items()},
        facts.units.dead,
        facts.units.saturated,
        variances,
    )
    names = dict.fromkeys(name for column in columns for name in column)
    return [[name, *(column.get(name) for column in columns)] for name in names]


def _telling(calibration: Calibration | None) -> np.ndarray | None:
    """The bins of the calibration error with enough rows to show."""
    if calibration is None:
        return None
    bins = calibration.bins[calibration.bins[:, 2] >= FEWEST]
    return bins if len(bins) else None


def _share(errors: np.ndarray) -> str:
    known = errors[np.isfinite(errors)]
    return f"{known.mean():.1%}" if len(known) else "training broke"
