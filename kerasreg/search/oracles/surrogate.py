"""The Gaussian process behind Bayesian search: fitted, told of pending trials, asked what next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

# Prior of the kernel's logarithms (variance, length scales, noise variance): scores are
# standardised and features lie in [0, 1], so these hold for every study. Without a prior, ten
# length scales fitted to a dozen trials say whatever the noise says.
_VARIANCE, _LENGTH, _NOISE = 1.0, 0.5, 1e-2
_VARIANCE_SPREAD, _LENGTH_SPREAD, _NOISE_SPREAD = 1.0, 1.0, 2.0
_JITTER = 1e-8
_NOISELESS = 1e-6


@dataclass(frozen=True)
class Surrogate:
    """Belief about the score of every setting; lower scores are better.

    Attributes:
        process: scikit-learn's process, its kernel fixed.
        kernel: The kernel of the noise-free score.
        noise: Variance of the noise.
        incumbent: Lowest believed score among the trials that have one.

    Shape:
        x: (settings, features) in [0, 1]; y: (settings,).
    """

    process: GaussianProcessRegressor
    kernel: Kernel
    noise: float
    incumbent: float

    @classmethod
    def fit(cls, x: np.ndarray, y: np.ndarray) -> Surrogate:
        """Fit kernel and noise by maximum a posteriori, always from the same start."""
        kernel = ConstantKernel(_VARIANCE, (0.05, 20.0)) * Matern(
            np.full(x.shape[1], _LENGTH), (0.05, 20.0), nu=2.5
        ) + WhiteKernel(_NOISE, (1e-6, 1.0))
        middle = kernel.theta
        spread = np.full(len(middle), _LENGTH_SPREAD)
        spread[0], spread[-1] = _VARIANCE_SPREAD, _NOISE_SPREAD
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
        fitted = kernel.clone_with_theta(found.x)
        return cls._given(fitted.k1, fitted.k2.noise_level, x, y)

    @classmethod
    def _given(cls, kernel: Kernel, noise: float, x: np.ndarray, y: np.ndarray) -> Surrogate:
        process = GaussianProcessRegressor(kernel, alpha=noise + _JITTER, optimizer=None).fit(x, y)
        return cls(process, kernel, noise, float(process.predict(x).min()))

    def believing(self, pending: np.ndarray) -> Surrogate:
        """Take the believed score of pending settings for known.

        The mean stays as it is and the uncertainty at them goes, so that the next proposal lies
        elsewhere ("kriging believer", Ginsbourger et al. 2010,
        https://doi.org/10.1007/978-3-642-10701-6_6). Known without noise: the same setting gives
        the same result again, and with the noise a batch would gather in one place.

        Args:
            pending: Features of trials without a result.
        """
        known = self.process
        x = np.concatenate([known.X_train_, pending])
        y = np.concatenate([known.y_train_, known.predict(pending)])
        noise = np.full(len(x), self.noise + _JITTER)
        noise[-len(pending) :] = _NOISELESS
        process = GaussianProcessRegressor(self.kernel, alpha=noise, optimizer=None).fit(x, y)
        return Surrogate(process, self.kernel, self.noise, self.incumbent)

    def log_expected_improvement(self, x: np.ndarray) -> np.ndarray:
        """Log of the expected improvement of the noise-free score on the incumbent.

        Source: Jones et al. 1998, https://doi.org/10.1023/A:1008306431147; the logarithm keeps
        far settings comparable where the improvement itself underflows (Ament et al. 2023,
        arXiv:2310.20708).
        """
        mean, deviation = self.process.predict(x, return_std=True)
        deviation = np.maximum(deviation, 1e-9)
        return _log_improvement((self.incumbent - mean) / deviation) + np.log(deviation)


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


def _log_improvement(z: np.ndarray) -> np.ndarray:
    """log(pdf(z) + z cdf(z)), by its expansion where both terms cancel."""
    near = np.maximum(z, -25.0)
    far = np.minimum(z, -25.0)
    return np.where(
        z > -25.0,
        np.log(norm.pdf(near) + near * norm.cdf(near)),
        norm.logpdf(far) - 2 * np.log(-far),
    )
