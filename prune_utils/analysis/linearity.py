"""Test whether accuracy is linear in pre-training loss (paper Fig. 2 left, "a bit of BERT")."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence, above_majority
from prune_utils.analysis.noise.estimates import Estimate, combined
from prune_utils.analysis.noise.means import Means
from prune_utils.study.words import POINTS, percent

LEAST = 4  # least number of points: a line takes two, a bend one more, and one is left to disagree


@dataclass(frozen=True)
class Line:
    """The line and the parabola of one task.

    `slope`: points per nat. `bend`: points that the middle of the parabola lies above the line through its ends.
    `left_out`: sparsities at which accuracy is not above the majority class.
    """

    points: int
    slope: Estimate
    bend: Estimate
    left_out: list[float]


def lines(evidence: Evidence, floor: bool = True, below: float = 1.0) -> dict[str, Line]:
    """Fit information-deletion accuracy against pre-training loss, by task; the dense model is the 0 % point.

    With `floor`, sparsities at which accuracy is not above the majority class are left out, since they say nothing about
    a slope; only sparsities `below` the one given are used. Slope and bend are contrasts of the means, so their errors are
    those of the noise model; losses, which vary far less, count as exact. Tasks with fewer than LEAST distinct losses are
    left out.
    """
    return evidence.once((lines, floor, below), lambda: _lines(evidence, floor, below))


def _lines(evidence: Evidence, floor: bool, below: float) -> dict[str, Line]:
    found = {}
    for task, losses in _losses(evidence.cells).items():
        means = evidence.over([task]).accuracy
        there = losses[[means.has(condition) and condition[1] < below for condition in losses.index]]
        kept = there[above_majority(evidence.cells, task, list(there.index))] if floor else there
        if kept.round(9).nunique() >= LEAST:  # equal losses may differ by rounding
            out = [s for _, s in there.index.difference(kept.index)]
            found[task] = Line(len(kept), *_fit(means, kept), out)
    return found


def table(found: dict[str, Line]) -> pd.DataFrame:
    """One row per task: task, points (their number), slope and bend with the ends of their intervals, left_out (text)."""
    rows = [
        {"task": task, "points": line.points}
        | {"slope": line.slope.value}
        | _ends(line.slope, "slope")
        | {"bend": line.bend.value}
        | _ends(line.bend, "bend")
        | {"left_out": ", ".join(map(percent, line.left_out))}
        for task, line in found.items()
    ]
    return pd.DataFrame(rows)


def _ends(estimate: Estimate, name: str) -> dict[str, float]:
    low, high = estimate.interval() or (np.nan, np.nan)
    return {f"{name}_low": low, f"{name}_high": high}


def _losses(cells: pd.DataFrame) -> dict[str, pd.Series]:
    """Mean pre-training loss by task and condition."""
    chosen = cells[cells.selected & cells.arm.isin(["dense", "information_deletion"])]
    known = chosen.dropna(subset=["dev_accuracy", "pretrain_loss"])
    return {
        task: group.groupby(["arm", "target_sparsity"]).pretrain_loss.mean() for task, group in known.groupby("task")
    }


def _fit(means: Means, losses: pd.Series) -> tuple[Estimate, Estimate]:
    x = losses.to_numpy()
    line = np.column_stack([np.ones(len(x)), x])
    slope = (x - x.mean()) / np.square(x - x.mean()).sum()
    square = x**2 - line @ np.linalg.lstsq(line, x**2, rcond=None)[0]  # what of a parabola is not a line
    bend = -square / np.square(square).sum() * np.ptp(x) ** 2 / 4
    weights = [dict(zip(losses.index, row, strict=True)) for row in (slope, bend)]
    return means.contrast(weights[0]).scaled(POINTS), means.contrast(weights[1]).scaled(POINTS)


def mean_slope(found: dict[str, Line]) -> Estimate:
    """The mean slope over tasks; the errors of the tasks count as independent, though they share pre-trainings."""
    return combined([1 / len(found)] * len(found), [line.slope for line in found.values()])


def differences(found: dict[str, Line]) -> dict[tuple[str, str], Estimate]:
    """How many points per nat more each task costs than a less costly one, by pair of tasks, errors as in `mean_slope`."""
    order = sorted(found, key=lambda task: found[task].slope.value)
    return {
        (steep, flat): combined([1, -1], [found[flat].slope, found[steep].slope])
        for steep, flat in combinations(order, 2)
    }
