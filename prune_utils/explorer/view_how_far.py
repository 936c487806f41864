"""Explorer section: how far a model can be pruned within an allowed loss for each task."""

from functools import cache

import ipywidgets
import pandas as pd
from IPython.display import HTML

from prune_utils.analysis import comparison
from prune_utils.explorer import how_far
from prune_utils.explorer.controls import follows, labelled, row, table, view, with_slider
from prune_utils.explorer.studies import Absent, Opened, percent
from prune_utils.explorer.view_regimes import borders, label, pruned_arms
from prune_utils.pruning.sparse import FORMAT
from prune_utils.report.escaping import in_html

MOST = 20.0  # largest value of the sliders, in points
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


@view
def costs_table(opened: Opened) -> HTML:
    """Accuracy lost by each task at each sparsity."""
    arm = next(iter(pruned_arms(opened)), STORED)
    return HTML(table(how_far.table(costs(opened, arm), borders(opened.evidence), _sizes(opened, arm))))


def _sizes(opened: Opened, arm: str) -> pd.DataFrame | None:
    return how_far.sizes(opened.study) if arm == STORED else None


def answer(opened: Opened, arm: str, allowed: dict[str, float]) -> str:
    """The answer in sentences, with a table of the costs at that sparsity."""
    frame = costs(opened, arm)
    at = how_far.farthest(frame, allowed)
    said = [f"{_up_to(at)} no task loses more than you allow, by the estimates of {in_html(label(arm))}."]
    if frame.high.notna().any():
        sure = how_far.farthest(frame, allowed, "high")
        said.append(f"{_up_to(sure)} the upper end of every task's 95 % interval is allowed, too.")
    else:
        said.append("With one seed there is no interval, so the uncertainty is unknown.")
    if at:
        if (regime := borders(opened.evidence).of(at)) != "unknown":
            said.append(f"{percent(at)} lies in the {regime} regime of the model pruned in pre-training.")
        said.append(_stored(_sizes(opened, arm), at))
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
        f"({sparse / dense:.0%}): {FORMAT}, also as safetensors."
    )


def _at(frame: pd.DataFrame, sparsity: float, allowed: dict[str, float], what: str = "") -> str:
    """Table of the costs at a sparsity; nothing if it was not measured."""
    rows = frame[frame.sparsity == sparsity]
    if rows.empty:
        return ""
    limits = rows.task.map(allowed)
    fits = how_far.within(rows.cost, limits).map({True: "yes", False: "no"})
    shown = pd.DataFrame({"task": rows.task, "allowed": limits.map("{:.1f}".format), "cost": how_far.said(rows)})
    caption = f"At {percent(sparsity)}{what}: points lost, 95 % interval"
    return table(shown.assign(within=fits), caption, index=False)


@view
def sliders(opened: Opened) -> ipywidgets.Widget:
    """One slider per task: the points that it may lose."""
    if not (arms := pruned_arms(opened)):
        raise Absent("No pruned arm was fine-tuned here.")
    arm = labelled(ipywidgets.Dropdown, "Arm", options=[(label(arm), arm) for arm in arms])
    points = {"value": min(opened.evidence.margins.accuracy_margin, MOST), "min": 0, "max": MOST, "step": 0.5}
    wide = "min(16em, 100%)"
    losing = [labelled(ipywidgets.BoundedFloatText, f"{task} may lose", wide, **points) for task in opened.tasks]

    def shown(arm: str, *allowed: float) -> str:
        return answer(opened, arm, dict(zip(opened.tasks, allowed, strict=True)))

    return ipywidgets.VBox([arm, row(*map(with_slider, losing)), follows(shown, arm, *losing)])
