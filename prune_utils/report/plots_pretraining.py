"""Figures of pre-training: schedule, loss, masks."""

import pandas as pd
from torch import Tensor

from prune_utils.analysis.regimes import Regimes
from prune_utils.pruning.families import label
from prune_utils.pruning.schedule import Schedule
from prune_utils.report.captions import seeds
from prune_utils.report.style import (
    INK,
    PERCENT,
    STYLE,
    Drawn,
    legend_right,
    lines,
    mean_lines,
    panel,
    panels,
    shade,
    shades,
)
from prune_utils.report.tables import points, series
from prune_utils.study.words import percent

SEED = ", seed "  # between the target and the seed of a run, in the names of its line


def schedule(schedules: list[Schedule], steps: int) -> Drawn:
    """The scheduled sparsity (percent) by step, one line per target, sampled at regular steps."""
    at = range(0, steps + 1, max(1, steps // 400))
    frame = pd.DataFrame(
        {percent(plan.target_sparsity): [100 * plan.sparsity(t) for t in at] for plan in schedules}, at
    )
    text = "*Sparsity of the prunable matrices, one line per target.*"
    drawn = _by_step(frame, "schedule", "Scheduled sparsity, percent", "{:.1f}", text, height=2.8)
    drawn.figure.axes[0].set(ylabel="sparsity (%)", ylim=(-2, 102))
    return drawn


def training_loss(results: list[dict], ramp_steps: int | None = None) -> Drawn:
    """The logged training loss (nats) by step, one line per run; a dashed line marks the end of the ramp."""
    several = len({result["seed"] for result in results}) > 1
    logged = {
        percent(result["target_sparsity"]) + several * f"{SEED}{result['seed']}": pd.Series(
            {entry["step"]: entry["loss"] for entry in result["history"]}
        )
        for result in sorted(results, key=lambda result: result["target_sparsity"])
    }
    end = " The dashed line marks the end of the ramp; from there on, each model has its final sparsity."
    text = f"*Loss on training batches, one run per line.{end if ramp_steps else ''}*"
    drawn = _by_step(pd.DataFrame(logged), "training_loss", "Training loss, nats", "{:.2f}", text, height=3.0)
    if ramp_steps:
        drawn.figure.axes[0].axvline(ramp_steps, color=INK, linestyle="--", linewidth=1)
    drawn.figure.axes[0].set(ylabel="training loss (nats)")
    return drawn


def _by_step(frame: pd.DataFrame, name: str, what: str, form: str, text: str, height: float) -> Drawn:
    """One line per column over optimiser steps; the seeds of a target have its colour and one entry of the legend."""
    frame = frame.rename_axis("optimiser step")
    figure, axes = panel(height=height)
    runs: dict[str, list[str]] = {}
    for column in frame:
        runs.setdefault(column.partition(SEED)[0], []).append(column)
    for (target, columns), colour in zip(runs.items(), shades(len(runs)), strict=True):
        for place, column in enumerate(columns):
            label, width = None if place else target, 1.5 if len(columns) == 1 else 0.9
            axes.plot(frame[column].dropna(), color=colour, label=label, linewidth=width)
    axes.set(xlabel=frame.index.name)
    legend_right(axes, title="target")
    return Drawn(figure, name, lines(what, frame, form), frame, text)


def matrix_sparsity(masks: dict[str, Tensor], target: float) -> Drawn:
    """The sparsity of every matrix (percent) and the target; draws the first forty matrices."""
    shares = {name.removesuffix(".weight"): 100 * (1 - mask.float().mean().item()) for name, mask in masks.items()}
    frame = pd.Series(shares, name="pruned weights (%)").rename_axis("matrix").to_frame()
    drawn = frame.iloc[:40, 0]
    figure, axes = panel(width=7.0, height=0.6 + 0.22 * len(drawn))
    axes.barh([label(f"{name}.weight") for name in drawn.index], drawn, color=STYLE["gradual"][0], height=0.7)
    axes.axvline(100 * target, color=INK, linestyle="--", linewidth=1.2)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel=drawn.name, xlim=(0, 100))
    rest = f" The first {len(drawn)} of {len(frame)} matrices." if len(frame) > len(drawn) else ""
    alt = f"Bars: the pruned share of each of {len(frame)} matrices, beside the target of {percent(target)}"
    text = f"*The run with target {percent(target)}. Dashed: the target.{rest}*"
    return Drawn(figure, "matrices", alt, frame, text)


def pretraining_loss(runs: pd.DataFrame, borders: Regimes | None = None) -> Drawn:
    """Held-out pre-training loss by sparsity, one line per method, all starting at the 0 % run."""
    figure, axes = panel()
    pruned = runs[runs.method != "dense"]
    start = pruned[(pruned.method == "gradual") & (pruned.target_sparsity == 0)]
    others = [method for method in pruned.method.unique() if method != "gradual"]
    pruned = pd.concat([pruned, *(start.assign(method=method) for method in others)])
    mean_lines(axes, pruned, "method", "pretrain_loss")
    if borders:
        shade(axes, borders, sorted(pruned.target_sparsity.unique()))
    axes.set(xlabel=PERCENT, ylabel="held-out pre-training loss (nats)")
    axes.legend()
    table = points(runs, "pretrain_loss", by="method")
    alt = lines("Held-out pre-training loss, nats", series(table), "{:.2f}")
    return Drawn(figure, "pretrain_loss", alt, table, f"*Held-out text; {seeds(runs)}.*")


def less_text(frame: pd.DataFrame, low_ends: pd.DataFrame, changes: pd.DataFrame) -> Drawn:
    """Left: the fall in accuracy by the amount of text, one line per sparsity; right: where low ends. Dots are seeds.

    See `findings.less_text`: `by_text`, `ends` and `trends`.
    """
    figure, (left, right) = panels(1, 2, 9.2, 3.6)
    sparsities = [s for s in sorted(frame.target_sparsity.unique()) if s > 0]
    for sparsity, colour in zip(sparsities, shades(len(sparsities)), strict=True):
        part = frame[frame.target_sparsity == sparsity]
        left.scatter(part.documents, part.fall, color=colour, s=10, alpha=0.6)
        left.plot(part.groupby("documents").fall.mean(), color=colour, marker="o", label=percent(sparsity))
    right.scatter(low_ends.documents, 100 * low_ends.end, color=INK, s=10, alpha=0.6)
    right.plot(100 * low_ends.groupby("documents").end.mean(), color=INK, marker="o")
    left.set(ylabel="fall in mean dev accuracy (points)")
    right.set(ylabel="low until (% sparsity)", ylim=(0, 100))
    at = sorted(frame.documents.unique())
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set(xlabel="documents of pre-training", xticks=at, xticklabels=[f"{count:,}" for count in at])
        axes.minorticks_off()
    left.legend(title="sparsity")
    table = frame.pivot_table(index="documents", columns="target_sparsity", values="fall")
    alt = lines("Fall in mean dev accuracy by documents, points", table.rename(columns=percent), "{:.1f}")
    text = "*Lines: means over seeds. Every model was trained for the same number of steps.*"
    return Drawn(figure, "less_text", alt, changes, text)
