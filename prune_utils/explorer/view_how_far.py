"""Explorer section: how far a model can be pruned within an allowed loss for each task."""

from collections.abc import Mapping
from functools import cache
from math import ceil

import ipywidgets
import pandas as pd
from IPython.display import HTML

from prune_utils.analysis import comparison
from prune_utils.analysis.noise.estimates import EQUAL
from prune_utils.analysis.regimes import Regimes
from prune_utils.explorer.controls import follows, labelled, row, table, view, with_slider
from prune_utils.explorer.studies import Absent, Opened
from prune_utils.explorer.view_regimes import borders, label, not_learnt, pruned_arms, with_interval
from prune_utils.pruning.sparse import FORMAT
from prune_utils.report.escaping import in_html
from prune_utils.study import paths
from prune_utils.study.words import POINTS, percent

MOST = 20.0  # largest value of the sliders, in points, unless more is lost
KINDS = ("dense", "sparse")  # formats of a stored checkpoint
STORED = "pretrain"  # the arm whose checkpoint sizes are measured


@cache
def _costs(opened: Opened) -> pd.DataFrame:
    alone = {task: comparison.Compared(opened.study, opened.over(frozenset([task])), None) for task in opened.tasks}
    return comparison.costs(alone).rename(columns={"study": "task"})


def costs(opened: Opened, arm: str) -> pd.DataFrame:
    """Accuracy lost by each task: columns of `comparison.costs`, with `task` in place of `study`.

    Raises Absent if the arm has no cells.
    """
    frame = _costs(opened)
    if (frame := frame[frame.arm == arm]).empty:
        raise Absent("This study has no pruned cells with a dense cell to compare them with.")
    return frame


def farthest(frame: pd.DataFrame, allowed: Mapping[str, float], bound: str = "cost") -> float:
    """The largest measured sparsity up to which no task loses more than `allowed` (points per task).

    `frame`: see `costs`; `bound`: "cost" (the estimate) or "high" (the upper end of its interval). A task
    without a value at a sparsity counts as losing too much. 0.0 if the first sparsity is already too high.
    """
    lost = frame.pivot(index="sparsity", columns="task", values=bound).reindex(columns=list(allowed))
    fits = within(lost, pd.Series(allowed, dtype=float)).all(axis=1)
    return float(max(fits.index[fits.cummin()], default=0))


def within(lost, allowed):
    """Whether `lost` points are at most `allowed`, within the tolerance of floats; Series or frames."""
    return lost <= allowed + POINTS * EQUAL


def _sizes(opened: Opened, arm: str) -> pd.DataFrame | None:
    """Bytes of the gradual checkpoints by sparsity, means over seeds: columns dense_bytes, sparse_bytes.

    None if they were not measured.
    """
    path = paths.inside(opened.study.study) / "sizes.csv"
    if arm != STORED or not path.exists():
        return None
    return pd.read_csv(path).groupby("sparsity")[[f"{kind}_bytes" for kind in KINDS]].mean()


def by_sparsity(frame: pd.DataFrame, regimes: Regimes, stored: pd.DataFrame | None) -> pd.DataFrame:
    """One row per sparsity for display: cost of each task with its interval, regime, megabytes dense and sparse."""
    wide = frame.assign(text=with_interval(frame)).pivot(index="sparsity", columns="task", values="text")
    columns = [wide, pd.Series([regimes.of(s) for s in wide.index], wide.index, name="regime")]
    for kind in KINDS if stored is not None else ():
        megabytes = stored[f"{kind}_bytes"].reindex(wide.index) / 1e6
        columns.append(megabytes.map("{:,.2f}".format, na_action="ignore").rename(f"{kind}, MB"))
    wide = pd.concat(columns, axis=1)  # concatenated, since a task may have the name of one of these columns
    return wide.astype(object).fillna("").rename(index=percent).rename_axis(index=None, columns=None)


@view
def costs_table(opened: Opened) -> HTML:
    """Accuracy lost by each task at each sparsity."""
    arm = next(iter(pruned_arms(opened)), STORED)
    stored = _sizes(opened, arm)
    caption = f"{label(arm)}: points lost, 95 % interval" + "; the checkpoint stored dense and sparse, MB" * (
        stored is not None
    )
    return HTML(table(by_sparsity(costs(opened, arm), borders(opened.evidence), stored), caption))


def answer(opened: Opened, arm: str, allowed: dict[str, float]) -> str:
    """The answer in sentences, with a table of the costs at that sparsity."""
    frame = costs(opened, arm)
    at = farthest(frame, allowed)
    said = [f"{_up_to(at)} no task loses more than you allow, by the estimates of {in_html(label(arm))}."]
    if opened.evidence.accuracy.repeated:
        sure = farthest(frame, allowed, "high")
        rest = "; an interval that is unknown counts as too wide" if frame.high.isna().any() else ""
        said.append(f"{_up_to(sure)} the upper end of every task's 95 % interval is allowed, too{rest}.")
    else:
        said.append("Nothing was repeated, so how much a training varies is unknown.")
    if at:
        if (regime := borders(opened.evidence).of(at)) != "unknown":
            said.append(f"{percent(at)} lies in the {regime} regime of the model pruned in pre-training.")
        if opened.study.tasks:  # trained, and not a table
            whole = "Its checkpoint is as large as the dense one: its weights are not zero."
            zero = opened.study.arm_table.rows[arm].fate == "zero"
            said.append(_stored(_sizes(opened, arm), at) if zero else whole)
    said += [in_html(note.strip())] if (note := not_learnt(opened.evidence)) else []
    further = frame.sparsity[frame.sparsity > at].min()
    tables = _at(frame, at, allowed) + _at(frame, further, allowed, ", the next sparsity measured")
    return "<ul>" + "".join(f"<li>{line}</li>" for line in said) + "</ul>" + tables


def _up_to(sparsity: float) -> str:
    return f"<b>Up to {percent(sparsity)}</b>" if sparsity else "<b>Only unpruned, at 0 %,</b>"


def _stored(sizes: pd.DataFrame | None, at: float) -> str:
    if sizes is None or at not in sizes.index:
        return "The size of its checkpoint on disk was not measured."
    dense, sparse = sizes.loc[at]
    return (
        f"Its checkpoint takes {dense / 1e6:,.2f} MB as safetensors, and stored sparse {sparse / 1e6:,.2f} MB "
        f"({percent(round(sparse / dense, 2))}): {FORMAT}, also as safetensors."
    )


def _at(frame: pd.DataFrame, sparsity: float, allowed: dict[str, float], what: str = "") -> str:
    """Table of the costs at a sparsity; nothing if it was not measured."""
    rows = frame[frame.sparsity == sparsity]
    if rows.empty:
        return ""
    limits = rows.task.map(allowed)
    fits = within(rows.cost, limits).map({True: "yes", False: "no"})
    shown = pd.DataFrame({"task": rows.task, "allowed": limits.map("{:.1f}".format), "cost": with_interval(rows)})
    caption = f"At {percent(sparsity)}{what}: points lost, 95 % interval"
    return table(shown.assign(within=fits), caption, index=False)


@view
def sliders(opened: Opened) -> ipywidgets.Widget:
    """One slider per task: the points that it may lose."""
    if not (arms := pruned_arms(opened)):
        raise Absent("No pruned arm was fine-tuned here.")
    arm = labelled(ipywidgets.Dropdown, "Arm", options=[(label(arm), arm) for arm in arms])
    most = max(MOST, *map(ceil, _costs(opened).cost.dropna()), 0)
    points = {"value": min(opened.evidence.margins.accuracy_margin, most), "min": 0, "max": most, "step": 0.5}
    wide = "min(16em, 100%)"
    losing = [labelled(ipywidgets.BoundedFloatText, f"{task} may lose", wide, **points) for task in opened.tasks]

    def shown(arm: str, *allowed: float) -> str:
        return answer(opened, arm, dict(zip(opened.tasks, allowed, strict=True)))

    return ipywidgets.VBox([arm, row(*map(with_slider, losing)), follows(shown, arm, *losing)])
