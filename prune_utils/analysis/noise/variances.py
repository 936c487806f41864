"""How the variance between seeds grows with sparsity."""

import numpy as np
from scipy import optimize

ENOUGH = 8.0  # degrees of freedom from which the variance may grow with sparsity; with fewer it is one for all
PRIOR = 4.0  # degrees of freedom of the trend when the variance at one sparsity is estimated
LEAST = 1e-3  # least share that a sparsity's residuals have in the mean variance when the trend is fitted


def by_family(families, sparsities, squares, freedom, least) -> tuple[np.ndarray, dict[tuple[str, float], float]]:
    """Variance of one seed by condition, and its degrees of freedom by family of arms and sparsity.

    Within a family the logarithm of the variance follows a line in sparsity, fitted by restricted maximum likelihood,
    and the variance at each sparsity is the mean of the line, with PRIOR degrees of freedom, and its own residuals. NaN in a
    family that repeats nothing, or whose `squares` are no more than `least`: repeats that are copies tell no spread.
    """
    variance, known = np.zeros(len(squares)), {}
    for name in dict.fromkeys(families):
        family = families == name
        levels = np.unique(sparsities[family])
        at = [family & (sparsities == s) for s in levels]
        sums, free = np.array([squares[a].sum() for a in at]), np.array([freedom[a].sum() for a in at])
        if not free.any() or squares[family].max() <= least:
            variance[family] = np.nan
            known |= {(name, s): 1.0 for s in levels}
            continue
        trend, worth = line(levels, sums, free)
        prior = np.minimum(PRIOR, worth)
        for place, (a, s) in enumerate(zip(at, levels, strict=True)):
            ours, own = prior[place], free[place]
            variance[a] = (ours * trend[place] + sums[place]) / (ours + own)
            # the line holds these residuals too, which are not counted twice: that of a chi-square of equal moments
            moments = (ours + own) ** 2 / (ours**2 / worth[place] + 2 * ours * own / worth[place] + own)
            known[name, s] = min(ours + own, moments)
    return variance, known


def line(levels: np.ndarray, sums: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-linear variances by level, and the degrees of freedom that they are worth: a gamma regression.

    `sums`: of squares by level; `free`: their degrees of freedom. The likelihood is highest where squares in units of the
    line have no trend. No variance is larger than all squares together.
    """
    total = sums.sum()
    if not total:
        return np.zeros(len(levels)), free.sum() * np.ones(len(levels))
    # without squares at both ends, the likelihood would rise for ever with the slope
    sums = np.maximum(sums, LEAST * total * free / free.sum())
    at = (levels - np.average(levels, weights=free)) / (np.ptp(levels) or 1)
    slope, leverage = 0.0, 1 / free.sum()
    if (free > 0).sum() > 2 and free.sum() >= ENOUGH:
        reach, trend = 1.0, lambda slope: sums @ (at * np.exp(-slope * at))  # of squares in units of the line
        while trend(-reach) < 0 or trend(reach) > 0:
            reach *= 2
        slope = optimize.brentq(trend, -reach, reach)
        leverage = leverage + at**2 / (free @ at**2)
    variances = np.exp(slope * at) * (sums @ np.exp(-slope * at)) / free.sum()
    return np.minimum(variances, total), np.full(len(levels), 1 / leverage)
