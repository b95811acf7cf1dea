"""Claims about the search for hyperparameters."""

from functools import partial

from kerasreg.claims._types import Claim

_claim = partial(Claim, family="hyperparameter search")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="C56",
        statement="Narrowing the range step by step finds better settings than one random search "
        "of equal budget.",
        sources=("S3",),
    ),
    _claim(
        id="C57",
        statement="Random search finds better settings than a grid of equal budget.",
        sources=("S4",),
        literature="Bergstra and Bengio (2012): where few of the hyperparameters matter.",
    ),
    _claim(
        id="C58",
        statement="Bayesian optimization spends its trials in the promising region.",
        sources=("S4",),
        literature="Snoek et al. (2012); Turner et al. (2021).",
    ),
)
