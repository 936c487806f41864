"""Whether accuracy is linear in pre-training loss (paper Fig. 2 left, "a bit of BERT")."""

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.analysis.estimates import LEVEL, Estimate

LEAST = 4  # points: a line takes two, and bending must have something left to be seen against


def line_fits(cells: pd.DataFrame) -> pd.DataFrame:
    """A straight line through each task's information-deletion accuracies (points) over pre-training loss (nats).

    The dense model is its 0 % point. Columns task, points, slope (points a nat), error (its standard error) and interval low, high,
    r_squared, and bend_p: the probability of so good a quadratic term if the truth is a straight line (F test).
    Tasks with fewer than LEAST distinct losses have no row.
    """
    chosen = cells[cells.selected & cells.arm.isin(["dense", "information_deletion"])]
    rows = []
    for task, group in chosen.dropna(subset=["dev_accuracy", "pretrain_loss"]).groupby("task"):
        means = group.groupby(["seed", "target_sparsity"])[["pretrain_loss", "dev_accuracy"]].mean()
        if means.pretrain_loss.nunique() >= LEAST:
            rows.append({"task": task, **_fit(means.pretrain_loss.to_numpy(), 100 * means.dev_accuracy.to_numpy())})
    return pd.DataFrame(rows, columns=["task", "points", "slope", "error", "low", "high", "r_squared", "bend_p"])


def _fit(loss: np.ndarray, accuracy: np.ndarray) -> dict:
    line = stats.linregress(loss, accuracy)
    half = stats.t.ppf((1 + LEVEL) / 2, len(loss) - 2) * line.stderr
    return {
        "points": len(loss),
        "slope": line.slope,
        "error": line.stderr,
        "low": line.slope - half,
        "high": line.slope + half,
        "r_squared": line.rvalue**2,
        "bend_p": _bend_p(loss, accuracy),
    }


def _bend_p(loss: np.ndarray, accuracy: np.ndarray) -> float:
    straight, bent = (_squares(loss, accuracy, degree) for degree in (1, 2))
    freedom = len(loss) - 3
    scale = max(bent, 1e-12 * max(1.0, np.square(accuracy - accuracy.mean()).sum()))  # exact fits leave only rounding
    return float(stats.f.sf(max(straight - bent, 0.0) / (scale / freedom), 1, freedom))


def _squares(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    fit = np.polynomial.Polynomial.fit(x, y, degree)
    return float(np.square(y - fit(x)).sum())


def mean_slope(fits: pd.DataFrame) -> Estimate:
    """The mean of the tasks' slopes, its spread from their errors, taken as independent."""
    error = float(np.sqrt(np.square(fits.error).sum()) / len(fits))
    return Estimate.student(float(fits.slope.mean()), error, fits.points.sum() - 2 * len(fits))


def bent(fits: pd.DataFrame, risk: float) -> list[str]:
    """The tasks whose line is bent, after Holm's correction for asking so many."""
    ordered = fits.sort_values("bend_p").reset_index(drop=True)
    rejected = ordered.bend_p <= risk / (len(ordered) - ordered.index)
    return sorted(ordered.task[rejected.cummin()])
