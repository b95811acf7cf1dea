"""What a lesson leaves behind: figure.png, results.json, report.html, and words on the screen."""

import io
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kerasreg.files import atomic_write
from kerasreg.lesson._judging import Conclusion
from kerasreg.lesson._lesson import Lesson

#: Most bytes of figure.png, which LESSONS.md shows.
MOST_BYTES = 150_000


def write_results(lesson: Lesson) -> dict[str, Any]:
    """Write everything; return what results.json holds."""
    count = len(lesson.figures)
    names = ["figure.png" if i == 1 else f"figure_{i}.png" for i in range(1, count + 1)]
    results = results_of(lesson, names)
    text = json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(lesson.out / "results.json", (text + "\n").encode())
    _write_report(lesson, results)
    for i, name in enumerate(names, start=1):
        drawn = lesson.out / "figures" / f"figure_{i}.png"
        atomic_write(lesson.out / name, small_png(drawn.read_bytes()))
    return results


def results_of(lesson: Lesson, figures: list[str]) -> dict[str, Any]:
    """Plain values: everything but `seconds` is the same for the same seeds."""
    return {
        "lesson": lesson.name,
        **lesson.text,
        "quick": lesson.quick,
        "data": lesson.loaded.describe() if lesson.loaded else None,
        "seeds": list(lesson.seeds),
        "claims": {c.claim.id: _claim_record(c) for c in lesson.conclusions},
        "table": lesson.rows,
        "settings": lesson.settings,
        "notes": lesson.notes,
        "figures": figures,
        "seconds": round(time.monotonic() - lesson.started, 1),
        "versions": {name: version(name) for name in ("kerasreg", "keras", "tensorflow", "numpy")},
    }


def _claim_record(conclusion: Conclusion) -> dict[str, Any]:
    return {
        "statement": conclusion.claim.statement,
        "verdict": conclusion.decision.verdict,
        "reason": conclusion.decision.reason,
        "take_home": conclusion.take_home,
        "advice": conclusion.advice,
        "setting": conclusion.setting,
        "why": conclusion.why,
        "predicted": conclusion.predicted,
        "beside": [decision.to_dict() for decision in conclusion.beside],
        "decision": conclusion.decision.to_dict(),
    }


def small_png(content: bytes) -> bytes:
    """A PNG with a palette, made narrower until it has at most `MOST_BYTES`.

    A palette takes a third of the bytes and makes no visible difference.
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    width, colours = picture.width, 256
    while True:
        size = (width, round(picture.height * width / picture.width))
        palette = picture.resize(size, Image.Resampling.LANCZOS).quantize(
            colours, dither=Image.Dither.NONE
        )
        buffer = io.BytesIO()
        palette.save(buffer, format="PNG", optimize=True)
        if buffer.tell() <= MOST_BYTES or width < 200:
            return buffer.getvalue()
        width, colours = int(width * 0.85), 128


def _write_report(lesson: Lesson, results: dict[str, Any]) -> None:
    from kerasreg.report import render_comparison

    claims = results["claims"]
    verdicts = {record["verdict"] for record in claims.values()}
    page = {
        "title": lesson.name.replace("_", " "),
        **lesson.text,
        "answer": " ".join(record["take_home"] for record in claims.values()),
        "verdict": verdicts.pop() if len(verdicts) == 1 else "",
        "claims": [
            {
                "id": name,
                "sentence": record["statement"],
                "verdict": record["verdict"],
                "effect": record["reason"],
            }
            for name, record in claims.items()
        ],
        "table": lesson.rows,
        "figures": [
            {"figure": figure, "caption": caption, "alt": caption}
            for figure, caption in lesson.figures
        ],
        "notes": lesson.notes,
        "repeat": {
            "command": command(lesson),
            "seeds": ", ".join(map(str, lesson.seeds)),
            "data": (results["data"] or {}).get("fingerprint", "none"),
            **results["versions"],
        },
    }
    render_comparison(page, lesson.out)


def command(lesson: Lesson) -> str:
    """The line that runs the lesson again."""
    quick = " --quick" if lesson.quick else ""
    return (
        f"python scripts/{lesson.name}.py --data {Path(lesson.data_name).name} "
        f"--seeds {len(lesson.seeds)}{quick}"
    )


def print_results(lesson: Lesson, results: dict[str, Any], console: Console | None = None) -> None:
    """The table, one sentence a claim, and where the rest is."""
    # A file or a pipe has no width that a table would have to fit.
    console = console or Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 160
    if lesson.rows:
        columns = list(dict.fromkeys(name for row in lesson.rows for name in row))
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        for index, name in enumerate(columns):
            table.add_column(
                escape(str(name)), justify="left" if index == 0 else "right", no_wrap=True
            )
        for row in lesson.rows:
            table.add_row(*(escape(_cell(row.get(name))) for name in columns))
        console.print(table)
    for note in lesson.notes:
        console.print(f"Note: {note}", style="dim", markup=False)
    for name, record in results["claims"].items():
        parts = record["decision"]["parts"]
        reason = "" if parts else f" {record['reason']}"
        console.print(
            f"[bold]{name} {record['verdict']}[/]: {escape(record['statement'] + reason)}"
        )
        for part in parts:
            line = f"  {part['verdict']}: {part['claim']}: {part['reason']}"
            console.print(line, markup=False)
        console.print(f"  {record['take_home']}", markup=False)
    if lesson.quick:
        console.print("A quick run: it tries the script and decides nothing.")
    console.print(f"{results['seconds']:.0f} s; see {escape(str(lesson.out))}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
