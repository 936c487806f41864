"""The largest sparsity at which no task loses more than allowed."""

from collections.abc import Mapping

import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.regimes import EQUAL, POINTS, Regimes
from prune_utils.study import paths
from prune_utils.study.schema import Replay, Study
from prune_utils.study.words import percent

KINDS = ("dense", "sparse")  # formats of a stored checkpoint
COSTS = ["task", "sparsity", "cost", "low", "high"]


def costs(by_task: Mapping[str, Evidence], arm: str) -> pd.DataFrame:
    """Accuracy lost by each task: one row per task and measured sparsity.

    Columns task, sparsity, cost (points of dev accuracy below the dense model), low and high (95 % interval, NaN for a
    single seed). `by_task`: the evidence of each task by itself.
    """
    rows = []
    for task, evidence in by_task.items():
        accuracy = evidence.accuracy
        for sparsity in sorted(s for name, s in accuracy.point.index if name == arm and s > 0):
            if accuracy.has(("dense", 0.0)):
                lost = accuracy.difference(("dense", 0.0), (arm, sparsity))
                low, high = lost.interval() or (float("nan"), float("nan"))
                rows.append((task, sparsity, POINTS * lost.value, POINTS * low, POINTS * high))
    return pd.DataFrame(rows, columns=COSTS)


def farthest(frame: pd.DataFrame, allowed: Mapping[str, float], bound: str = "cost") -> float:
    """The largest measured sparsity up to which no task loses more than `allowed` (points per task).

    `frame`: see `costs`; `bound`: "cost" (the estimate) or "high" (the upper end of its interval). A task without a
    value at a sparsity counts as losing too much. 0.0 if the first sparsity is already too high.
    """
    reached = 0.0
    for sparsity, at in frame.groupby("sparsity"):
        lost = at.set_index("task")[bound].reindex(list(allowed))
        if not within(lost, pd.Series(allowed, dtype=float)).all():
            break
        reached = float(sparsity)
    return reached


def within(lost, allowed):
    """Whether `lost` points are at most `allowed`, within the tolerance of floats; numbers or Series."""
    return lost <= allowed + POINTS * EQUAL


def sizes(study: Study | Replay) -> pd.DataFrame | None:
    """Bytes of the gradual checkpoints by sparsity, means over seeds: columns dense_bytes, sparse_bytes.

    None if they were not measured.
    """
    path = paths.inside(study.study) / "sizes.csv"
    if not path.exists():
        return None
    return pd.read_csv(path).groupby("sparsity")[[f"{kind}_bytes" for kind in KINDS]].mean()


def table(frame: pd.DataFrame, regimes: Regimes, stored: pd.DataFrame | None) -> pd.DataFrame:
    """One row per sparsity for display: cost of each task with its interval, regime, megabytes dense and sparse."""
    shown = frame.assign(text=[said(row) for row in frame.itertuples()])
    wide = shown.pivot_table(index="sparsity", columns="task", values="text", aggfunc="first").fillna("")
    columns = [wide, pd.Series([regimes.of(s) for s in wide.index], wide.index, name="regime")]
    if stored is not None:
        columns += [_megabytes(stored[f"{kind}_bytes"].reindex(wide.index), f"{kind}, MB") for kind in KINDS]
    wide = pd.concat(columns, axis=1)  # concatenated, since a task may have the name of one of these columns
    wide.index = list(map(percent, wide.index))
    return wide.rename_axis(columns=None)


def _megabytes(stored: pd.Series, name: str) -> pd.Series:
    return (stored / 1e6).map("{:,.2f}".format, na_action="ignore").astype(object).fillna("").rename(name)


def said(row) -> str:
    """Format a cost with its interval: "1.2 [0.3 to 2.1]"."""
    return f"{row.cost:.1f}" + (f" [{row.low:.1f} to {row.high:.1f}]" if pd.notna(row.low) else "")
