"""Pages of comparisons: one lesson with its arms, and the gallery of many."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kerasreg import words
from kerasreg.errors import UserError
from kerasreg.evidence import VERDICTS
from kerasreg.plots import Figure
from kerasreg.report._page import Picture, drawn, from_file, write_page
from kerasreg.report._trials import cell, numeric_columns

_TEXTS = ("question", "prediction", "source", "rule", "answer", "verdict")
_KNOWN = {"title", *_TEXTS, "claims", "table", "figures", "notes", "repeat"}


def render_comparison(comparison: Mapping[str, Any], folder: Path | str) -> Path:
    """Write the page of a comparison or lesson: `report.html` in `folder`.

    Args:
        comparison: What to show; only `title` is required.

            - `title`, `question`, `prediction`, `source`, `rule`, `answer`: text
            - `verdict`: one of `kerasreg.evidence.VERDICTS`
            - `claims`: list of `{id, sentence, verdict, effect, rule}`, all text
            - `table`: list of rows, each a dict of column to value (columns as in the first)
            - `figures`: list of `{figure, caption, alt}`; `figure` is a matplotlib `Figure`
              (written to `figures/` too) or the path of a PNG, SVG or JPEG
            - `notes`: list of texts
            - `repeat`: dict of name to value: command, seeds, data fingerprint, versions

    Raises:
        UserError: A key that is not one of these, a missing title, an unknown verdict.
    """
    folder = Path(folder)
    _check(comparison)
    folder.mkdir(parents=True, exist_ok=True)
    table = list(comparison.get("table") or [])
    columns = list(dict.fromkeys(name for row in table for name in row))
    rows = [[cell(row.get(name)) for name in columns] for row in table]
    values = {
        **_texts(comparison, "title", *_TEXTS),
        "claims": [
            _texts(claim, "id", "sentence", "verdict", "effect", "rule")
            for claim in comparison.get("claims") or []
        ],
        "columns": [str(name) for name in columns],
        "rows": rows,
        "numeric": numeric_columns(rows, len(columns)),
        "pictures": [
            _picture(item, index, folder)
            for index, item in enumerate(comparison.get("figures") or [], start=1)
        ],
        "notes": [str(note) for note in comparison.get("notes") or []],
        "repeat": [(str(k), words.show(v)) for k, v in (comparison.get("repeat") or {}).items()],
    }
    return write_page("comparison.html.j2", folder / "report.html", values)


def render_gallery(lessons: Sequence[Mapping[str, Any]], path: Path | str) -> Path:
    """Write one page that shows many lessons as cards.

    Args:
        lessons: Each `{title, question, answer, claims, picture, alt, link}`: `claims` as in
            `render_comparison`, `picture` the path of an image file, `link` a path relative to the
            gallery (or nothing).

    Raises:
        UserError: A lesson without a title, an unknown verdict, a link that is not a relative path.
    """
    cards = []
    for index, lesson in enumerate(lessons, start=1):
        _check(lesson, {"title", "question", "answer", "claims", "picture", "alt", "link"})
        picture = None
        if lesson.get("picture"):
            picture = from_file(lesson["picture"], f"lesson_{index}", "", lesson.get("alt") or "")
        cards.append(
            {
                **_texts(lesson, "title", "question", "answer"),
                "claims": [
                    _texts(claim, "id", "sentence", "verdict")
                    for claim in lesson.get("claims") or []
                ],
                "picture": picture,
                "link": _relative(lesson.get("link")),
            }
        )
    counts = {
        verdict: sum(claim["verdict"] == verdict for card in cards for claim in card["claims"])
        for verdict in VERDICTS
    }
    title = "Lessons: what regularisation does, measured"
    return write_page(
        "gallery.html.j2", Path(path), {"title": title, "cards": cards, "counts": counts}
    )


def _check(value: Mapping[str, Any], known: set[str] = _KNOWN) -> None:
    unknown = sorted(set(value) - known)
    if unknown:
        raise UserError(f"comparison: expected the keys {sorted(known)}, got also {unknown[0]!r}")
    if not value.get("title"):
        raise UserError("comparison: expected a 'title', got none")
    verdicts = [value.get("verdict"), *(c.get("verdict") for c in value.get("claims") or [])]
    for verdict in verdicts:
        if verdict and verdict not in VERDICTS:
            raise UserError(f"verdict: expected one of {VERDICTS}, got {verdict!r}")


def _texts(values: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Return these values as text, empty where there is none."""
    return {name: str(values.get(name) or "") for name in names}


def _picture(item: Mapping[str, Any], index: int, folder: Path) -> Picture:
    figure, name = item.get("figure"), f"figure_{index}"
    caption = str(item.get("caption") or "")
    alt = str(item.get("alt") or caption)
    if not alt:
        raise UserError(f"figure {index}: expected an 'alt' text or a caption, got neither")
    if isinstance(figure, Figure):
        return drawn(figure, name, caption, alt, folder / "figures")
    if figure is None:
        raise UserError(f"figure {index}: expected a Figure or a path, got none")
    return from_file(figure, name, caption, alt)


def _relative(link: object) -> str:
    if not link:
        return ""
    parts = urlsplit(str(link))
    if parts.scheme or parts.netloc or str(link).startswith(("/", "\\")):
        raise UserError(f"link: expected a path relative to the gallery, got {str(link)!r}")
    return quote(str(link), safe="/._-#")
