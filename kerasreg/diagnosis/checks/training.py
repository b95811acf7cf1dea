"""Whether the network can be trained: its learning rate, gradients, units and penalty."""

import math
from collections.abc import Mapping

import numpy as np

from kerasreg.diagnosis.copies import Copies
from kerasreg.diagnosis.finding import SEARCH, Finding
from kerasreg.diagnosis.inside import Units

#: A learning rate is in range if it brings three quarters of what the best one brings, in as many
#: steps: rates three times off bring nearly all of it.
PROGRESS = 0.75
#: A best rate that learns less than this of what there is to learn says nothing about rates.
LEARNED = 0.2
#: Norms above 100 are far above the 1 to 10 at which gradients are usually clipped ...
EXPLODING = 100.0
#: ... and a gradient larger than the weights replaces them within a few steps.
EXPLODING_RATIO = 1.0
#: The first layer's gradient against the largest: with 1 in 1,000 it stands still while others
#: learn (Glorot and Bengio 2010, section 4.2, on gradients that shrink layer by layer).
VANISHING = 1e-3
#: With half of its units dead, a layer does what one of half the width would do. Up to a quarter is
#: usual where inputs are all positive, as pixels are.
DEAD = 0.5
#: Half of all outputs at a bound leave little slope for the layers below (Glorot and Bengio 2010,
#: section 3, on units that saturate and stop learning).
SATURATED = 0.5


def check_rate(copies: Copies, guess_error: float, unit: str) -> Finding | None:
    """A learning rate at which the network learns much less than it could."""
    errors = np.where(np.isfinite(copies.rate_errors), copies.rate_errors, guess_error)
    if not len(errors):
        return None
    own = int(np.argmin(np.abs(np.log(copies.rates / copies.own_rate))))
    # Of the own rate there is a copy in every fold.
    errors[own] = guess_error if copies.broken else np.nanmean(copies.seen[-1])
    gains = guess_error - errors
    best = int(np.argmax(gains))
    if gains[best] < LEARNED * guess_error or gains[own] >= PROGRESS * gains[best]:
        return None
    small = copies.rates[best] > copies.own_rate
    broke = " (its loss is not finite)" if copies.broken else ""
    good = copies.rates[gains >= 0.9 * gains[best]]
    return Finding(
        f"learning rate too {'small' if small else 'large'}",
        "serious",
        f"After {copies.epochs} epochs at its learning rate {copies.own_rate:.3g} the network has "
        f"{errors[own]:.1%} {unit} in training{broke}, at {copies.rates[best]:.3g} "
        f"it has {errors[best]:.1%}; always guessing the same has {guess_error:.1%}.",
        f"compile with a learning rate of {_between(good)}, or let it be searched",
        SEARCH,
        lesson="learning_rates",
    )


def _between(rates: np.ndarray) -> str:
    low, high = f"{rates.min():.2g}", f"{rates.max():.2g}"
    return f"about {low}" if low == high else f"{low} to {high}"


def check_gradients(gradients: Mapping[str, tuple[float, float]]) -> Finding | None:
    """Gradients that explode or vanish on their way to the first layer, before the first step."""
    if not gradients:
        return None
    norms = {name: norm for name, (norm, _) in gradients.items()}
    broken = [name for name, norm in norms.items() if not math.isfinite(norm)]
    largest = max(norms, key=lambda name: math.inf if name in broken else norms[name])
    norm, weights = gradients[largest]
    if broken or (norm > EXPLODING and norm > EXPLODING_RATIO * weights):
        return Finding(
            "exploding gradients",
            "serious",
            f"Before the first step the gradient of {largest} has norm {norm:.3g}, its weights "
            f"have {weights:.3g}: a step of plain descent at a learning rate of 0.01 changes them "
            f"by {norm / max(weights, 1e-12):.2g} %.",
            "use smaller initial weights (kernel_initializer='he_normal' with ReLU, else "
            "'glorot_uniform'), batch normalisation, or clipnorm=1.0 in the optimiser",
            lesson="batch_norm_gradients",
        )
    first = next(iter(norms))
    if len(norms) > 2 and norms[first] < VANISHING * norm:
        return Finding(
            "vanishing gradients",
            "serious",
            f"Before the first step the gradient of {first} has norm {norms[first]:.2g}, that of "
            f"{largest} {norm:.2g}: the first layers stand still.",
            "use ReLU with kernel_initializer='he_normal', batch normalisation, or fewer layers",
            lesson="batch_norm_gradients",
        )
    return None


def _layers(shares: Mapping[str, float], least: float) -> str | None:
    """The layers with at least this share, with it; None without any."""
    found = [f"{name} {share:.0%}" for name, share in shares.items() if share >= least]
    return ", ".join(found) or None


def check_dead(units: Units) -> Finding | None:
    """Units that give 0 for every row."""
    said = _layers(units.dead, DEAD)
    return said and Finding(
        "dead units",
        "serious",
        f"Units that are 0 for every row looked at, and so have no gradient: {said}.",
        "lower the learning rate, use kernel_initializer='he_normal' and biases of 0, or "
        "activation='leaky_relu'",
        lesson="weight_init_activation_histogram",
    )


def check_saturated(units: Units) -> Finding | None:
    """Outputs near the bounds of their activation."""
    said = _layers(units.saturated, SATURATED)
    return said and Finding(
        "saturated units",
        "serious",
        f"Outputs within 5 % of a bound of their activation, where it has no slope: {said}.",
        "use kernel_initializer='glorot_uniform', scaled inputs, or batch normalisation before the "
        "activation",
        lesson="weight_init_activation_histogram",
    )


def check_penalty(copies: Copies, underfits: bool) -> Finding | None:
    """A penalty larger than the data loss, of a network that fits too little."""
    if not underfits or not copies.penalty > copies.data_loss:
        return None
    return Finding(
        "penalty drowns the data",
        "serious",
        f"At the end of training the penalty on the weights is {copies.penalty:.3g}, the data loss "
        f"{copies.data_loss:.3g}, and the network fits its training rows too little: it learns to "
        "have small weights.",
        "divide the strengths of kernel_regularizer by 10, or let them be searched",
        SEARCH,
        lesson="overfit_weight_decay",
    )
