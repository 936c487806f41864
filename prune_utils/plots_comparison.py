"""Figures of several studies."""

import pandas as pd
from matplotlib.figure import Figure

from prune_utils.comparison import Compared
from prune_utils.plots import shade
from prune_utils.style import INK, STYLE, panels


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
