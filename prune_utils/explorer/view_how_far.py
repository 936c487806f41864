"""Explorer section: how far a model can be pruned within an allowed loss for each task."""

import ipywidgets
import pandas as pd
from IPython.display import HTML

from prune_utils.analysis import regimes
from prune_utils.explorer import how_far
from prune_utils.explorer.controls import follows, labelled, row, table, view, with_slider
from prune_utils.explorer.studies import Absent, Opened, percent
from prune_utils.explorer.view_regimes import arms_of, label
from prune_utils.pruning.sparse import FORMAT
from prune_utils.report.escaping import in_html
from prune_utils.report.style import BOUNDS

MOST = 20.0  # largest value of the sliders, in points
STORED = "pretrain"  # the arm whose checkpoint sizes are measured


def pruned_arms(opened: Opened) -> list[str]:
    """The pruned arms of a study, `pretrain` first."""
    return [arm for arm in arms_of(opened) if arm not in BOUNDS]


def costs(opened: Opened, arm: str) -> pd.DataFrame:
    """`how_far.costs` of an arm. Raises Absent if it has no cells."""
    frame = how_far.costs({task: opened.over(frozenset([task])) for task in opened.tasks}, arm)
    if frame.empty:
        raise Absent("This study has no pruned cells with a dense cell to compare them with.")
    return frame


def borders(opened: Opened) -> regimes.Regimes:
    evidence = opened.evidence
    return regimes.find(evidence.accuracy, evidence.loss, evidence.margins)


@view
def costs_table(opened: Opened) -> HTML:
    """Accuracy lost by each task at each sparsity."""
    arm = next(iter(pruned_arms(opened)), STORED)
    return HTML(table(how_far.table(costs(opened, arm), borders(opened), _sizes(opened, arm))))


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
        if (regime := borders(opened).of(at)) != "unknown":
            said.append(f"{percent(at)} lies in the {regime} regime of the model pruned in pre-training.")
        said.append(_stored(_sizes(opened, arm), at))
    lines = "".join(f"<li>{line}</li>" for line in said)
    measured = sorted(frame.sparsity.unique())
    further = next((s for s in measured if s > at), None)
    shown = [at] * (at > 0) + [further] * (further is not None)
    return f"<ul>{lines}</ul>" + "".join(_at(frame, s, allowed, s == at) for s in shown)


def _up_to(sparsity: float) -> str:
    return f"<b>Up to {percent(sparsity)}</b>" if sparsity else "<b>Only unpruned, at 0 %,</b>"


def _stored(sizes: pd.DataFrame | None, at: float) -> str:
    if sizes is None or at not in sizes.index:
        return "The size of its checkpoint on disk was not measured."
    dense, sparse = sizes.loc[at, ["dense_bytes", "sparse_bytes"]]
    return (
        f"Its checkpoint takes {dense / 1e6:,.2f} MB as safetensors, and stored sparse {sparse / 1e6:,.2f} MB "
        f"({sparse / dense:.0%}): {FORMAT}, also as safetensors."
    )


def _at(frame: pd.DataFrame, sparsity: float, allowed: dict[str, float], within: bool) -> str:
    rows = frame[frame.sparsity == sparsity]
    shown = pd.DataFrame(
        {
            "task": rows.task,
            "allowed": [f"{allowed[task]:.1f}" for task in rows.task],
            "cost": [how_far.said(row) for row in rows.itertuples()],
            "within": [
                "yes" if how_far.within(cost, allowed[task]) else "no"
                for task, cost in zip(rows.task, rows.cost, strict=True)
            ],
        }
    )
    caption = f"At {percent(sparsity)}{'' if within else ', the next sparsity measured'}: points lost, 95 % interval"
    return table(shown, caption, index=False)


@view
def sliders(opened: Opened) -> ipywidgets.Widget:
    """One slider per task: the points that it may lose."""
    arms = pruned_arms(opened)
    if not arms:
        raise Absent("No pruned arm was fine-tuned here.")
    arm = labelled(ipywidgets.Dropdown, description="Arm", options=[(label(arm), arm) for arm in arms])
    margin = min(opened.evidence.margins.accuracy_margin, MOST)
    may_lose = [
        labelled(
            ipywidgets.BoundedFloatText,
            margin,
            description=f"{task} may lose",
            min=0,
            max=MOST,
            step=0.5,
            layout={"width": "min(16em, 100%)"},
        )
        for task in opened.tasks
    ]
    page = follows(
        lambda arm, *points: answer(opened, arm, dict(zip(opened.tasks, points, strict=True))), arm, *may_lose
    )
    return ipywidgets.VBox([arm, row(*map(with_slider, may_lose)), page])
