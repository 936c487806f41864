"""Estimates with their uncertainty, and verdicts on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from scipy import stats

LEVEL = 0.95  # of the intervals shown, two-sided
RISK = 0.05  # level of the one-sided tests behind verdicts; two of them form an equivalence test


class Verdict(StrEnum):
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error and the degrees of freedom of the error; no error if the spread is unknown."""

    value: float
    error: float | None = None
    freedom: float = inf

    @classmethod
    def over_seeds(cls, values: Sequence[float]) -> "Estimate":
        """The mean over seeds; without an error for a single seed."""
        values = np.asarray(values, dtype=float)
        if len(values) < 2:
            return cls(float(values.mean()))
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1)

    def scaled(self, factor: float) -> "Estimate":
        return Estimate(factor * self.value, None if self.error is None else abs(factor) * self.error, self.freedom)

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """The central Student t interval; None without an error."""
        if self.error is None:
            return None
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def at_most(self, limit: float, risk: float = RISK) -> Verdict:
        """Test whether the quantity is at most `limit`; undecided if `limit` lies between the two one-sided bounds."""
        if self.error is None:
            return Verdict.UNDECIDED
        low, high = self.interval(1 - 2 * risk)
        return Verdict.SUPPORTED if high <= limit else Verdict.NOT_SUPPORTED if low > limit else Verdict.UNDECIDED

    def at_least(self, limit: float, risk: float = RISK) -> Verdict:
        """Test whether the quantity is at least `limit`."""
        return self.scaled(-1).at_most(-limit, risk)

    def within(self, limit: float, risk: float = RISK) -> Verdict:
        """Test whether the quantity lies between -limit and limit: an equivalence test, two one-sided tests."""
        sides = self.at_most(limit, risk), self.at_least(-limit, risk)
        return all_of(*sides)


def all_of(*verdicts: Verdict) -> Verdict:
    """The verdict on a claim of several parts: the worst of their verdicts."""
    for worst in (Verdict.NOT_SUPPORTED, Verdict.UNDECIDED):
        if worst in verdicts:
            return worst
    return Verdict.SUPPORTED
