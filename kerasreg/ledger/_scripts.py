"""Which scripts are lessons, and which of them were asked for."""

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasreg.claims import CLAIMS, find_claim
from kerasreg.errors import UserError
from kerasreg.lesson import parse_docstring


@dataclass(frozen=True)
class LessonScript:
    """A script that is a lesson.

    Attributes:
        question: Its docstring's first paragraph.
        claims: Ids of the claims that it decides, in the order of the notes.
        digest: SHA-256 (hex) of its text.
        reads_data: Whether it reads a data set; an identity counts once, not once for each set.
    """

    path: Path
    question: str
    claims: tuple[str, ...]
    digest: str
    reads_data: bool = True

    @property
    def name(self) -> str:
        """The lesson's name."""
        return self.path.stem


def find_lessons(scripts: Path) -> list[LessonScript]:
    """Every lesson of a folder, in the order of the claims that they decide.

    Raises:
        UserError: There are none.
    """
    lessons = []
    for path in sorted(scripts.glob("*.py")):
        text = path.read_text("utf-8")
        if path.name == "lessons.py" or "from kerasreg.lesson import" not in text:
            continue
        known = {claim.id for claim in CLAIMS}
        claims = tuple(sorted(set(re.findall(r'"(C\d\d)"', text)) & known))
        question = parse_docstring(text.split('"""')[1])["question"]
        digest = digest_of(path)
        lessons.append(LessonScript(path, question, claims, digest, "lesson.data(" in text))
    if not lessons:
        raise UserError(f"Expected lessons in {scripts}, found none.")
    return sorted(lessons, key=lambda lesson: (lesson.claims or ("D",), lesson.name))


def choose(names: Sequence[str], every: Sequence[LessonScript]) -> list[LessonScript]:
    """The lessons of these names, or that decide these claims; all if there are no names.

    Raises:
        UserError: A name that is neither a lesson's nor a claim's, with the nearest; or a claim
            that no lesson decides.
    """
    by_name = {lesson.name: lesson for lesson in every}
    chosen = set()
    for name in names:
        stem = Path(name).stem
        if re.fullmatch(r"[cC]\d+", stem):
            claim = find_claim(stem).id
            deciding = [lesson.name for lesson in every if claim in lesson.claims]
            if not deciding:
                raise UserError(f"No lesson decides {claim} yet.")
            chosen.update(deciding)
        elif stem in by_name:
            chosen.add(stem)
        else:
            nearest = difflib.get_close_matches(stem, by_name, cutoff=0.0)
            raise UserError(
                f"Expected names of lessons or ids of claims such as C01, got {name!r}; "
                f"near: {', '.join(nearest)}."
            )
    return [lesson for lesson in every if not names or lesson.name in chosen]


def digest_of(path: Path) -> str:
    """SHA-256 (hex) of a script's text."""
    return hashlib.sha256(path.read_text("utf-8").encode()).hexdigest()
