"""Test whether accuracy is linear in pre-training loss (paper Fig. 2 left, "a bit of BERT")."""

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.analysis.estimates import LEVEL, Estimate

LEAST = 4  # least number of points: a line takes two, a bend one more, and one is left for the residual


def line_fits(cells: pd.DataFrame) -> pd.DataFrame:
    """Fit a line per task to information-deletion accuracy (points) against pre-training loss (nats).

    The dense model is the 0 % point. Columns task, points, slope (points per nat), error (standard error), low and
    high (interval), r_squared, and bend_p, the p-value of a quadratic term (F test). Tasks with fewer than LEAST
    distinct losses have no row.
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
    scale = max(
        bent, 1e-12 * max(1.0, np.square(accuracy - accuracy.mean()).sum())
    )  # the residual of an exact fit is rounding error
    return float(stats.f.sf(max(straight - bent, 0.0) / (scale / freedom), 1, freedom))


def _squares(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    fit = np.polynomial.Polynomial.fit(x, y, degree)
    return float(np.square(y - fit(x)).sum())


def mean_slope(fits: pd.DataFrame) -> Estimate:
    """The mean slope over tasks; the errors of the tasks are treated as independent."""
    error = float(np.sqrt(np.square(fits.error).sum()) / len(fits))
    return Estimate.student(float(fits.slope.mean()), error, fits.points.sum() - 2 * len(fits))


def bent(fits: pd.DataFrame, risk: float) -> list[str]:
    """Tasks with a significant quadratic term, with Holm's correction for several tasks."""
    ordered = fits.sort_values("bend_p").reset_index(drop=True)
    rejected = ordered.bend_p <= risk / (len(ordered) - ordered.index)
    return sorted(ordered.task[rejected.cummin()])
