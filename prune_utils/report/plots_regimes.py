"""Figures of accuracies and regimes: dots are seeds, lines are means, bars are intervals."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.analysis.comparison import Compared
from prune_utils.analysis.noise.means import Means
from prune_utils.analysis.regimes import Regimes
from prune_utils.analysis.results import from_dense, mean_over_tasks
from prune_utils.report import style
from prune_utils.report.captions import caption
from prune_utils.report.style import BOUNDS, GREY, INK, MARKERS, PERCENT, Drawn, in_order, lines, look, panel, panels
from prune_utils.report.tables import points, series
from prune_utils.study.words import POINTS, minus, percent

# value: name of its figure, label, the same in words, scale and format
VALUES = {
    "dev_accuracy": ("accuracy", "dev accuracy (%)", "dev accuracy, percent", POINTS, "{:.1f}"),
    "train_loss": ("train_loss", "train loss (nats)", "train loss, nats", 1, "{:.2f}"),
}
# parts of a fall in accuracy, each with the look of an arm
EFFECTS = {"deleting": "information_deletion", "fixing": "frozen", "interaction": "dense", "total": "pretrain"}
MOST_INSIDE = 9  # most entries of a legend within the axes
COORDINATES = ["task", "arm", "target_sparsity", "seed", "learning_rate"]


def _intervals(axes: plt.Axes, spread: Means, scale: float) -> None:
    """Draw the interval of each mean, in the colour of its arm and beside the others (see `style.shifts`)."""
    beside = style.shifts(spread.point.index.get_level_values(0))
    for (arm, sparsity), (low, high) in spread.ends().dropna().iterrows():
        if arm not in BOUNDS:
            mean = spread.point[arm, sparsity]
            sides = [[max(scale * (mean - low), 0)], [max(scale * (high - mean), 0)]]
            at = 100 * sparsity + beside[arm]
            axes.errorbar(at, scale * mean, sides, color=look(arm)[0], linewidth=1, alpha=0.8)


def accuracy(cells: pd.DataFrame, borders: Regimes | None = None, spread: Means | None = None, at=()) -> Drawn:
    """Mean dev accuracy by sparsity, one line per arm, with intervals (paper Fig. 1, left); `at`: further sparsities to shade."""
    return _by_sparsity(cells, "dev_accuracy", borders, spread, at)


def train_loss(cells: pd.DataFrame, borders: Regimes | None = None) -> Drawn:
    """Mean loss on the training set by sparsity, one line per arm (paper Fig. 1, right)."""
    return _by_sparsity(cells, "train_loss", borders)


def _by_sparsity(cells: pd.DataFrame, value: str, regimes: Regimes | None, spread=None, at=()) -> Drawn:
    """A value of the selected cells, mean over tasks; dense and scratch as horizontal lines, intervals as bars."""
    name, label, words, scale, form = VALUES[value]
    above = cells.arm.nunique() if cells.arm.nunique() > MOST_INSIDE else 0  # entries of a legend above the axes
    figure, axes = panel(height=3.8 + 0.13 * above)
    means, table = mean_over_tasks(cells, value), points(cells, value, scale, spread)
    _arms(axes, means, value, scale)
    if spread:
        _intervals(axes, spread, scale)
    if regimes:
        style.shade(axes, regimes, sorted({*from_dense(means).target_sparsity, *at}))
    axes.set(xlabel=PERCENT, ylabel=f"mean {label}")
    _legend(figure) if above else axes.legend()
    alt = lines(f"Mean {words}", series(table), form)
    return Drawn(figure, name, alt, table, caption(cells, value, spread, shaded=regimes is not None))


def _arms(axes: plt.Axes, points: pd.DataFrame, value: str, scale: float) -> None:
    """A value by sparsity, one line per pruned arm, and horizontal lines for dense and scratch."""
    style.mean_lines(axes, from_dense(points), "arm", value, scale)
    for name, (colour, line, text) in BOUNDS.items():
        if len(bound := points[points.arm == name]):
            axes.axhline(scale * bound[value].mean(), color=colour, linestyle=line, linewidth=1.2, label=text, zorder=1)


def _grid(count: int, height: float, label: str, **sharing) -> tuple[Figure, list[plt.Axes]]:
    """Panels of figures by sparsity, three per row, `height` inches each."""
    across, down = min(count, 3), -(-count // 3)
    figure, every = panels(down, across, max(5.6, 3.4 * across + 0.6), height * down + 0.4, **sharing)
    figure.supxlabel(PERCENT, fontsize=12)
    for axes in every[::across]:
        axes.set_ylabel(label)
    for axes in every[count:]:
        axes.set_axis_off()
    return figure, every[:count]


def _legend(figure: Figure) -> None:
    """One legend above all panels, of the lines of any of them."""
    named = {}
    for axes in figure.axes:
        named |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    columns = 2 if len(figure.axes) == 1 else 4 if len(named) == 4 else 3
    figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=columns)


def by_task(cells: pd.DataFrame, value: str = "dev_accuracy") -> Drawn:
    """A value ("dev_accuracy" or "train_loss") by sparsity, one panel per task, three per row."""
    _, label, _, scale, _ = VALUES[value]
    tasks, best = sorted(cells.task.unique()), cells[cells.selected]
    in_order(cells.arm)  # all arms get their looks, whatever the first task has
    figure, every = _grid(len(tasks), 3.2, label)
    for axes, task in zip(every, tasks, strict=True):
        _arms(axes, best[best.task == task], value, scale)
        axes.set_title(task)
    _legend(figure)
    alt = f"{label} by sparsity, one panel per task: {', '.join(tasks)}"
    text = caption(cells.drop(columns="compared", errors="ignore"), value).replace("Means over", "Tasks", 1)
    return Drawn(figure, "by_task" if value == "dev_accuracy" else value, alt, best[[*COORDINATES, value]], text)


def split(table: pd.DataFrame, text: str) -> Drawn:
    """The parts of the fall in accuracy by sparsity, one panel per task and one of their mean; bars are intervals.

    `table`: see `factorial.table`; `text`: the caption.
    """
    tasks = list(table.task.unique())
    figure, every = _grid(len(tasks), 3.6, "points of accuracy", sharey=True)
    for axes, task in zip(every, tasks, strict=True):
        part = table[table.task == task]
        for place, (effect, arm) in enumerate(EFFECTS.items()):
            value, (colour, marker, _) = part[effect], look(arm)
            sides = [value - part[f"{effect}_low"], part[f"{effect}_high"] - value]
            at, line = 100 * part.target_sparsity + 0.8 * (place - 1.5), "-" if effect == "total" else "--"
            axes.errorbar(at, value, sides, color=colour, marker=marker, markersize=5, linestyle=line, label=effect)
        axes.axhline(0, color=GREY, linewidth=1, linestyle=":", zorder=1)
        axes.set_title(task.strip("()"))
    _legend(figure)
    first = table[table.task == tasks[0]].set_index("target_sparsity")[[*EFFECTS]]
    alt = lines(f"Points of accuracy against dense, {tasks[0].strip('()')}", first.rename_axis("sparsity"), "{:+z.1f}")
    return Drawn(figure, "factorial", minus(alt), table, text)


def bit_of_bert(cells: pd.DataFrame, fits: pd.DataFrame) -> Drawn:
    """Information-deletion accuracy against pre-training loss, one least-squares line per task (paper Fig. 2, left).

    `fits`: see `linearity.table`.
    """
    arms = cells.arm.isin(["dense", "information_deletion"])
    chosen = cells[cells.selected & arms & cells.task.isin(fits.task)].dropna(subset="pretrain_loss")
    chosen = chosen[[*COORDINATES, "pretrain_loss", "dev_accuracy"]]
    figure, axes = panel()
    colours = sns.color_palette("colorblind", len(fits))
    for colour, marker, fit in zip(colours, cycle(MARKERS), fits.itertuples(), strict=False):
        every = chosen[chosen.task == fit.task]
        axes.scatter(every.pretrain_loss, 100 * every.dev_accuracy, color=colour, marker=marker, s=22)
        points = every[~every.target_sparsity.map(percent).isin(fit.left_out.split(", "))]
        loss = points.pretrain_loss
        middle = points.groupby(["seed", "target_sparsity"])[["pretrain_loss", "dev_accuracy"]].mean().mean()
        ends = np.array([loss.min(), loss.max()])
        line = 100 * middle.dev_accuracy + fit.slope * (ends - middle.pretrain_loss)
        label = f"{fit.task}: {minus(f'{fit.slope:+.1f}')} points per nat"
        axes.plot(ends, line, color=colour, linewidth=1.4, label=label)
    axes.set(xlabel="held-out pre-training loss (nats)", ylabel="dev accuracy, information deletion (%)")
    axes.legend()
    slopes = ", ".join(f"{fit.task} {fit.slope:+.1f}" for fit in fits.itertuples())
    text = "*Each dot is one seed at one sparsity; lines are least-squares fits.*"
    return Drawn(figure, "bit_of_bert", f"Dev accuracy by pre-training loss, points per nat: {slopes}", chosen, text)


def beside(both: pd.DataFrame) -> Drawn:
    """Dev accuracies of a study against those of the paper, for the cells that both have; dotted: equality."""
    figure, axes = panel()
    for arm in in_order(both.arm):
        (colour, marker, label), group = look(arm), both[both.arm == arm]
        axes.scatter(group.theirs, group.ours, color=colour, marker=marker, s=30, label=label)
    ends = [both[["ours", "theirs"]].min(axis=None), both[["ours", "theirs"]].max(axis=None)]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":")
    axes.set(xlabel="dev accuracy in the paper (%)", ylabel="dev accuracy here (%)")
    axes.legend()
    alt = f"{len(both)} dev accuracies of this study against those of the paper, percent"
    text = "*One point per arm, sparsity and task; dotted: equal accuracies.*"
    return Drawn(figure, "beside", alt, both, text)


def costs(frame: pd.DataFrame, studies: dict[str, Compared]) -> Drawn:
    """Accuracy lost by sparsity, one panel per study, one line per arm; bars are intervals, bands are regimes."""
    figure, every = _grid(len(studies), 3.6, "points from dense", sharey=True)
    for axes, (name, one) in zip(every, studies.items(), strict=True):
        part = frame[frame.study == name]
        beside = style.shifts(part.arm)
        for arm in in_order(part.arm):
            (colour, marker, label), line = look(arm), part[part.arm == arm].sort_values("sparsity")
            sides = [(line.high - line.cost).clip(lower=0), (line.cost - line.low).clip(lower=0)]
            at = 100 * line.sparsity + beside[arm]
            axes.errorbar(at, -line.cost, sides, color=colour, marker=marker, label=label)
        axes.axhline(0, color=INK, linestyle="--", linewidth=1.2, label="dense", zorder=1)
        if one.whole:
            style.shade(axes, one.regimes, [0.0, *sorted(part.sparsity.unique())])
        axes.set_title(name, pad=22)
    _legend(figure)
    first = frame[frame.arm == "pretrain"].pivot_table(index="sparsity", columns="study", values="cost")
    alt = lines("Points of accuracy lost by the model pruned in pre-training", first)
    text = (
        "*Mean dev accuracy over each study's own tasks, minus that of its dense model; bars are 95 % intervals where "
        "seeds were repeated.*"
    )
    return Drawn(figure, "costs", alt, frame, text)
