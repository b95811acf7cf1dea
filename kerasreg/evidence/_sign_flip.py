"""The exact permutation test for paired results."""

import numpy as np
from numpy.typing import ArrayLike

EXACT_PAIRS = 20
RESAMPLES = 99_999


def sign_flip_p(differences: ArrayLike, *, seed: int = 0) -> float:
    """Return the two-sided sign-flip permutation p-value of "the differences centre on 0".

    If the arms are exchangeable within a pair, each difference is as likely as its negative. The
    p-value is the share of all 2**n sign assignments whose mean is at least as far from 0 as the
    observed one; up to 20 pairs all are enumerated, above that 99,999 are drawn and the observed
    assignment is counted in. Source: Fisher (1935), The Design of Experiments, section 21.
    """
    differences = np.asarray(differences, dtype=np.float64)
    observed = abs(differences.sum())
    # Sums that are equal on paper differ in their last bits: count them as equal.
    threshold = observed - 1e-12 * np.abs(differences).sum()
    if len(differences) <= EXACT_PAIRS:
        # The first sign is fixed: flipping all signs leaves the absolute sum as it is.
        sums = differences[:1]
        for value in differences[1:]:
            sums = np.concatenate((sums + value, sums - value))
        return float(np.mean(np.abs(sums) >= threshold))
    generator = np.random.default_rng(seed)
    count, chunk = 0, 10_000
    for start in range(0, RESAMPLES, chunk):
        rows = min(chunk, RESAMPLES - start)
        signs = 2.0 * generator.integers(0, 2, size=(rows, len(differences))) - 1.0
        count += int(np.sum(np.abs(signs @ differences) >= threshold))
    return (count + 1) / (RESAMPLES + 1)
