"""Borders of the low, medium and high regimes of pruning, with intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prune_utils.analysis.estimates import LEVEL
from prune_utils.analysis.results import from_dense, mean_over_tasks
from prune_utils.analysis.uncertainty import Draws
from prune_utils.study.schema import Analysis
from prune_utils.study.words import POINTS

EQUAL = 1e-9  # tolerance for rounding: a drop of exactly the margin is within it


@dataclass(frozen=True)
class Boundary:
    """A border among the measured sparsities: estimate, interval, and the share of draws for each sparsity.

    None stands for no sparsity; an interval that ends in None reaches past the last measured one.
    """

    estimate: float | None
    interval: tuple[float | None, float | None] | None = None
    probability: dict[float | None, float] | None = None

    def as_dict(self) -> dict:
        shares = {"none" if s is None else f"{s:g}": p for s, p in (self.probability or {}).items()}
        return {"estimate": self.estimate, "interval": self.interval and list(self.interval), "probability": shares}


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
        """The regime of a sparsity; "unknown" below the high one if the border of the low one is."""
        if self.low_until is not None and sparsity <= self.low_until:
            return "low"
        if self.high_from is not None and sparsity >= self.high_from:
            return "high"
        return "unknown" if self.low_until is None else "medium"

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
    runs = pretraining[pretraining.method != "dense"]
    parts["pretrain_loss"] = runs.pivot_table(index="target_sparsity", columns="method", values="pretrain_loss")
    return pd.concat(parts, axis=1)


def find(accuracy: Draws, loss: Draws | None, margins: Analysis) -> Regimes:
    """Find the regimes in mean accuracies and pre-training losses.

    Low: the sparsities from 0 up at which mean dev accuracy is at most `accuracy_margin` points below the un-pruned
    model's and pre-training loss, if known, at most `loss_margin` nats above. High: from the smallest sparsity at and
    above which `information_deletion` beats `pretrain` by more than `accuracy_margin` points. Intervals come from
    the borders found in each draw.
    """
    return Regimes(_low(accuracy, loss, margins), _high(accuracy, margins), accuracy.covers)


def _low(accuracy: Draws, loss: Draws | None, margins: Analysis) -> Boundary:
    sparsities = _measured(accuracy, "pretrain")
    if not sparsities or not accuracy.has(("dense", 0.0)):
        return Boundary(None)

    def fits(accuracies: pd.DataFrame, losses: pd.DataFrame | None) -> np.ndarray:
        fall = accuracies["dense", 0.0].to_numpy()[:, None] - accuracies["pretrain"][sparsities].to_numpy()
        fine = margins.accuracy_margin / POINTS + EQUAL >= fall
        if losses is not None:
            start, pruned = losses["gradual", 0.0].to_numpy()[:, None], losses["gradual"].reindex(columns=sparsities)
            fine &= ~(pruned.to_numpy() - start > margins.loss_margin + EQUAL)  # a missing loss excludes nothing
        return fine

    loss = loss if loss and loss.has(("gradual", 0.0)) else None
    counts = [
        _leading(fits(*frames))
        for frames in ((_one(accuracy), loss and _one(loss)), (accuracy.drawn, loss and loss.drawn))
    ]
    known = accuracy.known(("dense", 0.0), *(("pretrain", s) for s in sparsities))
    unrepeated = not accuracy.covers and loss and loss.covers  # accuracies without noise, losses with some
    return _boundary([0.0, *sparsities], *counts, bool(known or unrepeated))


def _high(accuracy: Draws, margins: Analysis) -> Boundary:
    freed = _measured(accuracy, "information_deletion")
    sparsities = [s for s in freed if accuracy.has(("pretrain", s))]
    if not sparsities:
        return Boundary(None)

    def first(accuracies: pd.DataFrame) -> np.ndarray:
        gain = accuracies["information_deletion"][sparsities] - accuracies["pretrain"][sparsities]
        wins = gain.to_numpy() > margins.accuracy_margin / POINTS + EQUAL
        return len(sparsities) - _leading(wins[:, ::-1])

    known = accuracy.known(*((arm, s) for s in sparsities for arm in ("pretrain", "information_deletion")))
    return _boundary([*sparsities, None], first(_one(accuracy)), first(accuracy.drawn), known)


def _measured(accuracy: Draws, arm: str) -> list[float]:
    return sorted(s for name, s in accuracy.point.index if name == arm and s > 0)


def _one(draws: Draws) -> pd.DataFrame:
    """The point estimates as a frame with one row, like a single draw."""
    return draws.point.to_frame().T


def _leading(flags: np.ndarray) -> np.ndarray:
    """Per row of a bool array, the number of leading True values."""
    return np.logical_and.accumulate(flags, axis=1).sum(axis=1)


def _boundary(names: list[float | None], estimate: np.ndarray, drawn: np.ndarray, known: bool) -> Boundary:
    """The border from indices into `names`."""
    if not known:
        return Boundary(names[estimate[0]])
    ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    shares = np.bincount(drawn, minlength=len(names)) / len(drawn)
    return Boundary(
        names[estimate[0]],
        (names[ends[0]], names[ends[1]]),
        {name: float(share) for name, share in zip(names, shares, strict=True) if share},
    )
