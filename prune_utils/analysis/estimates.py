"""A measured quantity with what it could have been, and verdicts on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

LEVEL = 0.95  # of the intervals shown, both sides
RISK = 0.05  # of each one-sided test behind a verdict: two of them at once are the usual test of equivalence
COUNT = 4000  # draws


class Verdict(StrEnum):
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Estimate:
    """`value`, and `draws` of what it could have been, shape (COUNT,); empty where nothing tells its spread."""

    value: float
    draws: np.ndarray

    @classmethod
    def over_seeds(cls, values: Sequence[float]) -> "Estimate":
        """The mean of one value a seed, spread as Student's t has it; from a single seed without any spread."""
        values = np.asarray(values, dtype=float)
        if len(values) < 2:
            return cls(float(values.mean()), np.empty(0))
        return cls.student(float(values.mean()), values.std(ddof=1) / np.sqrt(len(values)), len(values) - 1)

    @classmethod
    def student(cls, value: float, error: float, freedom: float) -> "Estimate":
        """A value with a standard error, spread as Student's t: its draws are the quantiles themselves."""
        return cls(value, value + error * stats.t.ppf((np.arange(COUNT) + 0.5) / COUNT, freedom))

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """The central interval of the draws; None where there are none."""
        if not len(self.draws):
            return None
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def at_most(self, limit: float) -> Verdict:
        """Whether it is at most `limit`: decided where the one-sided bound lies on one side, else undecided."""
        if not len(self.draws):
            return Verdict.UNDECIDED
        low, high = np.quantile(self.draws, [RISK, 1 - RISK])
        return Verdict.SUPPORTED if high <= limit else Verdict.NOT_SUPPORTED if low > limit else Verdict.UNDECIDED

    def at_least(self, limit: float) -> Verdict:
        return Estimate(-self.value, -self.draws).at_most(-limit)


def all_of(*verdicts: Verdict) -> Verdict:
    """The verdict on several parts of one claim: one that fails sinks it, one undecided leaves it so."""
    for worst in (Verdict.NOT_SUPPORTED, Verdict.UNDECIDED):
        if worst in verdicts:
            return worst
    return Verdict.SUPPORTED
