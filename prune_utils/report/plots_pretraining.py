"""Figures of one pre-training run: its schedule, its loss, its masks."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from prune_utils.analysis.regimes import Regimes
from prune_utils.pruning.schedule import Schedule
from prune_utils.report.plots_regimes import mean_lines, shade
from prune_utils.report.style import INK, PERCENT, STYLE, panel, shades


def schedule_frame(plans: list[Schedule], steps: int) -> pd.DataFrame:
    """The sparsity asked for (percent): a row a step, a column a target; at most some 400 steps."""
    at = range(0, steps + 1, max(1, steps // 400))
    asked = {f"{plan.target_sparsity:.0%}": [100 * plan.sparsity(t) for t in at] for plan in plans}
    return pd.DataFrame(asked, index=pd.Index(at, name="optimiser step"))


def schedule(frame: pd.DataFrame) -> Figure:
    """The sparsity asked for, step by step."""
    figure, axes = _by_step(frame, height=2.8)
    axes.set(ylabel="sparsity (%)", ylim=(-2, 102))
    return figure


def loss_frame(results: list[dict]) -> pd.DataFrame:
    """The training loss of each run as it was logged (nats): a row a step, a column a target."""
    logged = {
        f"{result['target_sparsity']:.0%}": pd.Series({h["step"]: h["loss"] for h in result["history"]})
        for result in results
    }
    return pd.DataFrame(logged).rename_axis("optimiser step")


def training_loss(frame: pd.DataFrame, ramp_steps: int | None = None) -> Figure:
    """The training loss, step by step; with `ramp_steps`, the end of the pruning ramp is marked."""
    figure, axes = _by_step(frame, height=3.0)
    if ramp_steps:
        axes.axvline(ramp_steps, color=INK, linestyle="--", linewidth=1)
    axes.set(ylabel="training loss (nats)")
    return figure


def matrix_frame(masks: dict[str, Tensor]) -> pd.DataFrame:
    """The pruned share of every matrix (percent): a row a matrix."""
    shares = {name.removesuffix(".weight"): 100 * (1 - mask.float().mean().item()) for name, mask in masks.items()}
    return pd.Series(shares, name="pruned weights (%)").rename_axis("matrix").to_frame()


def matrix_sparsity(frame: pd.DataFrame, target: float) -> Figure:
    """The realised sparsity of every matrix, of the first forty, beside the target."""
    shares = frame.iloc[:40, 0]
    figure, axes = panel(width=7.0, height=0.6 + 0.22 * len(shares))
    axes.barh(shares.index, shares, color=STYLE["gradual"][0], height=0.7)
    axes.axvline(100 * target, color=INK, linestyle="--", linewidth=1.2)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel=shares.name, xlim=(0, 100))
    return figure


def _by_step(frame: pd.DataFrame, height: float) -> tuple[Figure, plt.Axes]:
    """A line a column, over optimiser steps."""
    figure, axes = panel(height=height)
    for (target, values), colour in zip(frame.items(), shades(frame.shape[1]), strict=True):
        known = values.dropna()
        axes.plot(known.index, known, color=colour, label=target)
    axes.set(xlabel=frame.index.name)
    _target_legend(axes)
    return figure, axes


def _target_legend(axes: plt.Axes) -> None:
    axes.legend(title="target", loc="center left", bbox_to_anchor=(1, 0.5))


def pretraining_loss(runs: pd.DataFrame, regimes: Regimes | None = None) -> Figure:
    """Held-out pre-training loss by sparsity, one line a method; all of them leave from the 0 % run."""
    figure, axes = panel()
    pruned = runs[runs.method != "dense"]
    start = pruned[(pruned.method == "gradual") & (pruned.target_sparsity == 0)]
    others = [method for method in pruned.method.unique() if method != "gradual"]
    pruned = pd.concat([pruned, *(start.assign(method=method) for method in others)])
    mean_lines(axes, pruned, "method", "pretrain_loss")
    if regimes:
        shade(axes, regimes, sorted(pruned.target_sparsity.unique()))
    axes.set(xlabel=PERCENT, ylabel="held-out MLM + NSP loss (nats)")
    axes.legend()
    return figure
