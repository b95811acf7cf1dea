"""Whether batch normalisation does in inference what it did in training."""

from collections.abc import Mapping, Sequence

from kerasreg.diagnosis.effect import Effect
from kerasreg.diagnosis.finding import Finding
from kerasreg.diagnosis.inside import Normalization

#: Dropout at rate r in front makes the variance in training up to 1/(1-r) of that in inference (Li
#: et al. 2018, arXiv:1801.05134, section 3.1): a quarter more is a rate of 0.2 without layers
#: between, and where they see the accuracy fall.
SHIFT = 1.25
#: Errors that inference makes beyond training's own statistics.
MORE_ERRORS = 0.02
#: What is left of the initial statistics after training, where that may be the cause.
LEFT = 0.05


def check_shift(
    normalizations: Sequence[Normalization], after_dropout: Mapping[str, str]
) -> Finding | None:
    """Dropout before a batch normalisation, whose variance it shifts."""
    shifted = [
        one
        for one in normalizations
        if one.layer in after_dropout and one.variance_ratio * SHIFT < 1
    ]
    if not shifted:
        return None
    said = ", ".join(
        f"{one.layer} after {after_dropout[one.layer]} {1 / one.variance_ratio:.2f}"
        for one in shifted
    )
    return Finding(
        "dropout before batch normalisation",
        "worth a look",
        "Dropout raises the variance that batch normalisation learns in training; in inference it "
        f"is missing. Variance in training by that in inference: {said}.",
        "put dropout after the last batch normalisation",
        lesson="batch_norm_inference",
    )


def check_statistics(
    normalizations: Sequence[Normalization], more_errors: Effect | None, steps: int
) -> Finding | None:
    """Errors that only come from the moving statistics of inference."""
    if more_errors is None or more_errors.low < MORE_ERRORS:
        return None
    momentum = max(one.momentum for one in normalizations)
    left = momentum**steps
    why = (
        f" Momentum {momentum:g} leaves {left:.0%} of the initial statistics after {steps:,} steps."
        if left > LEFT
        else ""
    )
    return Finding(
        "batch normalisation differs in inference",
        "serious",
        "With the moving statistics of inference the network makes more errors on its training "
        f"rows than with those of batches: by {more_errors}.{why}",
        "use BatchNormalization(momentum=0.9), larger batches, or train longer",
        lesson="batch_norm_inference",
    )
