"""Split the fall in accuracy by pruning into deleting values, fixing weights, and their interaction: a 2 × 2 factorial.

                    may move                 fixed
    value kept      dense                    frozen
    value deleted   information_deletion     pretrain

The effects are simple effects at the dense corner, so each of the first two is what one change alone does:

    deleting      information_deletion - dense
    fixing        frozen - dense
    interaction   pretrain - information_deletion - frozen + dense, what both together do beyond the sum
    total         pretrain - dense = deleting + fixing + interaction, exactly

A main effect, the mean over both levels of the other factor, is the simple effect plus half of the interaction. Which of
the two is the larger does not depend on that choice: `deleting - fixing` is information_deletion - frozen in both.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence, above_majority
from prune_utils.analysis.noise.estimates import Estimate, Verdict
from prune_utils.analysis.noise.means import DENSE, Condition, Means
from prune_utils.study.words import POINTS

CORNERS = ("information_deletion", "frozen", "pretrain")  # beside `dense`, which has no sparsity
EFFECTS = {  # weights of the corners, and of `dense` so that they sum to 0
    "deleting": (1, 0, 0),
    "fixing": (0, 1, 0),
    "interaction": (-1, -1, 1),
    "total": (0, 0, 1),
    "difference": (1, -1, 0),  # deleting - fixing
}
MEAN = "(mean over tasks)"  # in place of a task; no task can have this name


def corners(sparsity: float) -> list[Condition]:
    """The conditions that a split at a sparsity needs, `dense` first."""
    return [DENSE, *((arm, sparsity) for arm in CORNERS)]


def split(means: Means, sparsity: float) -> dict[str, Estimate]:
    """The EFFECTS at a sparsity, in points; empty if a corner is missing.

    In a table of single runs, arms are compared with their own 0 % rows if all three have one, else with the dense model.
    """
    if not means.has(*corners(sparsity)):
        return {}
    if not means.own_zero.issuperset(CORNERS):
        means = replace(means, own_zero=frozenset())  # otherwise the effects would have different baselines
    found = {}
    for name, weights in EFFECTS.items():
        row = {(arm, sparsity): float(weight) for arm, weight in zip(CORNERS, weights, strict=True) if weight}
        found[name] = means.contrast({DENSE: -float(sum(weights))} | row).scaled(POINTS)
    return found


def splits(evidence: Evidence) -> dict[float, dict[str, Estimate]]:
    """The split of mean accuracy by sparsity, 0 % left out; a sparsity without all corners has none."""
    every = evidence.within((0.0, 1.0), *CORNERS)
    return {s: found for s in every if s > 0 and (found := split(evidence.accuracy, s))}


def table(evidence: Evidence) -> pd.DataFrame:
    """One row per task and sparsity with all four corners, those of the mean over tasks first; see MEAN.

    Columns task, target_sparsity, dense (accuracy, percent), each of EFFECTS (points) with the ends of its 95 % interval,
    `_low` and `_high` (NaN for a single seed), and `floor`: the arms that do not beat the majority class of the task (see
    `evidence.above_majority`) and could not fall further. A study of one task has the rows of that task only.
    """
    tasks, rows = sorted(evidence.cells.task.unique()), []
    parts = {MEAN: evidence} if len(tasks) > 1 else {}
    for task, part in (parts | {task: evidence.over([task]) for task in tasks}).items():
        for sparsity, found in splits(part).items():
            row = {"task": task, "target_sparsity": sparsity, "dense": POINTS * part.accuracy.point[DENSE]}
            for name, estimate in found.items():
                low, high = estimate.interval() or (np.nan, np.nan)
                row |= {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
            above = above_majority(part.cells, task, corners(sparsity))
            at_floor = [arm for (arm, _), beats in zip(corners(sparsity), above, strict=True) if not beats]
            rows.append(row | {"floor": ", ".join(at_floor)})
    effects = [column for name in EFFECTS for column in (name, f"{name}_low", f"{name}_high")]
    return pd.DataFrame(rows, columns=["task", "target_sparsity", "dense", *effects, "floor"])


def telling(found: dict[float, dict[str, Estimate]], margin: float) -> list[float]:
    """The sparsities at which a report answers why: where the fall begins to exceed the margin (points), and the last one.

    The first is found by one-sided tests from the last sparsity down, until one fails. This choice favours neither
    deleting nor fixing: but for pre-training runs that corners share, the noise of `difference` is independent of that of
    `total`.
    """
    last, shown = sorted(found)[-1:], []
    for sparsity in sorted(found, reverse=True):
        if found[sparsity]["total"].at_least(-margin) is not Verdict.NOT_SUPPORTED:
            break
        shown = [sparsity]
    return sorted({*shown, *last})


def missing(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that a corner lacks: columns arm, target_sparsity, task, seeds (how many have none), of (the most seeds).

    Sparsities are those of any corner but `dense`; a sparsity of which a corner lacks all seeds on a task has no split of
    the mean, and a seed that is missing is filled in (see `noise.seeds`). No row if whole arms are missing.
    """
    keys = ["arm", "target_sparsity", "task"]
    known = cells[cells.selected & cells.arm.isin([*CORNERS, "dense"])].dropna(subset="dev_accuracy")
    pruned = known[known.arm != "dense"]
    if set(known.arm) != {*CORNERS, "dense"}:
        return pd.DataFrame(columns=[*keys, "seeds", "of"])
    every = [DENSE, *((arm, s) for s in sorted(set(pruned.target_sparsity)) for arm in CORNERS)]
    every = pd.MultiIndex.from_tuples(
        [(*one, task) for one in every for task in sorted(cells.task.unique())], names=keys
    )
    have = known.groupby(keys).seed.nunique().reindex(every, fill_value=0)
    most = have.drop("dense", level="arm").max()
    return (most - have[have < most]).rename("seeds").reset_index().assign(of=most)
