"""The largest sparsity at which no task loses more than allowed."""

from collections.abc import Mapping

import pandas as pd

from prune_utils.analysis.regimes import EQUAL, POINTS, Regimes
from prune_utils.study import paths
from prune_utils.study.schema import Replay, Study
from prune_utils.study.words import percent

KINDS = ("dense", "sparse")  # formats of a stored checkpoint


def farthest(frame: pd.DataFrame, allowed: Mapping[str, float], bound: str = "cost") -> float:
    """The largest measured sparsity up to which no task loses more than `allowed` (points per task).

    `frame`: see `view_how_far.costs`; `bound`: "cost" (the estimate) or "high" (the upper end of its interval). A task
    without a value at a sparsity counts as losing too much. 0.0 if the first sparsity is already too high.
    """
    lost = frame.pivot(index="sparsity", columns="task", values=bound).reindex(columns=list(allowed))
    fits = within(lost, pd.Series(allowed, dtype=float)).all(axis=1)
    return float(max(fits.index[fits.cummin()], default=0))


def within(lost, allowed):
    """Whether `lost` points are at most `allowed`, within the tolerance of floats; Series or frames."""
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
    wide = frame.assign(text=said(frame)).pivot(index="sparsity", columns="task", values="text")
    columns = [wide, pd.Series([regimes.of(s) for s in wide.index], wide.index, name="regime")]
    for kind in KINDS if stored is not None else ():
        megabytes = stored[f"{kind}_bytes"].reindex(wide.index) / 1e6
        columns.append(megabytes.map("{:,.2f}".format, na_action="ignore").rename(f"{kind}, MB"))
    wide = pd.concat(columns, axis=1)  # concatenated, since a task may have the name of one of these columns
    return wide.astype(object).fillna("").rename(index=percent).rename_axis(index=None, columns=None)


def said(frame: pd.DataFrame, value: str = "cost") -> list[str]:
    """Format the values of a frame with their intervals, columns low and high: "1.2 [0.3 to 2.1]"."""
    ends = [
        f" [{low:.1f} to {high:.1f}]" if pd.notna(low) else "" for low, high in zip(frame.low, frame.high, strict=True)
    ]
    return [f"{mean:.1f}{spread}" for mean, spread in zip(frame[value], ends, strict=True)]
