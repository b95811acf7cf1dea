"""The gallery: a page of cards, one for each lesson on each data set."""

import os
from collections.abc import Sequence
from pathlib import Path

from kerasreg.ledger._runs import Measured
from kerasreg.report import render_gallery


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
