"""One claim on the page: verdict, effects, why, what to do, figure; the rest is folded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kerasreg.claims import SOURCES, Claim, Erratum
from kerasreg.ledger._markdown import plain, table
from kerasreg.ledger._verdicts import MARKS, Finding

#: Folder of the figures, beside the page.
FIGURES = "lessons"


def claim_section(
    claim: Claim,
    found: Sequence[Finding],
    errata: Sequence[Erratum],
    figures: Sequence[str],
    folder: Path,
) -> list[str]:
    """Paragraphs about one claim.

    Args:
        claim: The claim.
        found: What each data set said; at least one.
        errata: Mistakes of the notes to tell here.
        figures: File names of the figures to show here.
        folder: Where the page will lie, for its links.
    """
    words = ", ".join(f"{one.label} {MARKS[one.verdict]} {one.verdict}" for one in found)
    records = [record for one in found for _, record in one.lessons]
    question = found[0].lessons[0][0].results["question"]
    return [
        f"### {claim.id}. {plain(claim.statement)}",
        f"**{words[:1].upper()}{words[1:]}.** {_once(record['setting'] for record in records)}.",
        _effects(found),
        _once(record["why"] for record in records),
        _advice(found),
        *(f"![{plain(question)}]({FIGURES}/{name})" for name in figures),
        _folded(found, errata, folder),
    ]


def _once(texts: Iterable[str]) -> str:
    return " ".join(plain(text) for text in dict.fromkeys(texts) if text)


def _effects(found: Sequence[Finding]) -> str:
    """A row a part: on each data set its mark, from where to where, and the effect."""
    rows: dict[str, dict[str, str]] = {}
    for one in found:
        for part in one.parts:
            cell = f"{MARKS[part['verdict']]} {_numbers(part)}"
            rows.setdefault(plain(part["claim"]), {})[one.label] = cell
        for _, record in one.lessons:
            for part in record["beside"]:
                rows.setdefault(f"*beside:* {plain(part['claim'])}", {})[one.label] = _numbers(part)
    labels = [one.label for one in found]
    return table(
        ["", *labels],
        [[row, *(cells.get(label, "") for label in labels)] for row, cells in rows.items()],
    )


def _numbers(part: dict[str, Any]) -> str:
    if not part["effect"]:
        return plain(part["reason"])
    if part["reason"].startswith("does not apply"):
        return f"{plain(part['reason'])}; {part['effect']}"
    levels = f"{part['levels']}, " if part["levels"] else ""
    return f"{levels}**{part['effect'].split(' [')[0]}** [{part['effect'].split(' [')[1]}"


def _advice(found: Sequence[Finding]) -> str:
    by_label = {
        one.label: " ".join(dict.fromkeys(record["advice"] for _, record in one.lessons)).strip()
        for one in found
    }
    lines = {label: plain(text) for label, text in by_label.items() if text}
    if not lines:
        return ""
    if len(set(lines.values())) == 1 and len(lines) == len(found):
        return f"*Do:* {next(iter(lines.values()))}"
    return "*Do:* " + " ".join(f"({label}) {text}" for label, text in lines.items())


def _folded(found: Sequence[Finding], errata: Sequence[Erratum], folder: Path) -> str:
    """Tests, rule, notes and the notes' mistakes, folded."""
    lines = []
    for one in found:
        tests = [_test(part) for part in one.parts if part["comparison"]]
        if tests:
            lines.append(f"- {one.label}: {'; '.join(tests)}; {_seeds(one)} seeds")
        lines += [f"- {one.label}: {plain(note)}" for note in _notes(one)]
    lines += [
        f"- {erratum.id} ({SOURCES[erratum.source].split(':')[0]}): {plain(erratum.says)} "
        f"**Correct:** {plain(erratum.correct)}"
        for erratum in errata
    ]
    scripts = sorted({measured.lesson.path for one in found for measured, _ in one.lessons})
    links = [f"[{path.name}]({Path(os.path.relpath(path, folder)).as_posix()})" for path in scripts]
    summary = "Tests, and what the notes got wrong" if errata else "Tests"
    head = f"<details><summary>{summary}</summary>"
    return "\n".join([head, "", f"Rule: {', '.join(links)}.", "", *lines, "", "</details>"])


def _test(part: dict[str, Any]) -> str:
    p = part["comparison"]["p_adjusted"]
    size = part["comparison"]["family_size"]
    words = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"{words}{f' (Holm over {size})' if size > 1 else ''}, needs {part['needs']}"


def _seeds(finding: Finding) -> int:
    return min(len(measured.results["seeds"]) for measured, _ in finding.lessons)


def _notes(finding: Finding) -> list[str]:
    """Notes of the lessons that decide no other claim before this one."""
    return [
        note
        for measured, _ in finding.lessons
        if next(iter(measured.results["claims"])) == finding.claim
        for note in measured.results.get("notes", ())
    ]
