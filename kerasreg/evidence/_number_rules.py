"""Rules about numbers that no seeds stand behind: identities, counts and shares."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from kerasreg.errors import UserError
from kerasreg.evidence._decisions import Decision, Sign, Verdict
from kerasreg.evidence._text import small

Relation = Literal["at_least", "at_most"]


@dataclass(frozen=True)
class ExactRule:
    """Decides a claim of equality (an identity, a closed form) by tolerances, not statistics.

    Supported if every |measured - expected| <= `tolerance` + `relative` * |expected|, otherwise
    contradicted.

    Attributes:
        tolerance: Largest absolute deviation allowed, >= 0.
        relative: Largest deviation allowed as a fraction of the expected value, >= 0.
    """

    claim: str
    tolerance: float
    relative: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tolerance", "relative"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"Expected {name} of at least 0. Received: {name}={value!r}.")

    def decide(self, measured: ArrayLike, expected: ArrayLike) -> Decision:
        """Return the verdict on one number or an array of them."""
        measured, expected = _finite("measured", measured), _finite("expected", expected)
        deviation = np.abs(measured - expected)
        holds = np.all(deviation <= self.tolerance + self.relative * np.abs(expected))
        allowed = f"{self.tolerance:g}"
        if self.relative:
            allowed += f" + {self.relative:g} of the value"
        return Decision(
            claim=self.claim,
            verdict="supported" if holds else "contradicted",
            reason=f"largest deviation {deviation.max():.2g}, allowed {allowed}",
            sign=1 if holds else -1,
        )


@dataclass(frozen=True)
class ThresholdRule:
    """Decides a claim about one number: a count, a share, a largest z-score.

    Attributes:
        relation: "at_least" or "at_most".
        bound: Supported if the value keeps this bound.
        contradicted_at: Value at which, or beyond which, the claim is contradicted; in between it
            is undecided. None: wherever the bound is not kept.
    """

    claim: str
    relation: Relation
    bound: float
    contradicted_at: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.relation not in get_args(Relation):
            raise UserError(
                f"Expected relation to be one of {get_args(Relation)}. "
                f"Received: relation={self.relation!r}."
            )
        if self.contradicted_at is not None and self._sign * self.contradicted_at >= (
            self._sign * self.bound
        ):
            raise UserError(
                "Expected contradicted_at on the far side of bound. Received: "
                f"bound={self.bound!r}, contradicted_at={self.contradicted_at!r}."
            )

    @property
    def _sign(self) -> float:
        return 1.0 if self.relation == "at_least" else -1.0

    def decide(self, value: float) -> Decision:
        """Return the verdict on one finite number."""
        value = float(_finite("value", value))
        verdict: Verdict = "undecided"
        if self._sign * value >= self._sign * self.bound:
            verdict = "supported"
        elif self.contradicted_at is None or (
            self._sign * value <= self._sign * self.contradicted_at
        ):
            verdict = "contradicted"
        words = self.relation.replace("_", " ")
        unit = f" {self.unit}" if self.unit else ""
        reason = f"{small(value)}{unit}, asked for {words} {self.bound:g}"
        sign: Sign = {"supported": 1, "contradicted": -1}.get(verdict, 0)
        return Decision(self.claim, verdict, reason, sign)


def _finite(name: str, values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise UserError(f"Expected finite numbers in {name}. Received NaN or infinity.")
    return values
