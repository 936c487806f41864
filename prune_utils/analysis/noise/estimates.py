"""Estimates with their uncertainty, and verdicts on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from scipy import stats

LEVEL = 0.95  # of the intervals shown, two-sided
POWER = 0.8  # with which a plan says that a claim is decided
MOST_SEEDS = 50  # the most that a report suggests to decide a claim; more are hardly ever run
ROUNDING = 1e-12  # share of the values up to which residuals are no more than rounding errors
EQUAL = 1e-9  # tolerance for rounding: a value at a limit is within it
RISK = 0.05  # level of the one-sided tests behind verdicts; two of them form an equivalence test


class Verdict(StrEnum):
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error and the degrees of freedom of the error; no error if the spread is unknown.

    `lasting`: the part of the error that further seeds do not reduce, that of the dev examples.
    """

    value: float
    error: float | None = None
    freedom: float = inf
    lasting: float = 0.0

    @classmethod
    def over_seeds(cls, values: Sequence[float]) -> "Estimate":
        """The mean over seeds; without an error for a single seed."""
        values = np.asarray(values, dtype=float)
        if len(values) < 2:
            return cls(float(values.mean()))
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1)

    def scaled(self, factor: float) -> "Estimate":
        """The estimate in other units; what rounding adds is removed, so that a value is shown with the same digits everywhere."""
        error, size = self.error, abs(factor)
        return Estimate(
            round(factor * self.value, 9), None if error is None else size * error, self.freedom, size * self.lasting
        )

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
        if high <= limit + EQUAL:
            return Verdict.SUPPORTED
        return Verdict.NOT_SUPPORTED if low > limit + EQUAL else Verdict.UNDECIDED

    def at_least(self, limit: float, risk: float = RISK) -> Verdict:
        """Test whether the quantity is at least `limit`."""
        return self.scaled(-1).at_most(-limit, risk)

    def p_value(self) -> float:
        """Of the two-sided test that the quantity is 0; NaN without an error."""
        if self.error is None:
            return np.nan
        if self.error == 0:
            return float(abs(self.value) <= EQUAL)
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))

    def within(self, limit: float, risk: float = RISK) -> Verdict:
        """Test whether the quantity lies between -limit and limit: an equivalence test, two one-sided tests."""
        sides = self.at_most(limit, risk), self.at_least(-limit, risk)
        return all_of(*sides)

    def reach(self) -> float:
        """How far from a limit the true value must lie for a test at RISK to show it with POWER."""
        return float(sum(stats.t.ppf((1 - RISK, POWER), self.freedom)) * self.error)

    def seeds_to_decide(self, limit: float, seeds: int) -> int | None:
        """The number of seeds that would decide a test against `limit` with POWER, if the true value is the one measured.

        `seeds`: the number behind this estimate, of which the error falls with the root and the freedom grows in
        proportion. None if it is more than MOST_SEEDS, or if nothing is known.
        """
        if self.error is None or seeds < 2:
            return None
        for more in range(seeds, MOST_SEEDS + 1):
            variance = (self.error**2 - self.lasting**2) * seeds / more + self.lasting**2
            freedom = self.freedom * (more - 1) / (seeds - 1)
            if Estimate(self.value, variance**0.5, freedom).reach() <= abs(self.value - limit):
                return more
        return None


def combined(weights: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """A weighted sum of independent estimates (Satterthwaite's degrees of freedom); no error if one of them has none."""
    value = float(sum(w * one.value for w, one in zip(weights, estimates, strict=True)))
    if any(one.error is None for one in estimates):
        return Estimate(value)
    variances = np.array([(w * one.error) ** 2 for w, one in zip(weights, estimates, strict=True)])
    total, spread = variances.sum(), (variances**2 / [one.freedom for one in estimates]).sum()
    lasting = sum((w * one.lasting) ** 2 for w, one in zip(weights, estimates, strict=True))
    return Estimate(value, float(total**0.5), float(total**2 / spread) if spread else inf, float(lasting**0.5))


def all_of(*verdicts: Verdict) -> Verdict:
    """The verdict on a claim of several parts: the worst of their verdicts."""
    for worst in (Verdict.NOT_SUPPORTED, Verdict.UNDECIDED):
        if worst in verdicts:
            return worst
    return Verdict.SUPPORTED


def one_of_several(verdict: Verdict, corrected: Verdict) -> Verdict:
    """The verdict on one of several parts of a claim: support at the full risk, since all parts need it, and refutation at
    the `corrected` one, so that a single part is rarely refuted by chance."""
    return Verdict.UNDECIDED if verdict is Verdict.NOT_SUPPORTED is not corrected else verdict
