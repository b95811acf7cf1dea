"""The Gaussian process behind Bayesian search: fitted, told of pending trials, asked what next."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern

# The score is a smooth function of the setting, whose length scales are fitted, plus a texture of
# fixed short length, whose variance is fitted. The texture is what noise is to a study: the luck of
# one setting with its seeds, which repeats when the setting is repeated. A model of noise that does
# not repeat would try the best place again and again; with the texture it tries its surroundings.
_TEXTURE_LENGTH = 0.1
# Prior means and spreads of the logarithms of variance, length scales and texture variance: scores
# are standardised and features lie in [0, 1], so these hold for every study. Without a prior, ten
# length scales fitted to a dozen trials say whatever the luck says.
_VARIANCE, _LENGTH, _TEXTURE = 1.0, 0.5, 1e-2
_VARIANCE_SPREAD, _LENGTH_SPREAD, _TEXTURE_SPREAD = 1.0, 1.0, 2.0
# Variance on the diagonal, for conditioning.
_JITTER = 1e-4

# Deviations below the mean at which settings compete.
_OPTIMISM = 2.6


@dataclass(frozen=True)
class Surrogate:
    """Belief about the score of every setting; lower scores are better.

    Attributes:
        process: scikit-learn's process with its fitted kernel.

    Shape:
        x: (settings, features) in [0, 1]; y: (settings,), standardised.
    """

    process: GaussianProcessRegressor

    @classmethod
    def fit(cls, x: np.ndarray, y: np.ndarray) -> "Surrogate":
        """Fit the kernel by maximum a posteriori, always from the same start."""
        kernel = ConstantKernel(_VARIANCE, (0.05, 20.0)) * Matern(
            np.full(x.shape[1], _LENGTH), (0.05, 20.0), nu=2.5
        ) + ConstantKernel(_TEXTURE, (1e-6, 1.0)) * Matern(_TEXTURE_LENGTH, "fixed", nu=2.5)
        middle = kernel.theta
        spread = np.full(len(middle), _LENGTH_SPREAD)
        spread[0], spread[-1] = _VARIANCE_SPREAD, _TEXTURE_SPREAD
        process = GaussianProcessRegressor(kernel, optimizer=None, alpha=_JITTER).fit(x, y)

        def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = process.log_marginal_likelihood(
                theta, eval_gradient=True, clone_kernel=False
            )
            z = (theta - middle) / spread
            return z @ z / 2 - value, z / spread - gradient

        found = minimize(
            loss, middle, jac=True, bounds=kernel.bounds, method="L-BFGS-B", options={"maxiter": 40}
        )
        return cls._given(kernel.clone_with_theta(found.x), x, y)

    @classmethod
    def _given(cls, kernel: Kernel, x: np.ndarray, y: np.ndarray) -> "Surrogate":
        return cls(GaussianProcessRegressor(kernel, alpha=_JITTER, optimizer=None).fit(x, y))

    def believing(self, pending: np.ndarray) -> "Surrogate":
        """Take the believed score of pending settings for known.

        The mean stays as it is and the uncertainty at them goes, so that the next proposal lies
        elsewhere ("kriging believer", Ginsbourger et al. 2010,
        https://doi.org/10.1007/978-3-642-10701-6_6; with a confidence bound, GP-BUCB, Desautels et
        al. 2014, https://jmlr.org/papers/v15/desautels14a.html).

        Args:
            pending: Features of trials without a result.
        """
        known = self.process
        x = np.concatenate([known.X_train_, pending])
        y = np.concatenate([known.y_train_, known.predict(pending)])
        return self._given(known.kernel_, x, y)

    def lower_bound(self, x: np.ndarray) -> np.ndarray:
        """What each setting might score with luck: 2.6 deviations below its mean.

        Source: Srinivas et al. 2010, arXiv:0912.3995; 2.6 as in keras-tuner.
        """
        mean, deviation = self.process.predict(x, return_std=True)
        return mean - _OPTIMISM * deviation


def standardise(scores: np.ndarray) -> np.ndarray:
    """Scores (lower is better) with mean 0 and deviation 1, the worse half flattened.

    Losses have a floor and no ceiling: one of 1e6 would leave all others equal, and a plateau of
    failures would pass for the shape of the function. How bad a bad setting is says nothing about
    where the best one lies, so what is worse than the median counts as the median.
    """
    middle = np.median(scores)
    if scores.min() < middle:
        scores = np.minimum(scores, middle)
    deviation = scores.std()
    return (scores - scores.mean()) / (deviation if deviation > 0 else 1.0)
