"""The page of `kerasreg diagnose`: findings, figures, and what was measured."""

from pathlib import Path

import numpy as np

from kerasreg import plots
from kerasreg.diagnosis import Diagnosis
from kerasreg.diagnosis.copies import SHARES
from kerasreg.report._page import drawn, write_page
from kerasreg.words import count


def render_diagnosis(diagnosis: Diagnosis, folder: Path | str) -> Path:
    """Write the page of a diagnosis, and its figure as PNG and SVG.

    Args:
        diagnosis: What to show.
        folder: Where to write `diagnosis.html` and `figures/`.

    Returns:
        The page.
    """
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
                facts.calibration.bins if facts.calibration else None,
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
        "findings": diagnosis.findings,
        "picture": picture,
        "measured": measured(diagnosis),
    }
    return write_page("diagnosis.html.j2", folder / "diagnosis.html", values)


def headline(diagnosis: Diagnosis) -> str:
    """One sentence: how many findings, and which."""
    found = diagnosis.findings
    if not found:
        return "Nothing wrong was found. What was looked at stands below."
    return f"{count(len(found), 'finding')}: {', '.join(finding.name for finding in found)}."


def measured(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Everything that was measured, as names and values for readers."""
    facts = diagnosis.facts
    rows, copies, inputs = facts.rows, facts.copies, facts.inputs
    validation = int(rows.validation.sum())
    said = [
        ("Rows", f"{len(rows.y) - validation:,} training, {validation:,} validation"),
        ("Copies trained on", f"{len(rows.used):,} rows, {len(rows.folds)} folds"),
        ("Loss and optimiser", f"{facts.structure.loss}, {facts.structure.optimizer}"),
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
    if inputs:
        size = f"{inputs.low:.3g} to {inputs.high:.3g}, root mean square {inputs.size:.3g}"
        said.append((f"Inputs of {inputs.layer}", size))
    said += [
        (f"Gradient before training, {name}", f"{norm:.3g} (weights {weights:.3g})")
        for name, (norm, weights) in facts.gradients.items()
    ]
    said += [(f"Dead units, {name}", f"{share:.0%}") for name, share in facts.units.dead.items()]
    said += [
        (f"Saturated outputs, {name}", f"{share:.0%}")
        for name, share in facts.units.saturated.items()
    ]
    said += [
        (f"Variance in inference by training's, {one.layer}", f"{one.variance_ratio:.2f}")
        for one in facts.normalizations
    ]
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


def _share(errors: np.ndarray) -> str:
    known = errors[np.isfinite(errors)]
    return f"{known.mean():.1%}" if len(known) else "training broke"
