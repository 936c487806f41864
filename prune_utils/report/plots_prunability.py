"""Figures of fine-tuning first (paper §5): movement, mask differences, accuracy after pruning; of other methods; of open questions."""

from dataclasses import replace
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.analysis.findings.forgotten import KINDS
from prune_utils.analysis.findings.stopping import SIGNALS
from prune_utils.report.captions import numbered
from prune_utils.report.style import (
    GREY,
    INK,
    MARKERS,
    PERCENT,
    Drawn,
    dots,
    in_order,
    legend_right,
    lines,
    look,
    panel,
    panels,
    shades,
)
from prune_utils.study.words import minus, percent

MOVED = "mean movement (% of the sort order)"
MOVEMENT = "Mean movement, percent of the sort order"


def _task_lines(axes: plt.Axes, frame: pd.DataFrame, x: str, y: str, x_scale: float = 1, **style) -> None:
    """One line per task through the means (percent), one dot per seed."""
    tasks = list(dict.fromkeys(frame.task))
    for task, colour, marker in zip(tasks, sns.color_palette("colorblind", len(tasks)), cycle(MARKERS), strict=False):
        one = frame[frame.task == task]
        mean, seeds = one.groupby(x)[y].mean(), one.groupby([x, "seed"])[y].mean().reset_index()
        axes.plot(x_scale * mean.index, 100 * mean, **{"color": colour, "marker": marker, "label": task, **style})
        dots(axes, x_scale * seeds[x], 100 * seeds[y], seeds.seed, colour)


def _drawn(figure: Figure, name: str, what: str, frame: pd.DataFrame, x: str, y: str, caption: str = "") -> Drawn:
    """Add the legend; the alternative text is made from the means in percent, by `x` and task."""
    legend_right(figure.axes[-1])
    points = "one run per point" if frame.learning_rate.nunique() == 1 else "means over learning rates"
    said = "each small dot is one seed, lines join their means" if frame.seed.nunique() > 1 else points
    alt = lines(what, 100 * frame.pivot_table(index=x, columns="task", values=y))
    return Drawn(figure, name, alt, frame, f"*{numbered(frame).capitalize()}{caption or f': {said}'}.*")


def movement_by_learning_rate(movement: pd.DataFrame) -> Drawn:
    """Mean movement of the dense model of each task by learning rate (paper Table 2)."""
    figure, axes = panel(width=7.4)  # room for the legend
    bars = movement.assign(mean=100 * movement["mean"], rate=movement.learning_rate.map("{:g}".format))
    look = {"palette": "colorblind", "saturation": 1, "width": 0.6, "errorbar": None}
    sns.barplot(bars, x="rate", y="mean", hue="task", ax=axes, **look)
    axes.set(xlabel="learning rate", ylabel=MOVED, xlim=(-0.8, movement.learning_rate.nunique() - 0.2))
    what, caption = "Bars: mean movement, percent of the sort order", "; bars are means over seeds"
    return _drawn(figure, "by_learning_rate", what, movement, "learning_rate", "mean", caption)


def movement_by_epochs(first: pd.DataFrame, theirs: pd.DataFrame | None = None) -> Drawn:
    """Mean movement by epochs of fine-tuning; each number of epochs is a separate training (paper Fig. 4).

    `theirs`: the same frame of the paper, of which the tasks that are in both are drawn in grey.
    """
    figure, axes = panel(width=7.4)
    _task_lines(axes, first, "epochs", "movement_mean")
    shared = theirs[theirs.task.isin(first.task)] if theirs is not None else first.head(0)
    for (task, one), line in zip(shared.groupby("task", sort=False), cycle(("--", ":", "-.")), strict=False):
        axes.plot(one.epochs, 100 * one.movement_mean, line, color=GREY, label=f"{task}, paper")
    axes.set(xlabel="epochs of fine-tuning", ylabel=MOVED, xticks=sorted({*first.epochs, *shared.epochs}))
    rates = ", ".join(f"{rate:g}" for rate in sorted(first.learning_rate.dropna().unique()))
    drawn = _drawn(figure, "by_epochs", MOVEMENT, first, "epochs", "movement_mean")
    beside = f"; in grey, the paper's, at {shared.learning_rate.iloc[0]:g}" if len(shared) else ""
    named = shared.assign(task=shared.task + ", paper")
    data = pd.concat([first, named], ignore_index=True) if len(shared) else first
    return replace(drawn, data=data, caption=f"{drawn.caption.removesuffix('.*')}; learning rate {rates}{beside}.*")


def movement_by_rank(ranks: pd.DataFrame) -> Drawn:
    """Mean movement by starting rank, mean over learning rates (paper Fig. 6)."""
    figure, axes = panel(width=7.4)
    _task_lines(axes, ranks, "decile", "mean")
    axes.set(xlabel="starting rank (decile, 10: the largest weights)", xticks=sorted(ranks.decile.unique()))
    axes.set(ylabel=MOVED, ylim=(0, None))
    return _drawn(figure, "by_rank", MOVEMENT, ranks, "decile", "mean")


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
    axes.set(xlabel=PERCENT, ylabel="mask entries that differ (%)", ylim=(0, None))
    what = "Mask entries that differ, percent"
    return _drawn(figure, "mask_difference", what, differences, "sparsity", "difference")


def fine_tune_first(first: pd.DataFrame) -> Drawn:
    """Dev accuracy after pruning, and the share of the mask that fine-tuning changed, by epochs of fine-tuning before it.

    Paper Fig. 3, right.
    """
    figure, (left, right) = panels(1, 2, 9.6, 3.6)
    _task_lines(left, first, "epochs", "dev_accuracy")
    _task_lines(right, first, "epochs", "difference_fine_tuning_alone")
    left.set(ylabel="dev accuracy (%)")
    right.set(ylabel="mask changed by fine-tuning (%)", ylim=(0, None))
    for axes in (left, right):
        axes.set(xlabel="epochs of fine-tuning before pruning", xticks=sorted(first.epochs.unique()))
    what = "Dev accuracy after pruning, percent"
    return _drawn(figure, "fine_tune_first", what, first, "epochs", "dev_accuracy")


def methods(table: pd.DataFrame) -> Drawn:
    """Change in mean dev accuracy from dense by arm, best on top, one panel per sparsity; `table`: `findings.methods.table`."""
    at = sorted(int(name.split("_")[1]) for name in table if name.startswith("change_") and name.count("_") == 1)
    ordered = table.assign(mean=table[[f"change_{s}" for s in at]].mean(axis=1)).sort_values("mean").set_index("arm")
    in_order(table.arm)  # all arms get the looks that they have on the first page
    figure, every = panels(1, len(at), 3.0 * len(at) + 2.4, 0.32 * len(ordered) + 1.6, sharey=True)
    for axes, s in zip(every, at, strict=True):
        for place, (arm, row) in enumerate(ordered.iterrows()):
            value, (colour, marker, _) = row[f"change_{s}"], look(arm)
            sides = [[value - row[f"change_{s}_low"]], [row[f"change_{s}_high"] - value]]  # NaN draws no bar
            axes.errorbar(value, place, xerr=sides, color=colour, marker=marker, markersize=7, linestyle="")
        axes.axvline(0, color=INK, linestyle="--", linewidth=1.2, zorder=1)
        axes.set(title=f"{s} %", yticks=range(len(ordered)), yticklabels=[look(arm)[2] for arm in ordered.index])
    figure.supxlabel("points of mean dev accuracy from dense", fontsize=12)
    shown = ordered[[f"change_{s}" for s in at]].T.set_axis(at).rename_axis("sparsity")
    alt = lines("Change in mean dev accuracy from the dense model, points", shown, "{:+.1f}")
    text = "*Dashed: the dense model. Bars are 95 % intervals, not corrected for the number of arms.*"
    return Drawn(figure, "methods", minus(alt), table, text)


def stopping(found: pd.DataFrame, rules: pd.DataFrame) -> Drawn:
    """The fall in accuracy by each signal of pre-training, one panel per signal; a line through 0 for each task, as others fit it.

    `found`, `rules`: see `findings.stopping.falls` and `stops`.
    """
    signals = list(dict.fromkeys(rules.signal))
    figure, every = panels(1, len(signals), 3.6 * len(signals) + 0.6, 3.6, sharey=True)
    for axes, signal in zip(every, signals, strict=True):
        by_task, colours = found.groupby("task"), sns.color_palette("colorblind", found.task.nunique())
        for (task, own), colour, marker in zip(by_task, colours, cycle(MARKERS), strict=False):
            slope = rules[(rules.task == task) & (rules.signal == signal)].slope.mean()
            axes.scatter(own[signal], own.fall, color=colour, marker=marker, s=22, label=task)
            end = own[signal].max()
            axes.plot([0, end], [0, slope * end], color=colour, linewidth=1.2, linestyle="--")
        axes.set(xlabel=SIGNALS[signal])
    every[0].set_ylabel("fall in dev accuracy (points)")
    legend_right(every[-1])
    text = "*Each dot is one seed at one sparsity; dashed: what the other tasks predict, mean over seeds.*"
    shown = rules.groupby(["signal", "task"]).error.mean().unstack()
    said = [f"{SIGNALS[n]}: " + ", ".join(f"{t} {v:.1f}" for t, v in row.items()) for n, row in shown.iterrows()]
    alt = f"Mean error of the predicted fall, points. {'; '.join(said)}."
    return Drawn(figure, "stopping", alt, found, text)


def forgotten(found: pd.DataFrame) -> Drawn:
    """Share of what the dense model gets right that is lost, by kind of example; one line per sparsity.

    `found`: see `findings.forgotten.flips`.
    """
    kinds = {trait: words for trait, words in KINDS.items() if trait in set(found.trait)}
    rows = (len(kinds) + 1) // 2
    figure, every = panels(rows, 2, 9.6, 3.1 * rows, sharey=True)
    every[-1].set_visible(len(kinds) % 2 == 0)
    sparsities = sorted(found.target_sparsity.unique())
    means = found[found.trait.isin(KINDS)].groupby(["trait", "target_sparsity", "group"]).lost.mean()
    for axes, (trait, words) in zip(every[: len(kinds)], kinds.items(), strict=True):
        for sparsity, colour in zip(sparsities, shades(len(sparsities)), strict=True):
            chance, line = sparsity == 0, 100 * means[trait][sparsity]
            label = "another dense model" if chance else percent(sparsity)
            colour, dashes = (GREY, ":") if chance else (colour, "-")
            axes.plot(line.index, line, color=colour, linestyle=dashes, marker="o", label=label)
        ticks = {"1": "none", "2": "some"} if trait == "unseen" else {n: n for n in "123"}
        axes.set(xlabel=words if trait == "unseen" else f"third by {words}")
        axes.set_xticks([*ticks], ticks.values())
    for axes in every[::2]:
        axes.set_ylabel("lost, of what dense\ngets right (%)")
    legend_right(every[1])
    table = 100 * means.unstack("group")
    last = table.ffill(axis=1).iloc[:, -1]
    alt = "; ".join(
        f"{trait}, {percent(s)}: {table['1'][trait, s]:.0f} to {last[trait, s]:.0f}" for trait, s in table.index
    )
    text = "*Means over tasks and seeds; 1: the shortest, those whose rarest token is most frequent, or those of which the dense model is least sure.*"
    return Drawn(figure, "forgotten", f"Percent lost in the first and the last group. {alt}.", found, text)
