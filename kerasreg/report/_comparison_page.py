"""Pages of comparisons: one lesson with its arms, and the gallery of many."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kerasreg import words
from kerasreg.evidence import VERDICTS
from kerasreg.report._page import drawn, from_png, write_page
from kerasreg.report._trials import cell, numeric_columns

_TEXTS = ("title", "question", "prediction", "source", "rule", "answer", "verdict")


def render_comparison(comparison: Mapping[str, Any], folder: Path | str) -> Path:
    """Write the page of a comparison or lesson: `report.html` in `folder`.

    Args:
        comparison: What to show; only `title` is required.

            - `title`, `question`, `prediction`, `source`, `rule`, `answer`: text
            - `verdict`: one of `kerasreg.evidence.VERDICTS`
            - `claims`: list of `{id, sentence, verdict, effect, rule}`, all text
            - `table`: list of rows, each a dict of column to value (columns as in the first)
            - `figures`: list of `{figure, caption, alt}`; `figure` is a matplotlib `Figure`, which
              is written to `figures/`, too
            - `notes`: list of texts
            - `repeat`: dict of name to value: command, seeds, data fingerprint, versions
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = comparison.get("table") or []
    columns = list(dict.fromkeys(name for row in table for name in row))
    rows = [[cell(row.get(name)) for name in columns] for row in table]
    values = {
        **_texts(comparison, *_TEXTS),
        "claims": _claims(comparison),
        "columns": columns,
        "rows": rows,
        "numeric": numeric_columns(rows, len(columns)),
        "pictures": [
            drawn(one["figure"], f"figure_{k}", one["caption"], one["alt"], folder / "figures")
            for k, one in enumerate(comparison.get("figures") or [], start=1)
        ],
        "notes": comparison.get("notes") or [],
        "repeat": [(k, words.show(v)) for k, v in (comparison.get("repeat") or {}).items()],
    }
    return write_page("comparison.html.j2", folder / "report.html", values)


def render_gallery(lessons: Sequence[Mapping[str, Any]], path: Path | str) -> Path:
    """Write one page that shows many lessons as cards.

    Args:
        lessons: Each `{title, question, answer, claims, picture, alt, link}`: `claims` as in
            `render_comparison`, `picture` the path of a PNG (or nothing), `link` a path relative
            to the gallery.
    """
    cards = [
        {
            **_texts(lesson, "title", "question", "answer"),
            "claims": _claims(lesson),
            "picture": lesson["picture"]
            and from_png(lesson["picture"], f"lesson_{k}", lesson["alt"]),
            "link": quote(lesson["link"], safe="/._-#"),
        }
        for k, lesson in enumerate(lessons, start=1)
    ]
    counts = {
        verdict: sum(claim["verdict"] == verdict for card in cards for claim in card["claims"])
        for verdict in VERDICTS
    }
    title = "Lessons: what regularisation does, measured"
    return write_page(
        "gallery.html.j2", Path(path), {"title": title, "cards": cards, "counts": counts}
    )


def _claims(values: Mapping[str, Any]) -> list[dict[str, str]]:
    names = ("id", "sentence", "verdict", "effect", "rule")
    return [_texts(claim, *names) for claim in values.get("claims") or []]


def _texts(values: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Return these values as text, empty where there is none."""
    return {name: str(values.get(name) or "") for name in names}
