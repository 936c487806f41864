"""Explorer section: the weights of a matrix pruned at a given sparsity, ranked per matrix and over all matrices."""

from functools import cache

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.explorer.controls import follows, labelled, row, table, view, with_slider
from prune_utils.explorer.cuts import Cut, Cuts, blocks, numbers
from prune_utils.explorer.studies import Opened, percent
from prune_utils.inside.heads import matrix_shares
from prune_utils.pruning import names, stored
from prune_utils.report.style import INK, STYLE, Drawn, image, panels, show

WAYS = ("each matrix on its own", "all matrices together")
KEPT, PRUNED = STYLE["gradual"][0], "#c9cdd2"


@cache
def cuts_of(opened: Opened) -> Cuts:
    """The cuts of the 0 % run of the first seed; cached."""
    return Cuts(stored.matrices(opened.checkpoint(0.0)))


def ways(cuts: Cuts, name: str, sparsity: float) -> dict[str, Cut]:
    return dict(zip(WAYS, (cuts.own(name, sparsity), cuts.overall(name, sparsity)), strict=True))


def _drawn(cuts: Cuts, name: str, made: dict[str, Cut], sparsity: float) -> Drawn:
    words = f"Magnitudes of {names.label(name)}, cut at {percent(sparsity)}, and the masks that the cuts make."
    return Drawn(cut(cuts, name, made), "explorer_weights", words, numbers(made))


@view
def figure(opened: Opened):
    """The first attention matrix at 50 % sparsity."""
    cuts = cuts_of(opened)
    name = _first(cuts)
    show(_drawn(cuts, name, ways(cuts, name, 0.5), 0.5))


def _first(cuts: Cuts) -> str:
    return next((name for name in cuts.matrices if names.ATTENTION in name), next(iter(cuts.matrices)))


@view
def slider(opened: Opened) -> ipywidgets.Widget:
    """The same for any matrix and sparsity, with counts."""
    cuts, heads = cuts_of(opened), stored.heads(opened.checkpoint(0.0))
    options = [(names.label(name), name) for name in cuts.matrices]
    matrix = labelled(ipywidgets.Dropdown, "Matrix", options=options, value=_first(cuts))
    sparsity = labelled(ipywidgets.BoundedIntText, "Sparsity (%)", "10em", value=80, min=0, max=99)

    def shown(name: str, whole: int) -> str:
        made = ways(cuts, name, whole / 100)
        one = _drawn(cuts, name, made, whole / 100)
        page = table(one.data, f"{names.label(name)} at {whole} %") + image(one)
        if names.ATTENTION not in name:
            return page
        shares = pd.DataFrame({way: matrix_shares(name, cut.mask, heads) for way, cut in made.items()})
        shares = shares.map(lambda share: f"{100 * share:.2f} %").rename("head {}".format)
        return page + table(shares, "pruned share of each head's part")

    return ipywidgets.VBox([row(matrix, with_slider(sparsity)), follows(shown, matrix, sparsity)])


def cut(cuts: Cuts, name: str, ways: dict[str, Cut]) -> Figure:
    """Histogram of the magnitudes with each cut, and the resulting mask below."""
    figure, axes = panels(2, len(ways), 4.4 * len(ways), 5.6, height_ratios=[2, 3])
    counts, edges = cuts.histogram(name)
    for upper, lower, (way, one) in zip(axes[: len(ways)], axes[len(ways) :], ways.items(), strict=True):
        _histogram(upper, counts, edges, one)
        upper.set(title=way, xlabel="magnitude of the weight", ylim=(0, 1.08 * max(counts)))
        _mask(lower, one.mask)
    axes[0].set_ylabel("weights")
    return figure


def _histogram(axes: plt.Axes, counts: np.ndarray, edges: np.ndarray, one: Cut) -> None:
    axes.stairs(counts, edges, fill=True, color=KEPT, label=f"kept {one.kept:,}")
    if one.threshold is not None:
        # the threshold of all matrices together may exceed every magnitude of this one
        end = min(one.threshold, edges[-1])
        below = [*edges[edges < end], end]
        axes.stairs(counts[: len(below) - 1], below, fill=True, color=PRUNED, label=f"pruned {one.pruned:,}")
        axes.axvline(one.threshold, color=INK, linewidth=1.2)
    axes.legend(fontsize=9)


def _mask(axes: plt.Axes, mask) -> None:
    (rows, columns), shares = mask.shape, blocks(mask)
    colours, extent = sns.blend_palette([KEPT, "#f1f2f4"], as_cmap=True), (0, columns, rows, 0)
    axes.imshow(shares, aspect="auto", interpolation="nearest", cmap=colours, vmin=0, vmax=1, extent=extent)
    each = "one pixel per weight" if shares.shape == mask.shape else f"{shares.shape[0]} × {shares.shape[1]} blocks"
    axes.set(xlabel=f"mask, {rows:,} × {columns:,}: {each}, blue is kept")
