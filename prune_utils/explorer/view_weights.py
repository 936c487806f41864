"""Explorer section: the weights of a matrix pruned at a given sparsity, ranked per matrix and over all matrices."""

from functools import cache

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from prune_utils.explorer.controls import follows, labelled, row, table, view, with_slider
from prune_utils.explorer.cuts import Cut, Cuts, blocks, numbers
from prune_utils.explorer.studies import Opened, percent
from prune_utils.inside.heads import matrix_shares
from prune_utils.pruning import names, stored
from prune_utils.report import style
from prune_utils.report.style import INK, STYLE, panels

WAYS = ("each matrix on its own", "all matrices together")
FIRST = 0.5  # sparsity that is shown first


@cache
def cuts_of(opened: Opened) -> Cuts:
    """The cuts of the 0 % run of the first seed; cached."""
    return Cuts(stored.matrices(opened.checkpoint(0.0, opened.trained().grid.seeds[0])))


def ways(cuts: Cuts, name: str, sparsity: float) -> dict[str, Cut]:
    return dict(zip(WAYS, (cuts.own(name, sparsity), cuts.overall(name, sparsity)), strict=True))


def shares(opened: Opened, name: str, made: dict[str, Cut]) -> pd.DataFrame | None:
    """Pruned share of each head, one column per way of ranking; None for a matrix without heads."""
    heads = stored.heads(opened.checkpoint(0.0, opened.trained().grid.seeds[0]))
    columns = {way: matrix_shares(name, cut.mask, heads) for way, cut in made.items()}
    if any(column is None for column in columns.values()):
        return None
    frame = pd.DataFrame(columns).map(lambda share: f"{100 * share:.2f} %")
    frame.index = [f"head {head}" for head in frame.index]
    return frame


def _words(name: str, sparsity: float) -> str:
    return f"Magnitudes of {names.label(name)}, cut at {percent(sparsity)}, and the masks that the cuts make."


@view
def figure(opened: Opened):
    """The first attention matrix at 50 % sparsity."""
    cuts = cuts_of(opened)
    name = _first(cuts)
    made = ways(cuts, name, FIRST)
    return style.show(style.Drawn(cut(cuts, name, made), "explorer_weights", _words(name, FIRST), numbers(made)))


def _first(cuts: Cuts) -> str:
    return next((name for name in cuts.matrices if "attention" in name), next(iter(cuts.matrices)))


@view
def slider(opened: Opened) -> ipywidgets.Widget:
    """The same for any matrix and sparsity, with counts."""
    cuts = cuts_of(opened)
    options = [(names.label(name), name) for name in cuts.matrices]
    matrix = labelled(ipywidgets.Dropdown, description="Matrix", options=options, value=_first(cuts))
    narrow = {"width": "10em"}
    sparsity = labelled(ipywidgets.BoundedIntText, 80, description="Sparsity (%)", min=0, max=99, layout=narrow)

    def shown(name: str, whole: int) -> str:
        made = ways(cuts, name, whole / 100)
        by_head = shares(opened, name, made)
        page = table(numbers(made), f"{names.label(name)} at {whole} %")
        page += style.image(cut(cuts, name, made), _words(name, whole / 100))
        return page if by_head is None else page + table(by_head, "pruned share of each head's part")

    return ipywidgets.VBox([row(matrix, with_slider(sparsity)), follows(shown, matrix, sparsity)])


KEPT, PRUNED = STYLE["gradual"][0], "#c9cdd2"


def cut(cuts: Cuts, name: str, ways: dict[str, Cut]) -> Figure:
    """Histogram of the magnitudes with each cut, and the resulting mask below."""
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
        end = min(
            one.threshold, edges[-1]
        )  # the threshold of all matrices together may exceed every magnitude of this one
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
    each = (
        "one pixel per weight" if shares.shape == (rows, columns) else f"{shares.shape[0]} × {shares.shape[1]} blocks"
    )
    axes.set(xlabel=f"mask, {rows:,} × {columns:,}: {each}, blue is kept")
