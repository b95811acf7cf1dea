"""The ledger's data: what the lecture notes claim, and where they are mistaken.

A claim is one sentence that can be right or wrong; how it is decided stands in the script that
measures it, never here. Sentences are in our own words.
"""

import difflib

from kerasreg.claims._augmentation import CLAIMS as _AUGMENTATION
from kerasreg.claims._batch_normalization import CLAIMS as _BATCH_NORMALIZATION
from kerasreg.claims._dropout import CLAIMS as _DROPOUT
from kerasreg.claims._errata import ERRATA
from kerasreg.claims._optimization import CLAIMS as _OPTIMIZATION
from kerasreg.claims._overfitting import CLAIMS as _OVERFITTING
from kerasreg.claims._search import CLAIMS as _SEARCH
from kerasreg.claims._types import SOURCES, Claim, Erratum
from kerasreg.errors import UserError

CLAIMS: tuple[Claim, ...] = (
    *_DROPOUT,
    *_BATCH_NORMALIZATION,
    *_OVERFITTING,
    *_OPTIMIZATION,
    *_SEARCH,
    *_AUGMENTATION,
)


def find_claim(name: str) -> Claim:
    """Return the claim of that id; case and leading zeros do not matter ("c1" is C01).

    Raises:
        UserError: There is none; names the nearest.
    """
    wanted = name.strip().upper()
    if wanted[1:].isdecimal():
        wanted = f"{wanted[0]}{int(wanted[1:]):02d}"
    by_id = {claim.id: claim for claim in CLAIMS}
    if wanted not in by_id:
        nearest = difflib.get_close_matches(wanted, by_id, cutoff=0.0)
        raise UserError(
            f"Expected the id of a claim. Received: {name!r}; near: {', '.join(nearest)}."
        )
    return by_id[wanted]


def errata_of(claim: Claim) -> tuple[Erratum, ...]:
    """Return the errata that touch a claim, in the order of the notes."""
    return tuple(erratum for erratum in ERRATA if claim.id in erratum.claims)
