"""Figures of fine-tuning first (paper §5): movement of weights, mask differences, accuracy after pruning."""

from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from prune_utils.report.captions import numbered
from prune_utils.report.style import INK, MARKERS, PERCENT, Drawn, lines, panel, panels

MOVED = "mean movement (% of the sort order)"
DIFFERENT = "mask entries that differ (%)"


def _task_lines(axes: plt.Axes, frame: pd.DataFrame, x: str, y: str, x_scale: float = 1, **style) -> None:
    """One line per task through the means (percent), one dot per seed."""
    tasks = list(dict.fromkeys(frame.task))
    for task, colour, marker in zip(tasks, sns.color_palette("colorblind", len(tasks)), cycle(MARKERS), strict=False):
        one = frame[frame.task == task]
        mean = one.groupby(x)[y].mean()
        axes.plot(x_scale * mean.index, 100 * mean, **{"color": colour, "marker": marker, "label": task, **style})
        if one.seed.nunique() > 1:
            seeds = one.groupby([x, "seed"])[y].mean().reset_index()
            axes.scatter(x_scale * seeds[x], 100 * seeds[y], color=colour, s=10, alpha=0.5, linewidths=0)


def _alt(what: str, frame: pd.DataFrame, x: str, y: str) -> str:
    """Alternative text from the means in percent, by `x` and task."""
    return lines(what, 100 * frame.pivot_table(index=x, columns="task", values=y))


def _caption(frame: pd.DataFrame) -> str:
    """The seeds of a frame, and what its points are."""
    points = "one run per point" if frame.learning_rate.nunique() == 1 else "means over learning rates"
    said = "each small dot is one seed, lines join their means" if frame.seed.nunique() > 1 else points
    return f"*{numbered(frame).capitalize()}: {said}.*"


def _legend(axes: plt.Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def movement_by_learning_rate(movement: pd.DataFrame) -> Drawn:
    """Mean movement of the dense model of each task by learning rate (paper Table 2)."""
    figure, axes = panel(width=7.4)  # room for the legend
    sns.barplot(
        movement.assign(
            mean=100 * movement["mean"],
            rate=movement.learning_rate.map("{:g}".format),
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
    alt = _alt("Bars: mean movement, percent of the sort order", movement, "learning_rate", "mean")
    return Drawn(
        figure, "by_learning_rate", alt, movement, f"*{numbered(movement).capitalize()}; bars are means over seeds.*"
    )


def movement_by_epochs(first: pd.DataFrame) -> Drawn:
    """Mean movement by epochs of fine-tuning; each number of epochs is a separate training (paper Fig. 4)."""
    figure, axes = panel(width=7.4)
    _task_lines(axes, first, "epochs", "movement_mean")
    axes.set(xlabel="epochs of fine-tuning", ylabel=MOVED, xticks=sorted(first.epochs.unique()))
    _legend(axes)
    alt = _alt("Mean movement, percent of the sort order", first, "epochs", "movement_mean")
    return Drawn(figure, "by_epochs", alt, first, _caption(first))


def movement_by_rank(ranks: pd.DataFrame) -> Drawn:
    """Mean movement by starting rank, mean over learning rates (paper Fig. 6)."""
    figure, axes = panel(width=7.4)
    deciles = sorted(ranks.decile.unique())
    _task_lines(axes, ranks, "decile", "mean")
    axes.set(xlabel="starting rank (decile, 10: the largest weights)", ylabel=MOVED, xticks=deciles)
    axes.set_ylim(bottom=0)
    _legend(axes)
    alt = _alt("Mean movement, percent of the sort order", ranks, "decile", "mean")
    return Drawn(figure, "by_rank", alt, ranks, _caption(ranks))


def mask_difference(differences: pd.DataFrame) -> Drawn:
    """Mask differences by sparsity: masks after fine-tuning against those of pre-training and before fine-tuning.

    Paper Fig. 3, left.
    """
    figure, axes = panel(width=7.4)
    _task_lines(axes, differences, "sparsity", "difference", x_scale=100)
    alone = {"linestyle": ":", "label": None, "markerfacecolor": "white"}
    _task_lines(axes, differences, "sparsity", "difference_fine_tuning_alone", x_scale=100, **alone)
    axes.plot([], [], color=INK, label="from masks of pre-training")
    axes.plot([], [], color=INK, linestyle=":", label="by fine-tuning alone")
    axes.set(xlabel=PERCENT, ylabel=DIFFERENT)
    axes.set_ylim(bottom=0)
    _legend(axes)
    alt = _alt("Mask entries that differ, percent", differences, "sparsity", "difference")
    return Drawn(figure, "mask_difference", alt, differences, _caption(differences))


def fine_tune_first(first: pd.DataFrame) -> Drawn:
    """Dev accuracy after pruning, and the share of the mask that fine-tuning changed, by epochs of fine-tuning before it.

    Paper Fig. 3, right.
    """
    figure, (left, right) = panels(1, 2, 9.6, 3.6)
    _task_lines(left, first, "epochs", "dev_accuracy")
    _task_lines(right, first, "epochs", "difference_fine_tuning_alone")
    left.set(ylabel="dev accuracy (%)")
    right.set(ylabel="mask changed by fine-tuning (%)")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set(xlabel="epochs of fine-tuning before pruning", xticks=sorted(first.epochs.unique()))
    _legend(right)
    alt = _alt("Dev accuracy after pruning, percent", first, "epochs", "dev_accuracy")
    return Drawn(figure, "fine_tune_first", alt, first, _caption(first))
