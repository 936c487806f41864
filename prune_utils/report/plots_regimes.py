"""Figures of accuracies and regimes: dots are seeds, lines are means, bars are intervals."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.analysis.comparison import Compared
from prune_utils.analysis.regimes import Regimes
from prune_utils.analysis.results import from_dense, mean_over_tasks
from prune_utils.analysis.uncertainty import Draws
from prune_utils.report.captions import caption
from prune_utils.report.style import (
    BOUNDS,
    GREY,
    INK,
    MARKERS,
    PERCENT,
    STYLE,
    Drawn,
    in_order,
    lines,
    look,
    mean_lines,
    panel,
    panels,
    shade,
    shifts,
)
from prune_utils.report.tables import points, series
from prune_utils.study.words import POINTS, minus

TASK_LABELS = {"dev_accuracy": ("dev accuracy (%)", POINTS), "train_loss": ("train loss (nats)", 1)}
COORDINATES = ["task", "arm", "target_sparsity", "seed", "learning_rate"]


def _intervals(axes: plt.Axes, draws: Draws, scale: float) -> None:
    """Draw the interval of each mean, in the colour of its arm and beside the others (see `style.shifts`)."""
    beside = shifts(draws.point.index.get_level_values(0))
    for (arm, sparsity), (low, high) in draws.ends().dropna().iterrows():
        if arm not in BOUNDS and sparsity > 0:
            mean = draws.point[arm, sparsity]
            sides = [[max(scale * (mean - low), 0)], [max(scale * (high - mean), 0)]]
            at = 100 * sparsity + beside[arm]
            axes.errorbar(at, scale * mean, sides, color=look(arm)[0], linewidth=1, alpha=0.8)


def accuracy(cells: pd.DataFrame, borders: Regimes | None = None, draws: Draws | None = None) -> Drawn:
    """Mean dev accuracy over tasks by sparsity, one line per arm; with `draws`, intervals (paper Fig. 1, left)."""
    table = points(cells, "dev_accuracy", POINTS, draws)
    figure = _by_sparsity(cells, "dev_accuracy", "mean dev accuracy (%)", POINTS, borders, draws)
    alt = lines("Mean dev accuracy, percent", series(table))
    return Drawn(figure, "accuracy", alt, table, caption(cells, "dev_accuracy", draws, shaded=borders is not None))


def train_loss(cells: pd.DataFrame, borders: Regimes | None = None) -> Drawn:
    """Mean loss on the training set by sparsity, one line per arm (paper Fig. 1, right)."""
    table = points(cells, "train_loss")
    figure = _by_sparsity(cells, "train_loss", "mean train loss (nats)", 1, borders)
    alt = lines("Mean train loss, nats", series(table), "{:.2f}")
    return Drawn(figure, "train_loss", alt, table, caption(cells, "train_loss", shaded=borders is not None))


def _by_sparsity(
    cells: pd.DataFrame,
    value: str,
    label: str,
    scale: float = 1,
    regimes: Regimes | None = None,
    draws: Draws | None = None,
) -> Figure:
    """A value of the selected cells, mean over tasks; dense and scratch as horizontal lines, intervals as bars."""
    figure, axes = panel()
    means = mean_over_tasks(cells, value)
    mean_lines(axes, from_dense(means), "arm", value, scale)
    for name, (colour, line, text) in BOUNDS.items():
        bound = means[means.arm == name]
        if len(bound):
            axes.axhline(scale * bound[value].mean(), color=colour, linestyle=line, linewidth=1.2, label=text, zorder=1)
    if draws:
        _intervals(axes, draws, scale)
    if regimes:
        shade(axes, regimes, sorted(from_dense(means).target_sparsity.unique()))
    axes.set(xlabel=PERCENT, ylabel=label)
    axes.legend(loc="best")
    return figure


def by_task(cells: pd.DataFrame, value: str = "dev_accuracy") -> Drawn:
    """A value ("dev_accuracy" or "train_loss") by sparsity, one panel per task, three per row."""
    label, scale = TASK_LABELS[value]
    tasks = sorted(cells.task.unique())
    across, down = min(len(tasks), 3), -(-len(tasks) // 3)
    in_order(cells.arm)  # all arms get their looks, whatever the first task has
    figure, every = panels(down, across, max(5.6, 3.4 * across + 0.6), 3.2 * down + 0.4)
    for axes, task in zip(every, tasks, strict=False):
        one = cells[(cells.task == task) & cells.selected]
        mean_lines(axes, from_dense(one), "arm", value, scale)
        for name, (colour, line, text) in BOUNDS.items():
            if (one.arm == name).any():
                axes.axhline(
                    scale * one[one.arm == name][value].mean(), color=colour, linestyle=line, label=text, zorder=1
                )
        axes.set(title=task, ylabel=label if axes in every[::across] else "")
    figure.supxlabel(PERCENT, fontsize=12)
    for axes in every[len(tasks) :]:
        axes.set_axis_off()
    _legend(figure, every, 2 if across == 1 else 3)
    alt = f"{label} by sparsity, one panel per task: {', '.join(tasks)}"
    best = cells[cells.selected][[*COORDINATES, value]]
    text = caption(cells.drop(columns="compared", errors="ignore"), value).replace("Means over", "Tasks", 1)
    return Drawn(figure, "by_task" if value == "dev_accuracy" else value, alt, best, text)


def _legend(figure: Figure, every: list[plt.Axes], columns: int) -> None:
    """One legend above all panels, of the lines of any of them."""
    named = {}
    for axes in every:
        named |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=columns)


def bit_of_bert(cells: pd.DataFrame, fits: pd.DataFrame) -> Drawn:
    """Information-deletion accuracy against pre-training loss, one least-squares line per task (paper Fig. 2, left)."""
    arms = cells.arm.isin(["dense", "information_deletion"])
    chosen = cells[cells.selected & arms & cells.task.isin(fits.task)].dropna(subset="pretrain_loss")
    chosen = chosen[[*COORDINATES, "pretrain_loss", "dev_accuracy"]]
    figure, axes = panel()
    colours = sns.color_palette("colorblind", len(fits))
    for colour, marker, fit in zip(colours, cycle(MARKERS), fits.itertuples(), strict=False):
        points = chosen[chosen.task == fit.task]
        loss, accuracy = points.pretrain_loss, 100 * points.dev_accuracy
        axes.scatter(loss, accuracy, color=colour, marker=marker, s=22)
        middle = points.groupby(["seed", "target_sparsity"])[["pretrain_loss", "dev_accuracy"]].mean().mean()
        ends = np.array([loss.min(), loss.max()])
        line = 100 * middle.dev_accuracy + fit.slope * (ends - middle.pretrain_loss)
        axes.plot(
            ends, line, color=colour, linewidth=1.4, label=f"{fit.task}: {minus(f'{fit.slope:+.1f}')} points per nat"
        )
    axes.set(xlabel="held-out pre-training loss (nats)", ylabel="dev accuracy, information deletion (%)")
    axes.legend()
    slopes = ", ".join(f"{fit.task} {fit.slope:+.1f}" for fit in fits.itertuples())
    text = "*Each dot is one seed at one sparsity; lines are least-squares fits.*"
    return Drawn(figure, "bit_of_bert", f"Dev accuracy by pre-training loss, points per nat: {slopes}", chosen, text)


def beside(both: pd.DataFrame) -> Drawn:
    """Dev accuracies of a study against those of the paper, for the cells that both have; dotted: equality."""
    figure, axes = panel()
    for arm, (colour, marker, label) in {**STYLE, "dense": (INK, "D", "dense")}.items():
        group = both[both.arm == arm]
        if len(group):
            axes.scatter(group.theirs, group.ours, color=colour, marker=marker, s=30, label=label)
    ends = [both[["ours", "theirs"]].to_numpy().min(), both[["ours", "theirs"]].to_numpy().max()]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":")
    axes.set(xlabel="dev accuracy in the paper (%)", ylabel="dev accuracy here (%)")
    axes.legend()
    alt = f"{len(both)} dev accuracies of this study against those of the paper, percent"
    text = "*One point per arm, sparsity and task; dotted: equal accuracies.*"
    return Drawn(figure, "beside", alt, both, text)


def costs(frame: pd.DataFrame, studies: dict[str, Compared]) -> Drawn:
    """Accuracy lost by sparsity, one panel per study, one line per arm; bars are intervals, bands are regimes."""
    across, down = min(len(studies), 3), -(-len(studies) // 3)
    figure, every = panels(down, across, max(5.6, 3.6 * across), 3.6 * down + 0.4, sharey=True)
    for axes, (name, one) in zip(every, studies.items(), strict=False):
        part = frame[frame.study == name]
        beside = shifts(part.arm)
        for arm in in_order(part.arm):
            (colour, marker, label), line = look(arm), part[part.arm == arm].sort_values("sparsity")
            sides = [(line.cost - line.low).clip(lower=0), (line.high - line.cost).clip(lower=0)]
            at = 100 * line.sparsity + beside[arm]
            axes.errorbar(at, -line.cost, sides[::-1], color=colour, marker=marker, label=label)
        axes.axhline(0, color=INK, linestyle="--", linewidth=1.2, label="dense", zorder=1)
        shade(axes, one.regimes, [0.0, *sorted(part.sparsity.unique())])
        axes.set_title(name, pad=22)
        axes.set(ylabel="points from dense" if axes in every[::across] else "")
    figure.supxlabel(PERCENT, fontsize=12)
    for axes in every[len(studies) :]:
        axes.set_axis_off()
    _legend(figure, every, 3)
    first = frame[frame.arm == "pretrain"].pivot_table(index="sparsity", columns="study", values="cost")
    alt = lines("Points of accuracy lost by the model pruned in pre-training", first)
    text = (
        "*Mean dev accuracy over each study's own tasks, minus that of its dense model; bars are 95 % intervals where "
        "seeds were repeated.*"
    )
    return Drawn(figure, "costs", alt, frame, text)
