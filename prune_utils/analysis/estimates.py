"""Estimates with their uncertainty, and verdicts on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

LEVEL = 0.95  # of the intervals shown, two-sided
RISK = 0.05  # level of the one-sided tests behind verdicts; two of them form an equivalence test
COUNT = 4000  # number of draws


class Verdict(StrEnum):
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Estimate:
    """A value and draws of its distribution, shape (COUNT,); no draws if the spread cannot be estimated."""

    value: float
    draws: np.ndarray

    @classmethod
    def over_seeds(cls, values: Sequence[float]) -> "Estimate":
        """The mean over seeds with a Student t distribution; without draws for a single seed."""
        values = np.asarray(values, dtype=float)
        if len(values) < 2:
            return cls(float(values.mean()), np.empty(0))
        return cls.student(float(values.mean()), values.std(ddof=1) / np.sqrt(len(values)), len(values) - 1)

    @classmethod
    def student(cls, value: float, error: float, freedom: float) -> "Estimate":
        """A value with a Student t distribution; the draws are its quantiles."""
        return cls(value, value + error * stats.t.ppf((np.arange(COUNT) + 0.5) / COUNT, freedom))

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """The central interval of the draws; None without draws."""
        if not len(self.draws):
            return None
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def at_most(self, limit: float) -> Verdict:
        """Test whether the quantity is at most `limit`; undecided if `limit` lies between the two one-sided bounds."""
        if not len(self.draws):
            return Verdict.UNDECIDED
        low, high = np.quantile(self.draws, [RISK, 1 - RISK])
        return Verdict.SUPPORTED if high <= limit else Verdict.NOT_SUPPORTED if low > limit else Verdict.UNDECIDED

    def at_least(self, limit: float) -> Verdict:
        """Test whether the quantity is at least `limit`."""
        return Estimate(-self.value, -self.draws).at_most(-limit)


def all_of(*verdicts: Verdict) -> Verdict:
    """The verdict on a claim of several parts: the worst of their verdicts."""
    for worst in (Verdict.NOT_SUPPORTED, Verdict.UNDECIDED):
        if worst in verdicts:
            return worst
    return Verdict.SUPPORTED
