"""Figures of prunability (paper §5): how far fine-tuning moves weights and masks, and what fine-tuning first is worth."""

from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.report.escaping import legend
from prune_utils.report.style import INK, MARKERS, PERCENT, panel, panels

MOVED = "mean movement (% of the sort order)"
DIFFERENT = "mask entries that differ (%)"


def _lines(axes: plt.Axes, frame: pd.DataFrame, x: str, y: str, x_scale: float = 1, **style) -> None:
    """A line a task through the means, in percent, and a dot for each seed."""
    tasks = list(dict.fromkeys(frame.task))
    for task, colour, marker in zip(tasks, sns.color_palette("colorblind", len(tasks)), cycle(MARKERS), strict=False):
        one = frame[frame.task == task]
        mean = one.groupby(x)[y].mean()
        axes.plot(
            x_scale * mean.index, 100 * mean, **{"color": colour, "marker": marker, "label": legend(task), **style}
        )
        if one.seed.nunique() > 1:
            seeds = one.groupby([x, "seed"])[y].mean().reset_index()
            axes.scatter(x_scale * seeds[x], 100 * seeds[y], color=colour, s=10, alpha=0.5, linewidths=0)


def by_task(frame: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """The means that a figure draws, in percent: a row a value of `x`, a column a task."""
    return 100 * frame.pivot_table(index=x, columns="task", values=y)


def _legend(axes: plt.Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def movement_by_learning_rate(movement: pd.DataFrame) -> Figure:
    """Mean movement of each task's dense model, by learning rate (Table 2)."""
    figure, axes = panel(width=7.4)  # the legend stands beside
    sns.barplot(
        movement.assign(
            mean=100 * movement["mean"],
            rate=movement.learning_rate.map("{:g}".format),
            task=movement.task.map(legend),
        ),
        x="rate",
        y="mean",
        hue="task",
        palette="colorblind",
        saturation=1,
        width=0.6,
        errorbar=None,
        ax=axes,
    )
    axes.set(xlabel="learning rate", ylabel=MOVED, xlim=(-0.8, movement.learning_rate.nunique() - 0.2))
    _legend(axes)
    return figure


def movement_by_epochs(first: pd.DataFrame) -> Figure:
    """Mean movement by epochs of fine-tuning, each count a training of its own (Fig. 4)."""
    figure, axes = panel(width=7.4)
    _lines(axes, first, "epochs", "movement_mean")
    axes.set(xlabel="epochs of fine-tuning", ylabel=MOVED, xticks=sorted(first.epochs.unique()))
    _legend(axes)
    return figure


def movement_by_rank(by_rank: pd.DataFrame) -> Figure:
    """Mean movement by the rank that a weight started from, mean over learning rates (Fig. 6)."""
    figure, axes = panel(width=7.4)
    deciles = sorted(by_rank.decile.unique())
    _lines(axes, by_rank, "decile", "mean")
    axes.set(xlabel="starting rank (decile, 10: the largest weights)", ylabel=MOVED, xticks=deciles)
    axes.set_ylim(bottom=0)
    _legend(axes)
    return figure


def mask_difference(differences: pd.DataFrame) -> Figure:
    """Masks after fine-tuning against those of pre-training, and against those before fine-tuning (Fig. 3 left)."""
    figure, axes = panel(width=7.4)
    _lines(axes, differences, "sparsity", "difference", x_scale=100)
    alone = {"linestyle": ":", "label": None, "markerfacecolor": "white"}
    _lines(axes, differences, "sparsity", "difference_fine_tuning_alone", x_scale=100, **alone)
    axes.plot([], [], color=INK, label="from masks of pre-training")
    axes.plot([], [], color=INK, linestyle=":", label="by fine-tuning alone")
    axes.set(xlabel=PERCENT, ylabel=DIFFERENT)
    axes.set_ylim(bottom=0)
    _legend(axes)
    return figure


def fine_tune_first(first: pd.DataFrame) -> Figure:
    """Dev accuracy after pruning, and mask difference, by epochs of fine-tuning before it (Fig. 3 right)."""
    figure, (left, right) = panels(1, 2, 9.6, 3.6)
    _lines(left, first, "epochs", "dev_accuracy")
    _lines(right, first, "epochs", "difference")
    left.set(ylabel="dev accuracy (%)")
    right.set(ylabel=DIFFERENT)
    for axes in (left, right):
        axes.set(xlabel="epochs of fine-tuning before pruning", xticks=sorted(first.epochs.unique()))
    _legend(right)
    return figure
