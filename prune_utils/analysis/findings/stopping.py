"""A stopping rule without a dev set: does pre-training alone show how far a task can be pruned (paper, footnote 13)?

For each task, the fall in accuracy is predicted from a signal that needs none of its labels, by a line through 0 that was fitted on
the *other* tasks: fall = slope × signal. The rule prunes to the last sparsity, from 0 up, whose predicted fall is within the
margin. The test is what the task then loses. Every seed is a repetition of the whole procedure.
"""

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.estimates import EQUAL, Estimate
from prune_utils.study.words import POINTS

ARM, METHOD = "pretrain", "gradual"
SIGNALS = {  # columns of `falls`, and in words
    "loss_rise": "rise in the pre-training loss (nats)",
    "distance": "feature distance (1 − cosine)",
    "target_sparsity": "sparsity alone",
}


def falls(evidence: Evidence) -> pd.DataFrame:
    """One row per task, seed and sparsity above 0: the fall in accuracy in points, and the signals.

    Columns task, seed, target_sparsity, fall, loss_rise, distance; only rows that have all. `distance` is the mean over layers
    of 1 − cosine; it is missing, and the column with it, where features were not compared.
    """
    cells = evidence.cells[evidence.cells.selected & (evidence.cells.target_sparsity >= 0)]
    cells = cells.groupby(["arm", "task", "seed", "target_sparsity"]).dev_accuracy.mean()
    if not {"dense", ARM} <= set(cells.index.get_level_values("arm")):
        return pd.DataFrame(columns=["task", "seed", "target_sparsity", "fall", "loss_rise"])
    dense = cells["dense"].droplevel("target_sparsity")
    found = (POINTS * (dense - cells[ARM])).rename("fall").reset_index()
    parts = {"loss_rise": _losses(evidence), "distance": _distances(evidence)}
    for name, signal in parts.items():
        if len(signal):
            found = found.merge(signal.rename(name).reset_index(), on=["seed", "target_sparsity"])
    return found.dropna().sort_values(["task", "seed", "target_sparsity"], ignore_index=True)


def _losses(evidence: Evidence) -> pd.Series:
    """Rise of the held-out loss over the 0 % run of the same seed, by seed and sparsity."""
    runs = evidence.runs
    if "method" not in runs or METHOD not in set(runs.method):
        return pd.Series(dtype=float)
    losses = runs[runs.method == METHOD].set_index(["seed", "target_sparsity"]).pretrain_loss
    zero = losses.xs(0.0, level="target_sparsity")
    return losses.sub(zero.reindex(losses.index, level="seed"))


def _distances(evidence: Evidence) -> pd.Series:
    """1 − cosine to the 0 % run, mean over layers without the embeddings, by seed and sparsity."""
    frame = evidence.analyses.get("similarity")
    if frame is None:
        return pd.Series(dtype=float)
    own = frame[(frame.method == METHOD) & (frame.layer > 0)].rename(columns={"sparsity": "target_sparsity"})
    return 1 - own.groupby(["seed", "target_sparsity"]).cosine.mean()


def stops(found: pd.DataFrame, margin: float) -> pd.DataFrame:
    """What each rule says about each task: one row per signal, task and seed.

    Columns signal, task, seed, slope (fitted on the other tasks of that seed), error (mean distance of predicted and true fall,
    points), stop (the sparsity that the rule allows), fall (what the task then loses, points) and best (the last sparsity, from
    0 up, whose true fall is within the margin). Needs two tasks; `found`: see `falls`.
    """
    rows = []
    for signal in (name for name in SIGNALS if name in found):
        for (task, seed), own in found.groupby(["task", "seed"]):
            others = found[(found.task != task) & (found.seed == seed)]
            if not (others[signal] ** 2).sum() > 0:  # no other task, or one whose signal is 0 throughout
                continue
            slope = float((others[signal] * others.fall).sum() / (others[signal] ** 2).sum())
            predicted = slope * own[signal]
            stop, best = _last_within(own, predicted, margin), _last_within(own, own.fall, margin)
            lost = float(own.fall[own.target_sparsity == stop].iloc[0]) if stop else 0.0
            error = float((predicted - own.fall).abs().mean())
            rows.append([signal, task, seed, slope, error, stop, lost, best])
    return pd.DataFrame(rows, columns=["signal", "task", "seed", "slope", "error", "stop", "fall", "best"])


def _last_within(own: pd.DataFrame, fall: pd.Series, margin: float) -> float:
    """The last sparsity, from 0 up, at which `fall` has never exceeded the margin."""
    fine = np.logical_and.accumulate((fall <= margin + EQUAL).to_numpy())
    return float(own.target_sparsity.to_numpy()[fine][-1]) if fine.any() else 0.0


def table(every: pd.DataFrame) -> pd.DataFrame:
    """One row per signal: means over tasks with intervals over seeds; `every`: see `stops`.

    error: of the predicted fall, points. fall: what a user of the rule loses, points. forgone: how much further the best
    stop lies, in percentage points of sparsity (negative: the rule goes too far). Each has `_low` and `_high`, NaN for one seed.
    """
    rows, names = [], ("error", "fall", "forgone")
    for signal, part in every.assign(forgone=POINTS * (every.best - every.stop)).groupby("signal", sort=False):
        row = {"signal": signal}
        for name in names:
            estimate = Estimate.over_seeds(part.groupby("seed")[name].mean().to_list())
            low, high = estimate.interval() or (np.nan, np.nan)
            row |= {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row | {"worst_fall": part.fall.max()})
    columns = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["signal", *columns, "worst_fall"])
