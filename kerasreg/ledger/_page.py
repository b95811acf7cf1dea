"""LESSONS.md and the gallery: what the lessons found, for readers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kerasreg.claims import CLAIMS, SOURCES, Claim, errata_of, find_claim
from kerasreg.files import atomic_write
from kerasreg.ledger._runs import Measured

#: Folder of the figures, beside the page.
FIGURES = "lessons"
MARKS = {"supported": "✓", "partly": "◐", "contradicted": "✗", "undecided": "?"}
NOT_MEASURED = "not measured"
_HEAD = """\
# Lessons: what the notes claim, measured

Lecture notes on regularisation make claims. Here each is a sentence that an experiment can support
or contradict, measured on {data}. The decision rule stands in each script, and was written before
the numbers. This page is written by `make lessons`, which runs whatever has changed.

**How to read a verdict.** Every arm is trained with the same seeds: equal initial weights, rows,
batch order and masks. An effect is the mean difference over these pairs with its 95 % interval,
p is an exact sign-flip test after Holm's adjustment over the comparisons of the lesson, and what
is smaller than the smallest effect of interest (1.5 points of accuracy on digits, 1 point on MNIST)
does not count. *Supported*: the rule is met. *Contradicted*: the opposite is, or the arms are
equivalent where the notes claim a difference. *Partly*: some parts of the claim hold. *Undecided*:
these data cannot tell, which is a result too.
"""


def write_page(measured: Sequence[Measured], labels: Sequence[str], page: Path) -> None:
    """Write the page and its figures; figures that only the former page showed are removed."""
    before = set()
    if page.is_file():
        before = set(re.findall(rf"\]\({FIGURES}/([\w.-]+\.png)\)", page.read_text("utf-8")))
    for one in measured:
        if one.figure:
            atomic_write(page.parent / FIGURES / one.figure_name, one.figure.read_bytes())
    for name in before - {one.figure_name for one in measured}:
        (page.parent / FIGURES / name).unlink(missing_ok=True)
    atomic_write(page, page_text(measured, labels, page.parent).encode())


def page_text(measured: Sequence[Measured], labels: Sequence[str], folder: Path) -> str:
    """The whole page: how to read it, the table, and a section a lesson.

    Args:
        measured: Results; of several lessons that decide one claim, each has its say.
        labels: The data sets, in the order of the columns.
        folder: Where the page will lie, for its links.
    """
    lessons = list(dict.fromkeys(one.lesson for one in measured))
    parts = [_HEAD.format(data=" and ".join(labels)), *_tally(measured, labels)]
    parts += _overview(measured, labels)
    for lesson in lessons:
        parts += _section([m for m in measured if m.lesson == lesson], folder)
    versions = sorted({_versions(one.results) for one in measured})
    parts.append("---\n\nMeasured with " + "; ".join(versions) + "." if versions else "")
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _tally(measured: Sequence[Measured], labels: Sequence[str]) -> list[str]:
    rows = []
    for label in labels:
        verdicts = [
            record["verdict"]
            for one in measured
            if one.data.label == label
            for record in one.results["claims"].values()
        ]
        rows.append([label, *(str(verdicts.count(verdict)) for verdict in MARKS)])
    return ["## Summary", _table(["", *(f"{m} {v}" for v, m in MARKS.items())], rows)]


def _overview(measured: Sequence[Measured], labels: Sequence[str]) -> list[str]:
    """A table a family: every claim with its verdict on every data set."""
    parts = []
    for family in dict.fromkeys(claim.family for claim in CLAIMS):
        rows = []
        for claim in (claim for claim in CLAIMS if claim.family == family):
            deciding = [one for one in measured if claim.id in one.results["claims"]]
            names = list(dict.fromkeys(one.lesson.name for one in deciding))
            rows += [
                [
                    claim.id,
                    claim.statement,
                    *(_verdict_on(claim, label, name, deciding) for label in labels),
                    f"[{name}](#{name})" if name else "",
                ]
                for name in names or [""]
            ]
        parts.append(f"**{family[0].upper()}{family[1:]}**")
        parts.append(_table(["", "the notes claim", *labels, "lesson"], rows))
    return parts


def _verdict_on(claim: Claim, label: str, name: str, deciding: Iterable[Measured]) -> str:
    for one in deciding:
        if (one.data.label, one.lesson.name) == (label, name):
            return _mark(one.results["claims"][claim.id]["verdict"])
    return NOT_MEASURED


def _section(measured: Sequence[Measured], folder: Path) -> list[str]:
    """One lesson: its question, figures, and claims."""
    lesson, first = measured[0].lesson, measured[0].results
    script = Path(os.path.relpath(lesson.path, folder)).as_posix()
    parts = [
        f"## {lesson.name}",
        f"**{_plain(first['question'])}** Script: [{lesson.path.name}]({script}).",
        f"*Prediction:* {_plain(first['prediction'])}",
        f"*Rule:* {_plain(first['rule'])}",
    ]
    for one in measured:
        if one.figure:
            alt = f"{lesson.name} on {one.data.label}: {first['question']}"
            parts.append(f"![{alt}]({FIGURES}/{one.figure_name})")
    for name in dict.fromkeys(name for one in measured for name in one.results["claims"]):
        parts += _claim(
            find_claim(name), [one for one in measured if name in one.results["claims"]]
        )
    notes = [
        f"- {one.data.label}: {_plain(note)}"
        for one in measured
        for note in one.results.get("notes", ())
    ]
    return parts + (["Notes:\n\n" + "\n".join(notes)] if notes else [])


def _claim(claim: Claim, measured: Sequence[Measured]) -> list[str]:
    """One claim: verdicts and effects, what to take home, what the notes got wrong."""
    records = {one.data.label: one.results["claims"][claim.id] for one in measured}
    seeds = {one.data.label: len(one.results["seeds"]) for one in measured}
    rows = [["**verdict**", *(f"**{_mark(r['verdict'])}**" for r in records.values())]]
    parts = {label: _parts(record["decision"]) for label, record in records.items()}
    for sentence in dict.fromkeys(part for sentences in parts.values() for part in sentences):
        rows.append([sentence, *(sentences.get(sentence, "") for sentences in parts.values())])
    rows.append(["seeds", *(str(count) for count in seeds.values())])
    text = [f"### {claim.id}. {_plain(claim.statement)}", _table(["", *records], rows)]
    if len({record["verdict"] for record in records.values()}) > 1:
        text.append("**The verdict depends on the data.**")
    lines = {label: _plain(record["take_home"]) for label, record in records.items()}
    if len(set(lines.values())) == 1:
        text.append(f"**Take home.** {next(iter(lines.values()))}")
    else:
        text.append("**Take home.** " + " ".join(f"*{k}:* {line}" for k, line in lines.items()))
    errata = [
        f"> - {erratum.id} ({SOURCES[erratum.source]}): {_plain(erratum.says)} "
        f"**Correct:** {_plain(erratum.correct)}"
        for erratum in errata_of(claim)
    ]
    if errata:
        text.append("\n".join(["> Errata of the notes beside this claim:", ">", *errata]))
    if claim.literature:
        text.append(f"*Literature:* {_plain(claim.literature)}")
    return text


def _parts(decision: dict[str, Any]) -> dict[str, str]:
    """Sub-claim -> verdict and numbers, of those at the ends of a decision."""
    if not decision["parts"]:
        return {decision["claim"]: f"{decision['verdict']}: {decision['reason']}"}
    return {name: words for part in decision["parts"] for name, words in _parts(part).items()}


def _versions(results: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in results["versions"].items())


def _mark(verdict: str) -> str:
    return f"{MARKS[verdict]} {verdict}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Text whose stars and angle brackets are no markup."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p[:1] == "`" else re.sub(r"([*<])", r"\\\1", p) for p in pieces)
