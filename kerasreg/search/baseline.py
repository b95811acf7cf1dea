"""The baseline: the winner's shape without any regulariser, at the best of 8 learning rates."""

from typing import Any

import numpy as np

from kerasreg.networks import Config, NetworkConfig
from kerasreg.search.beside import train_beside
from kerasreg.search.context import SearchContext
from kerasreg.search.request import Request
from kerasreg.search.space import Choice, Range

LEARNING_RATES = 8

Record = dict[str, Any]


def baseline_shape(request: Request, best: Record | None) -> Config:
    """The stack of the baseline; its learning rate is chosen by `train_baseline`.

    Widths, optimiser and the like are the best trial's, so that regularisation gets no credit for
    what another shape brought; without a best trial they are the base's.
    """
    config = request.config(best["hyperparameters"]) if best else request.base
    return config.unregularized().replace(learning_rate=request.base.learning_rate)


def baseline_rates(request: Request) -> list[float]:
    """Learning rates that the baseline may choose from, as wide as the search's.

    Eight, evenly spaced in the logarithm, over the space's range; the choices of a space that
    lists them; the one rate of a search that does not vary it. A network of the user's also has
    its own, which somebody chose.
    """
    varied = request.space.get("learning_rate")
    if isinstance(varied, Range):
        rates = [float(rate) for rate in np.geomspace(varied.low, varied.high, LEARNING_RATES)]
        own = [request.base.learning_rate] if isinstance(request.base, NetworkConfig) else []
        return own + rates
    if isinstance(varied, Choice):
        return [float(rate) for rate in varied.values]
    return [request.base.learning_rate]


def train_baseline(context: SearchContext, shape: Config) -> list[Record]:
    """Train the unregularised stack at each learning rate, halved as the trials are.

    Returns:
        One trial record a rate.
    """
    request = context.request
    rates = [{"learning_rate": rate} for rate in baseline_rates(request)]
    return train_beside(context, "baseline", shape, rates, bool(request.halving))
