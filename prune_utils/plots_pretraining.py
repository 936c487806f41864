"""Figures of one pre-training run: its schedule, its loss, its masks."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from prune_utils.schedule import Schedule
from prune_utils.style import STYLE, panel, shades


def schedule(plans: list[Schedule], steps: int) -> Figure:
    """The sparsity asked for, step by step."""
    figure, axes = panel(height=2.8)
    at = range(0, steps + 1, max(1, steps // 400))
    for plan, colour in zip(plans, shades(len(plans)), strict=True):
        axes.plot(list(at), [100 * plan.sparsity(t) for t in at], color=colour, label=f"{plan.target_sparsity:.0%}")
    axes.set(xlabel="optimiser step", ylabel="sparsity (%)", ylim=(-2, 102))
    _target_legend(axes)
    return figure


def training_loss(results: list[dict], ramp_steps: int | None = None) -> Figure:
    """The training loss of each run as it was logged; with `ramp_steps`, the end of the pruning ramp is marked."""
    figure, axes = panel(height=3.0)
    for result, colour in zip(results, shades(len(results)), strict=True):
        axes.plot(
            [h["step"] for h in result["history"]],
            [h["loss"] for h in result["history"]],
            color=colour,
            label=f"{result['target_sparsity']:.0%}",
        )
    if ramp_steps:
        axes.axvline(ramp_steps, color="#333333", linestyle="--", linewidth=1)
    axes.set(xlabel="optimiser step", ylabel="training loss (nats)")
    _target_legend(axes)
    return figure


def matrix_sparsity(masks: dict, target: float) -> Figure:
    """The realised sparsity of every matrix, beside the target."""
    figure, axes = panel(width=7.0, height=0.6 + 0.22 * min(len(masks), 40))
    shares = {name.removesuffix(".weight"): 100 * (1 - mask.float().mean().item()) for name, mask in masks.items()}
    names = list(shares)[:40]
    axes.barh(names, [shares[name] for name in names], color=STYLE["gradual"][0], height=0.7)
    axes.axvline(100 * target, color="#333333", linestyle="--", linewidth=1.2)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel="pruned weights (%)", xlim=(0, 100))
    return figure


def _target_legend(axes: plt.Axes) -> None:
    axes.legend(title="target", frameon=False, fontsize=9, title_fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
