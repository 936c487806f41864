"""Means by condition with the covariance of their noise, and contrasts of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import pandas as pd

from prune_utils.analysis.noise.estimates import LEVEL, Estimate

Condition = tuple[str, float]  # arm or method, and sparsity
DENSE = ("dense", 0.0)
REPEATED = ("seeds", "neighbouring sparsities")  # what shows how much a training varies


@dataclass(frozen=True)
class Part:
    """One component of the noise: a covariance matrix of the means, shape (conditions, conditions), and its freedom.

    `freedom`: degrees of freedom of the estimate of the matrix. NaN stands for a spread that is unknown. `lasting`: whether
    further seeds leave it as it is. Parts of one `family` were estimated from the same residuals, which have `most`
    degrees of freedom in all.
    """

    covariance: np.ndarray
    freedom: float
    lasting: bool = False
    family: str | None = None
    most: float = inf

    def of(self, conditions: np.ndarray) -> "Part":
        return replace(self, covariance=self.covariance[np.ix_(conditions, conditions)])


@dataclass(frozen=True)
class Means:
    """Means by condition, and the components of their noise, which are independent of each other.

    `covers`: the sources of the noise: one of REPEATED, and "dev examples" or those "of classification tasks" only. A shift
    that all conditions of a seed share is not part of it: it cancels in contrasts, whose weights sum to 0.
    `own_zero`: arms that are compared with their own 0 % row, as in a table of single runs, and not with the dense model.
    """

    point: pd.Series
    parts: tuple[Part, ...] = ()
    covers: tuple[str, ...] = ()
    own_zero: frozenset[str] = frozenset()

    @property
    def repeated(self) -> bool:
        """Whether it is known how much a training varies; dev examples alone are no ground for a verdict."""
        return not set(REPEATED).isdisjoint(self.covers)

    def has(self, *conditions: Condition) -> bool:
        return all(condition in self.point.index for condition in conditions)

    def only(self, arms: Collection[str]) -> "Means":
        """The means of some arms."""
        kept = self.point.index.isin(arms, level=0).nonzero()[0]
        return replace(self, point=self.point.iloc[kept], parts=tuple(part.of(kept) for part in self.parts))

    def ends(self) -> pd.DataFrame:
        """The interval of each mean: columns low and high, one row per condition; NaN without noise."""
        ends = [self._estimate(np.eye(len(self.point))[at]).interval(LEVEL) for at in range(len(self.point))]
        ends = [end or (np.nan, np.nan) for end in ends] if self.covers else np.nan
        return pd.DataFrame(ends, index=self.point.index, columns=["low", "high"], dtype=float)

    def contrast(self, weights: Mapping[Condition, float]) -> Estimate:
        """A weighted sum of means, whose weights sum to 0; without an error unless they are `repeated`."""
        row = pd.Series(0.0, self.point.index)
        own = {arm for arm, _ in weights if arm != "dense"} <= self.own_zero
        for (arm, sparsity), weight in weights.items():
            row[arm, sparsity] += weight
            if own:  # (arm - its 0 %) for every arm; the dense model is nothing but a 0 % row
                row[(arm, 0.0)] -= weight
        found = self._estimate(row.to_numpy())
        return found if self.repeated else Estimate(found.value)

    def difference(self, one: Condition, other: Condition) -> Estimate:
        """The difference of two conditions."""
        return self.contrast({one: 1.0, other: -1.0})

    def mean_difference(self, one: str, other: str, sparsities: list[float]) -> Estimate:
        """The difference of two arms, averaged over sparsities."""
        share = 1 / len(sparsities)
        return self.contrast({(one, s): share for s in sparsities} | {(other, s): -share for s in sparsities})

    def _estimate(self, row: np.ndarray) -> Estimate:
        """Satterthwaite: the variance is a sum over parts, and its freedom is that of a chi-square of equal moments."""
        used = row.nonzero()[0]
        weights, value = row[used], float(row @ self.point.to_numpy())
        variances = np.array([weights @ part.of(used).covariance @ weights for part in self.parts])
        # what is left for dev examples may be estimated below 0, which must not make the spread over seeds smaller
        variances = np.where([part.lasting for part in self.parts], np.maximum(variances, 0), variances)
        total = variances.sum()
        if not self.parts or np.isnan(total):
            return Estimate(value)
        if total <= 0:
            return Estimate(value, 0.0)
        lasting = sum(v for v, part in zip(variances, self.parts, strict=True) if part.lasting)
        return Estimate(value, float(total**0.5), float(total**2 / self._squares(variances)), float(lasting**0.5))

    def _squares(self, variances: np.ndarray) -> float:
        """The sum of variance² / freedom over parts; a family counts as no more than its residuals allow."""
        families = {}
        for place, (variance, part) in enumerate(zip(variances, self.parts, strict=True)):
            families.setdefault(place if part.family is None else part.family, []).append((variance, part))
        squares = 0.0
        for own in families.values():
            each, total = sum(v**2 / part.freedom for v, part in own), sum(v for v, _ in own)
            squares += max(each, total**2 / own[0][1].most)
        return float(squares)
