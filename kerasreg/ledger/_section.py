"""One claim on the page: verdict, effects, why, what to do, figure; the rest is folded."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasreg.claims import Claim, Erratum
from kerasreg.ledger._verdicts import MARKS, Finding

#: Folder of the figures, beside the page.
FIGURES = "lessons"


def claim_section(
    claim: Claim,
    found: Sequence[Finding],
    errata: Mapping[Erratum, Sequence[str]],
    figures: Sequence[str],
    folder: Path,
) -> list[str]:
    """Paragraphs about one claim.

    Args:
        found: What each data set said; at least one.
        errata: Mistakes of the notes to tell here, with the ids of those that repeat them.
        figures: File names of the figures to show here.
    """
    words = ", ".join(f"{short(one.label)} {MARKS[one.verdict]} {one.verdict}" for one in found)
    records = [record for one in found for _, record in one.lessons]
    return [
        f"### {claim.id}. {plain(claim.statement)}",
        f"**{words[:1].upper()}{words[1:]}.** {_once(record['setting'] for record in records)}.",
        _effects(found),
        f"{_once(record['why'] for record in records)} {_surprise(found)}",
        _advice(found),
        *(f"![{Path(name).stem}]({FIGURES}/{name})" for name in figures),
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
                rows.setdefault(f"*beside:* {plain(part['claim'])}", {})[one.label] = _effect(part)
    labels = [one.label for one in found]
    return table(
        ["", *map(short, labels)],
        [[row, *_cells([cells.get(label, "") for label in labels])] for row, cells in rows.items()],
    )


def _cells(cells: list[str]) -> list[str]:
    """What holds on every data set alike, such as an identity, is said once."""
    if len(cells) > 1 and len(set(cells)) == 1:
        return [cells[0], *["same"] * (len(cells) - 1)]
    return cells


def _surprise(found: Sequence[Finding]) -> str:
    """What was predicted, where a data set decided otherwise."""
    wrong = {
        record["predicted"]
        for one in found
        for _, record in one.lessons
        if record["verdict"] not in (record["predicted"], "undecided")
    }
    return f"We had predicted: {', '.join(sorted(wrong))}." if wrong else ""


def _numbers(part: dict[str, Any]) -> str:
    """A part's reason where it has no effect or does not apply; else its levels and effect."""
    if not part["effect"]:
        return plain(part["reason"])
    if part["reason"].startswith("does not apply"):
        return f"{plain(part['reason'])}; {part['effect']}"
    return f"{part['levels']}, {_effect(part)}" if part["levels"] else _effect(part)


def _effect(part: dict[str, Any]) -> str:
    if not part["effect"]:
        return plain(part["reason"])
    effect, interval = part["effect"].split(" [")
    return f"**{effect}** [{interval}"


def short(label: str) -> str:
    """A data set's label without what stands in brackets, which the head of the page says."""
    return label.split(" (")[0]


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
    return "*Do:* " + " ".join(f"({short(label)}) {text}" for label, text in lines.items())


def _folded(found: Sequence[Finding], errata: Mapping[Erratum, Sequence[str]], folder: Path) -> str:
    """Tests, rule, notes and the notes' mistakes, folded."""
    lines = _tests(found)
    lines += [
        f"- {', '.join((erratum.id, *again))} ({erratum.source}): "
        f"{plain(erratum.says)} **Correct:** {plain(erratum.correct)}"
        for erratum, again in errata.items()
    ]
    scripts = sorted({measured.lesson.path for one in found for measured, _ in one.lessons})
    links = [f"[{path.name}]({Path(os.path.relpath(path, folder)).as_posix()})" for path in scripts]
    head = "<details><summary>Details</summary>"
    return "\n".join([head, "", f"Rule: {', '.join(links)}.", "", *lines, "", "</details>"])


def _tests(found: Sequence[Finding]) -> list[str]:
    """What each part needs, and its p-values on each data set, in the order of the parts."""
    tested = {one.label: [part for part in one.parts if part["comparison"]] for one in found}
    needs = dict.fromkeys(part["needs"] for parts in tested.values() for part in parts)
    lines = [f"- Needs {'; '.join(needs)}."] if needs else []
    for one in found:
        parts = [part["comparison"] for part in tested[one.label]]
        if not parts:
            continue
        numbers = [part["p_adjusted"] for part in parts]
        values = ["< 0.001" if p < 0.001 else f"{p:.2g}" for p in numbers]
        p = ", ".join(values if len(set(values)) > 1 else values[:1])
        family = f", Holm over {parts[0]['family_size']}" if parts[0]["family_size"] > 1 else ""
        seeds = len(one.lessons[0][0].results["seeds"])
        lines.append(f"- {short(one.label)}: p {p}{family}, {seeds} seeds.")
    return lines


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; stars and pipes in its cells are the caller's."""
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"|{'|'.join(line)}|" for line in cells)


def plain(text: str) -> str:
    """Text whose stars and angle brackets are no markup."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p[:1] == "`" else re.sub(r"([*<])", r"\\\1", p) for p in pieces)
