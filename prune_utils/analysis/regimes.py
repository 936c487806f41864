"""Borders of the low, medium and high regimes of pruning, by fixed sequences of tests."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from prune_utils.analysis.noise.estimates import EQUAL, LEVEL, Estimate, Verdict
from prune_utils.analysis.noise.means import DENSE, Means
from prune_utils.analysis.noise.measured import loss_means
from prune_utils.analysis.results import from_dense, mean_over_tasks
from prune_utils.study.schema import Analysis
from prune_utils.study.words import POINTS

SIDE = (1 - LEVEL) / 2  # risk of each of the two sequences of tests, so that the interval has LEVEL


@dataclass(frozen=True)
class Boundary:
    """A border among the measured sparsities, and between which of them it is shown to lie.

    `estimate`: the last sparsity of the low regime, or the first of the high one; `interval`: the sparsities that it may
    be. None stands for no sparsity: an interval that ends in None reaches past the last measured one. `gap`: the two
    neighbouring sparsities between which the estimate lies. `below`, `above`: the sparsity up to which the change is
    shown to be within the margin, and the one from which it is shown to be beyond it; None if nothing is shown.
    """

    estimate: float | None
    interval: tuple[float | None, float | None] | None = None
    gap: tuple[float | None, float | None] = (None, None)
    below: float | None = None
    above: float | None = None

    @property
    def measured(self) -> bool:
        """Whether there was anything to find it in."""
        return self.gap != (None, None)

    def as_dict(self) -> dict:
        fields = {
            "estimate": self.estimate,
            "interval": self.interval and list(self.interval),
            "between": list(self.gap),
        }
        return fields | {"shown_within_up_to": self.below, "shown_beyond_from": self.above}


@dataclass(frozen=True)
class Regimes:
    """`low`: the last sparsity without loss; `high`: the first at which information deletion wins.

    `covers`: the sources of noise in the intervals.
    """

    low: Boundary
    high: Boundary
    covers: tuple[str, ...] = ()

    @property
    def low_until(self) -> float | None:
        return self.low.estimate

    @property
    def high_from(self) -> float | None:
        return self.high.estimate

    def of(self, sparsity: float) -> str:
        """The regime of a sparsity; "unknown" where it is not low, or not high, as far as a border was not measured."""
        if self.low_until is not None and sparsity <= self.low_until:
            return "low"
        if self.high_from is not None and sparsity >= self.high_from:
            return "high"
        return "medium" if self.low_until is not None and self.high.measured else "unknown"

    def as_dict(self) -> dict:
        return {"low_until": self.low.as_dict(), "high_from": self.high.as_dict(), "interval_covers": list(self.covers)}


def curves(cells: pd.DataFrame, pretraining: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, one row per sparsity; columns (quantity, arm or method).

    Quantities are dev_accuracy and train_loss (means over tasks) per arm, and pretrain_loss per method.
    """
    parts = {}
    for value in ("dev_accuracy", "train_loss"):
        means = from_dense(mean_over_tasks(cells, value))
        parts[value] = means.pivot_table(index="target_sparsity", columns="arm", values=value)
    losses = loss_means(pretraining).point.rename_axis(["method", "target_sparsity"])
    parts["pretrain_loss"] = losses.unstack("method")
    return pd.concat(parts, axis=1)


def find(accuracy: Means, loss: Means | None, margins: Analysis) -> Regimes:
    """Find the regimes in mean accuracies and pre-training losses.

    Low: the sparsities from 0 up at which mean dev accuracy is at most `accuracy_margin` points below the unpruned
    model's and pre-training loss, if known, at most `loss_margin` nats above. High: from the smallest sparsity at and
    above which `information_deletion` beats `pretrain` by more than `accuracy_margin` points.

    Intervals come from tests in fixed sequence, each at level SIDE, which together err no more often than one: from 0 up
    it is shown that the change is within the margin, and from the last sparsity down that it is beyond it, until a test
    fails. The border lies between. The estimate takes the changes as rising with sparsity (isotonic regression), since
    otherwise one of several changes just within the margin could end the regime by chance.
    """
    falls, gains = changes(accuracy, loss, margins)
    low = border_of(falls)
    high = _border(gains, lambda count: [*gains, None][count], from_top=True)
    return Regimes(low if accuracy.has(DENSE) else Boundary(None), high, accuracy.covers)


Change = list[tuple[Estimate, float]]  # changes at a sparsity, each with the limit that it must not exceed


def changes(accuracy: Means, loss: Means | None, margins: Analysis) -> tuple[dict[float, Change], dict[float, Change]]:
    """What the borders rest on, by sparsity: falls of accuracy and rises of loss; gains by information deletion.

    Accuracies are fractions. A loss without an error, or a missing one, excludes nothing.
    """
    limit = margins.accuracy_margin / POINTS
    falls = {
        s: [(accuracy.difference(DENSE, ("pretrain", s)), limit)]
        for s in _measured(accuracy, "pretrain")
        if accuracy.has(DENSE)
    }
    for s, change in falls.items():
        ends = ("gradual", s), ("gradual", 0.0)
        if loss and loss.has(*ends):
            change.append((loss.difference(*ends), margins.loss_margin))
    freed = [s for s in _measured(accuracy, "information_deletion") if accuracy.has(("pretrain", s))]
    gains = {s: [(accuracy.difference(("information_deletion", s), ("pretrain", s)), limit)] for s in freed}
    return falls, gains


def border_of(falls: dict[float, Change]) -> Boundary:
    """The border of the low regime: the last sparsity, from 0 up, at which the changes are within their limits."""
    return _border(falls, lambda count: [0.0, *falls][count])


def _measured(accuracy: Means, arm: str) -> list[float]:
    return sorted(s for name, s in accuracy.point.index if name == arm and s > 0)


def _border(found: dict[float, Change], name: Callable[[int], float | None], from_top: bool = False) -> Boundary:
    """The border between changes within their limits and beyond them; `name`: the border after so many within."""
    every, sparsities = list(found.values()), list(found)
    if not every:
        return Boundary(None)
    known = all(change[0][0].error is not None for change in every)
    count = _within(every, known, from_top)
    if not known:
        return Boundary(name(count), gap=_gap(sparsities, count))
    below = _leading([within(change) is Verdict.SUPPORTED for change in every])
    above = len(every) - _leading([within(change) is Verdict.NOT_SUPPORTED for change in reversed(every)])
    count = min(max(count, below), above)
    return Boundary(
        name(count),
        (name(below), name(above)),
        _gap(sparsities, count),
        sparsities[below - 1] if below else None,
        sparsities[above] if above < len(every) else None,
    )


def within(change: Change) -> Verdict:
    """Whether all changes are shown to be within their limits, or one beyond; those without an error are left out."""
    tested = [(estimate, limit) for estimate, limit in change if estimate.error is not None]
    if any(one.at_most(limit, SIDE / len(tested)) is Verdict.NOT_SUPPORTED for one, limit in tested):
        return Verdict.NOT_SUPPORTED
    shown = all(one.at_most(limit, SIDE) is Verdict.SUPPORTED for one, limit in tested)
    return Verdict.SUPPORTED if shown and tested else Verdict.UNDECIDED


def _within(every: list[Change], known: bool, from_top: bool) -> int:
    """The number of sparsities from the first that are within their limits by the estimates.

    Counted up to the first that is beyond, or, `from_top`, down to the last that is not.
    """
    values = np.array([[one.value for one, _ in change] + [-np.inf] * (2 - len(change)) for change in every])
    limits = np.array([[limit for _, limit in change] + [np.inf] * (2 - len(change)) for change in every])
    shown = [within(change) if known else Verdict.UNDECIDED for change in every]
    for column in values.T if known else ():
        there = np.isfinite(column)
        column[there] = isotonic_regression(column[there]).x if there.any() else []
    fine = (values <= limits + EQUAL).all(axis=1)
    if from_top:
        beyond = [not one and verdict is not Verdict.SUPPORTED for one, verdict in zip(fine, shown, strict=True)]
        return len(every) - _leading(beyond[::-1])
    return _leading([one and verdict is not Verdict.NOT_SUPPORTED for one, verdict in zip(fine, shown, strict=True)])


def _leading(flags: list[bool]) -> int:
    """The number of leading True values."""
    return int(np.logical_and.accumulate(flags).sum())


def _gap(sparsities: list[float], count: int) -> tuple[float | None, float | None]:
    every = [0.0, *sparsities, None]
    return every[count], every[count + 1]
