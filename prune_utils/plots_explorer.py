"""Figures of the explorer: cuts through magnitudes, masks as images, words that fade."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.cuts import Cut, Cuts, blocks
from prune_utils.style import GREY, INK, MARKERS, PERCENT, STYLE, panel, panels

KEPT, PRUNED = STYLE["gradual"][0], "#c9cdd2"


def cut(cuts: Cuts, name: str, ways: dict[str, Cut]) -> Figure:
    """The magnitudes of a matrix with each cut through them, and below it the mask that the cut makes."""
    figure, axes = panels(2, len(ways), 4.4 * len(ways), 5.6, height_ratios=[2, 3])
    top = max(cuts.histogram(name)[0])
    for upper, lower, (way, one) in zip(axes[: len(ways)], axes[len(ways) :], ways.items(), strict=True):
        _histogram(upper, cuts, name, one)
        upper.set(title=way, xlabel="magnitude of the weight", ylim=(0, 1.08 * top))
        _mask(lower, one)
    axes[0].set_ylabel("weights")
    return figure


def _histogram(axes: plt.Axes, cuts: Cuts, name: str, one: Cut) -> None:
    counts, edges = cuts.histogram(name)
    axes.stairs(counts, edges, fill=True, color=KEPT, label=f"kept {one.kept:,}")
    if one.threshold is not None:
        end = min(one.threshold, edges[-1])  # that of all matrices together may lie above all of this one
        below = [*edges[edges < end], end]
        axes.stairs(counts[: len(below) - 1], below, fill=True, color=PRUNED, label=f"pruned {one.pruned:,}")
        axes.axvline(one.threshold, color=INK, linewidth=1.2)
    axes.legend(frameon=False, fontsize=9)


def _mask(axes: plt.Axes, one: Cut) -> None:
    rows, columns = one.mask.shape
    shares = blocks(one.mask)
    colours = sns.blend_palette([KEPT, "#f1f2f4"], as_cmap=True)
    axes.imshow(
        shares, aspect="auto", interpolation="nearest", cmap=colours, vmin=0, vmax=1, extent=(0, columns, rows, 0)
    )
    each = "a pixel a weight" if shares.shape == (rows, columns) else f"{shares.shape[0]} × {shares.shape[1]} blocks"
    axes.set(xlabel=f"mask, {rows:,} × {columns:,}: {each}, blue is kept")


def fading(probabilities: pd.DataFrame, most: int) -> Figure:
    """The words that the 0 % run finds most probable, and what the pruned models think of them: a line a word."""
    figure, axes = panel(7.0, 3.6)
    first = probabilities[probabilities.columns[0]].nlargest(most).index
    for place, (word, colour) in enumerate(zip(first, sns.color_palette("colorblind", len(first)), strict=True)):
        line = 100 * probabilities.loc[word]
        marker, name = MARKERS[place % len(MARKERS)], word.encode("ascii", "backslashreplace").decode()
        axes.plot(100 * line.index, line, color=colour, marker=marker, markersize=5, label=f"“{name}”")
    axes.set(xlabel=PERCENT, ylabel="probability in the blank (%)", ylim=(0, None))
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def marked(figure: Figure, sparsity: float) -> Figure:
    """A figure over sparsity with one of them marked."""
    figure.axes[0].axvline(100 * sparsity, color=GREY, linewidth=6, alpha=0.3, zorder=0)
    return figure
