"""Trends over tasks: a regression in which tasks differ by more than the noise of their measurements."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from prune_utils.analysis.noise.estimates import EQUAL, Estimate

LEAST = 3  # least number of tasks: a line takes two, and one is left to disagree
NEGLIGIBLE = 1e-6  # errors below this share of the spread of the values, or below EQUAL, count as this much


def trend(x: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """The slope of the estimates of several tasks over `x`, shape (tasks,): a random-effects meta-regression.

    Tasks lie around the line by chance, beyond the noise of their estimates; how much is estimated so that the weighted
    residuals have their expected sum of squares (Paule & Mandel 1982). The degrees of freedom are the number of tasks
    minus 2: more seeds add none. No error if an estimate has none, or with fewer than LEAST tasks.
    """
    x, y = np.asarray(x, dtype=float), np.array([one.value for one in estimates])
    known = len(x) >= LEAST and all(one.error is not None for one in estimates)
    noise = np.square([one.error for one in estimates]) if known else np.ones(len(x))
    noise = np.maximum(noise, max(NEGLIGIBLE * np.ptp(y), EQUAL) ** 2)

    def fit(between: float) -> tuple[float, float, float]:
        """Slope, its variance, and the excess of the weighted residuals over their expectation."""
        weights = 1 / (noise + between)
        centred = x - np.average(x, weights=weights)
        information = (weights * centred**2).sum()
        slope = (weights * centred * y).sum() / information
        rest = y - np.average(y, weights=weights) - slope * centred
        return slope, 1 / information, (weights * rest**2).sum() - (len(x) - 2)

    if not known:
        return Estimate(float(fit(0.0)[0]))
    most = 10 * np.ptp(y) ** 2 + noise.max()
    between = brentq(lambda value: fit(value)[2], 0.0, most) if fit(0.0)[2] > 0 else 0.0
    slope, variance, _ = fit(between)
    return Estimate(float(slope), float(variance**0.5), len(x) - 2)
