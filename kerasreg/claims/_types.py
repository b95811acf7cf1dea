"""What a claim and an erratum are."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["S0", "S1", "S2", "S3", "S4"]
Family = Literal[
    "dropout",
    "batch normalization",
    "overfitting and weight decay",
    "optimizers and initialization",
    "hyperparameter search",
    "data augmentation",
]

SOURCES: dict[Source, str] = {
    "S0": "Lecture 09-3: Dropout and batch normalization (PyTorch)",
    "S1": "Lecture 9: Normalization, dropout and data augmentation",
    "S2": "Understanding dropout (lecture transcript)",
    "S3": "Chapter 6: Techniques for learning (summary)",
    "S4": "Normalization, overfitting and hyperparameters (slides)",
}


@dataclass(frozen=True)
class Claim:
    """One sentence of the notes that a measurement can support or contradict.

    Attributes:
        id: "C" and two digits.
        family: The topic that it stands under.
        statement: What is claimed.
        sources: The notes that claim it, keys of `SOURCES`.
        literature: What published work says, empty where nothing solid is known.
    """

    id: str
    family: Family
    statement: str
    sources: tuple[Source, ...]
    literature: str = ""


@dataclass(frozen=True)
class Erratum:
    """A mistake or a contradiction in the notes, with what is right.

    Attributes:
        id: "E" and its number.
        source: The note it stands in, a key of `SOURCES`.
        says: What the note says.
        correct: The correct statement.
        claims: Ids of the claims it touches.
        repeats: Id of the erratum that says the same, which touches these claims too.
    """

    id: str
    source: Source
    says: str
    correct: str
    claims: tuple[str, ...]
    repeats: str = ""
