"""Noise of the means of a table: from the spreads that it states, or from neighbouring sparsities of single runs."""

import numpy as np
import pandas as pd

from prune_utils.analysis.noise.estimates import ROUNDING
from prune_utils.analysis.noise.means import Part

FLAT = 0.5  # up to this sparsity a curve is close to a line between neighbouring points


def stated(rows: pd.DataFrame, conditions: pd.MultiIndex) -> list[Part]:
    """Parts from the columns `std` and `n` of the rows of each condition; NaN where a row lacks them.

    Rows are means over runs of one task each, independent of each other: each has the error std / √n, with n - 1
    degrees of freedom.
    """
    squares = (rows["std"] ** 2 / rows.n).where(rows.n > 1)
    place, found = conditions.get_indexer(pd.MultiIndex.from_frame(rows[["arm", "target_sparsity"]])), []
    for at in range(len(conditions)):
        own, n = squares[place == at].to_numpy(), rows.n[place == at].to_numpy()
        variance = own.sum() / len(own) ** 2
        covariance = np.zeros((len(conditions),) * 2)
        covariance[at, at] = variance
        spread = ((own / len(own) ** 2) ** 2 / np.maximum(n - 1, 1)).sum()
        found.append(Part(covariance, variance**2 / spread if spread > 0 else np.inf))
    return found


def within_arms(point: pd.Series, families: dict[str, str]) -> list[Part]:
    """Parts of single runs, from how far each point up to FLAT lies from the line through its neighbours in its arm.

    `families`: family of each arm; a family has one variance, and needs three points of one arm. A bend between
    neighbours counts as noise, and noise that grows above FLAT is not seen. Arms without an estimate have NaN.
    """
    found, arms = [], point.index.get_level_values(0)
    for family in dict.fromkeys(families.values()):
        own = [arm for arm in dict.fromkeys(arms) if families.get(arm) == family]
        rows = [row for arm in own for row in _residuals(point, arm)]
        covariance = np.diag(arms.isin(own).astype(float))
        if not rows:
            found.append(Part(np.where(covariance, np.nan, 0.0), 1.0))
            continue
        design = np.array(rows)
        residuals = design @ point.to_numpy()
        if np.abs(residuals).max() <= ROUNDING * np.abs(point).max():  # points on a line tell no spread
            found.append(Part(np.where(covariance, np.nan, 0.0), 1.0))
            continue
        form = design.T @ design  # a quadratic form of independent points has these moments
        freedom = np.trace(form) ** 2 / (form**2).sum()
        variance = (residuals**2).sum() / np.trace(form)
        found.append(Part(covariance * variance, float(freedom)))
    return found


def _residuals(point: pd.Series, arm: str) -> list[np.ndarray]:
    """Weights of three neighbouring points that sum to 0 for points on a line, scaled to unit length."""
    at = [place for place, (name, s) in enumerate(point.index) if name == arm and s <= FLAT]
    at.sort(key=lambda place: point.index[place][1])
    rows = []
    for left, middle, right in zip(at, at[1:], at[2:], strict=False):
        a, b, c = (point.index[place][1] for place in (left, middle, right))
        row = np.zeros(len(point))
        row[[left, middle, right]] = -(c - b) / (c - a), 1.0, -(b - a) / (c - a)
        rows.append(row / np.linalg.norm(row))
    return rows
