"""Test whether accuracy is linear in pre-training loss (paper Fig. 2 left, "a bit of BERT")."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence, above_majority
from prune_utils.analysis.noise.estimates import Estimate
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


def lines(evidence: Evidence, floor: bool = True) -> dict[str, Line]:
    """Fit information-deletion accuracy against pre-training loss, by task; the dense model is the 0 % point.

    With `floor`, sparsities at which accuracy is not above the majority class are left out, since they say nothing of a
    slope. Slope and bend are contrasts of the means, so their errors are those of the noise model; losses, which vary
    far less, count as exact. Tasks with fewer than LEAST distinct losses are left out.
    """
    found = {}
    for task, losses in _losses(evidence.cells).items():
        means = evidence.over([task]).accuracy
        there = losses[[means.has(condition) for condition in losses.index]]
        kept = there[above_majority(evidence.cells, task, list(there.index))] if floor else there
        if kept.nunique() >= LEAST:
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
    slopes = [line.slope for line in found.values()]
    value = float(np.mean([slope.value for slope in slopes]))
    if any(slope.error is None for slope in slopes):
        return Estimate(value)
    variances = np.square([slope.error for slope in slopes]) / len(slopes) ** 2
    spread = (variances**2 / [slope.freedom for slope in slopes]).sum()
    return Estimate(value, float(np.sqrt(variances.sum())), float(variances.sum() ** 2 / spread) if spread else np.inf)
