"""Figures of a study's findings: seeds are dots, means are lines, intervals are bars."""

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
from prune_utils.report.escaping import legend
from prune_utils.report.style import BOUNDS, GREY, INK, MARKERS, PERCENT, REGIME_SHADES, STYLE, panel, panels

COORDINATES = ["task", "arm", "target_sparsity", "seed", "learning_rate"]


def mean_lines(axes: plt.Axes, points: pd.DataFrame, by: str, value: str, scale: float = 1) -> None:
    """A line through each group's means over seeds, and a dot for each seed."""
    for name, (colour, marker, label) in STYLE.items():
        group = points[points[by] == name]
        if group.empty:
            continue
        mean = group.groupby("target_sparsity")[value].mean()
        axes.plot(100 * mean.index, scale * mean, color=colour, marker=marker, label=label, markersize=6)
        if group.seed.nunique() > 1:
            axes.scatter(100 * group.target_sparsity, scale * group[value], color=colour, s=10, alpha=0.5, linewidths=0)


def _intervals(axes: plt.Axes, draws: Draws, scale: float) -> None:
    """A bar for the interval of each mean that has one, in its arm's colour."""
    for (arm, sparsity), (low, high) in draws.ends().dropna().iterrows():
        if arm in STYLE and sparsity > 0:
            mean = draws.point[arm, sparsity]
            sides = [[max(scale * (mean - low), 0)], [max(scale * (high - mean), 0)]]
            axes.errorbar(100 * sparsity, scale * mean, sides, color=STYLE[arm][0], linewidth=1, alpha=0.8)


def shade(axes: plt.Axes, regimes: Regimes, sparsities: list[float]) -> None:
    """Bands of the regimes; a border lies half-way between two sparsities measured."""
    if not sparsities:
        return
    borders = [100 * s for s in sparsities]
    edges = [borders[0], *((a + b) / 2 for a, b in zip(borders, borders[1:], strict=False)), borders[-1]]
    bands = {}
    for s, left, right in zip(sparsities, edges, edges[1:], strict=False):
        first, last = bands.get(regimes.of(s), (left, right))
        bands[regimes.of(s)] = (min(first, left), max(last, right))
    for name, (left, right) in bands.items():
        axes.axvspan(left, right, color=REGIME_SHADES[name], zorder=0, linewidth=0)
        axes.annotate(
            name,
            ((left + right) / 2, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=10,
            color=INK,
        )


def points(
    cells: pd.DataFrame, value: str, scale: float = 1, draws: Draws | None = None, by: str = "arm"
) -> pd.DataFrame:
    """The numbers behind `by_sparsity`: a row an arm and sparsity (percent), columns mean, a column a seed, and with
    `draws` the interval's low and high."""
    means = mean_over_tasks(cells, value) if by == "arm" else cells
    seeds = scale * means.pivot_table(index=[by, "target_sparsity"], columns="seed", values=value)
    table = seeds.add_prefix("seed ").assign(mean=seeds.mean(axis=1))
    if draws:
        table = table.join(scale * draws.ends())
    table.index = table.index.set_levels((100 * table.index.levels[1]).round(6), level=1)
    return table.rename_axis([by, "sparsity (%)"])


def series(table: pd.DataFrame) -> pd.DataFrame:
    """The means of `points`, a column a line, named as in the legend."""
    names = {name: label for name, (_, _, label) in (STYLE | BOUNDS).items()}
    return table["mean"].unstack(0).rename(columns=names)


def by_sparsity(
    cells: pd.DataFrame,
    value: str,
    label: str,
    scale: float = 1,
    regimes: Regimes | None = None,
    draws: Draws | None = None,
) -> Figure:
    """A value of the fine-tuned cells, mean over tasks, by sparsity: one line an arm, dense and scratch as bounds;
    with `draws` of that value a bar for the interval of each mean."""
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


def by_task(cells: pd.DataFrame, value: str, label: str, scale: float = 1) -> Figure:
    """The same for every task on its own, three in a row."""
    tasks = sorted(cells.task.unique())
    across, down = min(len(tasks), 3), -(-len(tasks) // 3)
    figure, every = panels(down, across, max(5.6, 3.4 * across + 0.6), 3.2 * down + 0.4)
    for axes, task in zip(every, tasks, strict=False):
        one = cells[(cells.task == task) & cells.selected]
        mean_lines(axes, from_dense(one), "arm", value, scale)
        for name, (colour, line, text) in BOUNDS.items():
            if (one.arm == name).any():
                axes.axhline(
                    scale * one[one.arm == name][value].mean(), color=colour, linestyle=line, label=text, zorder=1
                )
        axes.set(title=task, xlabel="sparsity (%)", ylabel=label if axes in every[::across] else "")
    for axes in every[len(tasks) :]:
        axes.set_axis_off()
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if across == 1 else 3)
    return figure


def bits(cells: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """The cells behind `bit_of_bert`: COORDINATES, pretrain_loss (nats), dev_accuracy (share)."""
    chosen = cells[cells.selected & cells.arm.isin(["dense", "information_deletion"]) & cells.task.isin(fits.task)]
    return chosen.dropna(subset="pretrain_loss")[[*COORDINATES, "pretrain_loss", "dev_accuracy"]]


def bit_of_bert(cells: pd.DataFrame, fits: pd.DataFrame) -> Figure:
    """Information-deletion accuracy over pre-training loss, a straight line through each task's points."""
    figure, axes = panel()
    chosen = bits(cells, fits)
    colours = sns.color_palette("colorblind", len(fits))
    for colour, marker, fit in zip(colours, cycle(MARKERS), fits.itertuples(), strict=False):
        points = chosen[chosen.task == fit.task]
        loss, accuracy = points.pretrain_loss, 100 * points.dev_accuracy
        axes.scatter(loss, accuracy, color=colour, marker=marker, s=22)
        middle = points.groupby(["seed", "target_sparsity"])[["pretrain_loss", "dev_accuracy"]].mean().mean()
        ends = np.array([loss.min(), loss.max()])
        line = 100 * middle.dev_accuracy + fit.slope * (ends - middle.pretrain_loss)
        axes.plot(ends, line, color=colour, linewidth=1.4, label=f"{legend(fit.task)}: {fit.slope:+.1f} points a nat")
    axes.set(xlabel="held-out pre-training loss (nats)", ylabel="dev accuracy, information deletion (%)")
    axes.legend()
    return figure


def beside(both: pd.DataFrame) -> Figure:
    """Ours over theirs: dev accuracies of the cells that a study and the paper share, and where they would agree."""
    figure, axes = panel()
    for arm, (colour, marker, label) in {**STYLE, "dense": (INK, "D", "dense")}.items():
        group = both[both.arm == arm]
        if len(group):
            axes.scatter(group.theirs, group.ours, color=colour, marker=marker, s=30, label=label)
    ends = [both[["ours", "theirs"]].to_numpy().min(), both[["ours", "theirs"]].to_numpy().max()]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":")
    axes.set(xlabel="dev accuracy in the paper (%)", ylabel="dev accuracy here (%)")
    axes.legend()
    return figure


def costs(frame: pd.DataFrame, studies: dict[str, Compared]) -> Figure:
    """Points lost by sparsity, a panel a study, a line an arm, bars for intervals, each over its own regimes."""
    across, down = min(len(studies), 3), -(-len(studies) // 3)
    figure, every = panels(down, across, max(5.6, 3.6 * across), 3.6 * down + 0.4, sharey=True)
    for axes, (name, one) in zip(every, studies.items(), strict=False):
        part = frame[frame.study == name]
        for arm, (colour, marker, label) in STYLE.items():
            line = part[part.arm == arm].sort_values("sparsity")
            if len(line):
                sides = [(line.cost - line.low).clip(lower=0), (line.high - line.cost).clip(lower=0)]
                axes.errorbar(100 * line.sparsity, -line.cost, sides[::-1], color=colour, marker=marker, label=label)
        axes.axhline(0, color=INK, linestyle="--", linewidth=1.2, label="dense", zorder=1)
        shade(axes, one.regimes, [0.0, *sorted(part.sparsity.unique())])
        axes.set_title(name, pad=22)
        axes.set(xlabel="sparsity (%)", ylabel="points from dense" if axes in every[::across] else "")
    for axes in every[len(studies) :]:
        axes.set_axis_off()
    named = {}
    for axes in every:
        named |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3)
    return figure
