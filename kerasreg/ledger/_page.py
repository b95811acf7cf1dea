"""LESSONS.md: what the lessons found, a screen a claim; and the gallery of their pages."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from kerasreg.claims import CLAIMS, ERRATA, SOURCES, Claim, errata_of
from kerasreg.files import atomic_write
from kerasreg.ledger._data import NO_DATA
from kerasreg.ledger._runs import Measured
from kerasreg.ledger._section import FIGURES, claim_section, plain, short, table
from kerasreg.ledger._verdicts import MARKS, findings, tally
from kerasreg.report import render_gallery

NOT_MEASURED = "not measured"
_HEAD = """\
# Lessons: what the notes claim, measured

Lecture notes on regularisation make claims. Here each is a sentence that an experiment can support
or contradict, measured on {data}. Each script holds its rule, written before the numbers.
`make lessons` runs what has changed and writes this page.

**How to read it.** All arms of a comparison train with the same seeds: equal initial weights, rows,
batch order and masks. An effect is the mean difference, or ratio, over these pairs, with its 95 %
interval. Each seed draws its training rows anew; where a set has no test part (digits), it splits
all rows anew, so that the interval covers which rows were drawn as well as the luck of training. A
difference of accuracies matters from a fifth of the errors on, or 1.5 points (pp); a ratio from
1.25; a claim that names a size needs that (*Details*). The gap is training minus test accuracy.
`x→y` leads from what is compared with to what is judged. *Beside* is measured beside the claim and
decides nothing. The summary has the first effect whose sign is sure.

| | |
|---|---|
| ✓ supported | sure sign (sign-flip test, Holm over the claim) and size; or surely "no worse" |
| ◐ partly | some parts of the claim hold |
| ↓ smaller than claimed | the sign is sure, the effect smaller than the claim needs |
| = no difference seen | what difference there may be is too small to matter, also if not 0 |
| ✗ contradicted | the opposite is sure |
| ? undecided | these data cannot tell, or the claim does not apply to them |

The notes: {sources}. `report.html` of a lesson has its table, its notes and all figures.
"""


def write_page(measured: Sequence[Measured], labels: Sequence[str], page: Path) -> None:
    """Write the page and its figures; figures that only the former page showed are removed."""
    before = set()
    if page.is_file():
        before = set(re.findall(rf"\]\({FIGURES}/([\w.-]+\.png)\)", page.read_text("utf-8")))
    for one in measured:
        for path, name in one.figures:
            atomic_write(page.parent / FIGURES / name, path.read_bytes())
    for name in before - {name for one in measured for _, name in one.figures}:
        (page.parent / FIGURES / name).unlink(missing_ok=True)
    atomic_write(page, page_text(measured, labels, page.parent).encode())


def page_text(measured: Sequence[Measured], labels: Sequence[str], folder: Path) -> str:
    """The whole page: how to read it, the tables, and a section a claim.

    Figures stand under the first claim of their lesson, errata under the first claim they touch.
    """
    columns = list(dict.fromkeys([*labels, *(one.data.label for one in measured)]))
    sources = "; ".join(f"{name} {said.split(':')[0].lower()}" for name, said in SOURCES.items())
    parts = [
        _HEAD.format(data=" and ".join(labels), sources=sources),
        *_summary(measured, columns),
    ]
    shown: set[str] = set()
    told: set[str] = set()
    for claim in CLAIMS:
        found = findings(claim, measured, columns)
        if not found:
            continue
        errata = {
            erratum: [other.id for other in ERRATA if other.repeats == erratum.id]
            for erratum in errata_of(claim)
            if not erratum.repeats and erratum.id not in told
        }
        told.update(erratum.id for erratum in errata)
        figures = [name for one in found for lesson, _ in one.lessons for _, name in lesson.figures]
        new = [name for name in dict.fromkeys(figures) if name not in shown]
        shown.update(new)
        parts += claim_section(claim, found, errata, new, folder)
    versions = sorted({_versions(one) for one in measured})
    parts.append("---\n\nMeasured with " + "; ".join(versions) + "." if versions else "")
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _summary(measured: Sequence[Measured], columns: Sequence[str]) -> list[str]:
    """How many claims have which verdict, and a table a family with verdict and effect."""
    counts = tally(measured, columns)
    rows = [[short(label), *(str(number[v]) for v in MARKS)] for label, number in counts.items()]
    parts = ["## Summary", table(["claims", *(f"{m} {v}" for v, m in MARKS.items())], rows)]
    labels = [label for label in columns if label != NO_DATA.label]
    for family in dict.fromkeys(claim.family for claim in CLAIMS):
        rows = [
            [claim.id, plain(claim.statement), *_overview(claim, measured, labels)]
            for claim in CLAIMS
            if claim.family == family
        ]
        parts.append(f"**{family[0].upper()}{family[1:]}**")
        parts.append(table(["", "the notes claim", *map(short, labels)], rows))
    return parts


def _overview(claim: Claim, measured: Sequence[Measured], labels: Sequence[str]) -> list[str]:
    """A claim's cells: verdict and effect on each data set; without data in the first cell."""
    found = {one.label: one for one in findings(claim, measured, [*labels, NO_DATA.label])}
    cells = {label: f"{MARKS[one.verdict]} {one.effect}".strip() for label, one in found.items()}
    if NO_DATA.label in cells:
        cells[labels[0]] = f"{cells[NO_DATA.label]} ({NO_DATA.label})"
    first, *others = (cells.get(label, "") for label in labels)
    return [first if cells else NOT_MEASURED, *others]


def _versions(measured: Measured) -> str:
    return ", ".join(f"{name} {version}" for name, version in measured.results["versions"].items())


def write_gallery(measured: Sequence[Measured], path: Path) -> Path:
    """Write a page of cards, a card for each lesson on each data set, with links to their pages."""
    cards = []
    for one in measured:
        claims = one.results["claims"]
        report = one.folder / "report.html"
        cards.append(
            {
                "title": f"{one.lesson.name.replace('_', ' ')}: {one.data.label}",
                "question": one.results["question"],
                "answer": " ".join(record["take_home"] for record in claims.values()),
                "claims": [
                    {"id": name, "sentence": record["statement"], "verdict": record["verdict"]}
                    for name, record in claims.items()
                ],
                "picture": one.figures[0][0] if one.figures else None,
                "alt": f"Figure of the lesson: {one.results['question']}",
                "link": Path(os.path.relpath(report, path.parent)).as_posix(),
            }
        )
    return render_gallery(cards, path)
