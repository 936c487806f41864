"""Explorer section: the weights of a matrix pruned at a given sparsity, ranked per matrix and over all matrices."""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import Tensor

from prune_utils.explorer.controls import follows, labelled, row, table, view, with_slider
from prune_utils.explorer.studies import Opened
from prune_utils.inside.heads import matrix_shares
from prune_utils.pruning import families, stored
from prune_utils.pruning.masks import magnitude_mask, magnitudes, pruned_count
from prune_utils.report.style import INK, STYLE, Drawn, image, panels
from prune_utils.study.words import percent

WAYS = ("each matrix on its own", "all matrices together")
KEPT, PRUNED = STYLE["gradual"][0], "#c9cdd2"


class Cut(NamedTuple):
    """`threshold`: the largest pruned magnitude, None if nothing is pruned; `mask`: 1 keeps."""

    threshold: float | None
    mask: Tensor

    @property
    def kept(self) -> int:
        return int(self.mask.sum())

    @property
    def pruned(self) -> int:
        return self.mask.numel() - self.kept


class Cuts:
    """The cuts of {name: matrix}, in the order of the model. Raises ValueError if a weight is not finite."""

    def __init__(self, matrices: dict[str, Tensor]):
        self.matrices = matrices
        # sorted once, so that moving a slider needs no new ranking of all weights
        self.ranked = np.concatenate([magnitudes(matrix).numpy() for matrix in matrices.values()])
        self.ranked.sort()

    def own(self, name: str, sparsity: float) -> Cut:
        """Cut one matrix by its own magnitudes, as the pattern `matrix` does."""
        matrix = self.matrices[name]
        mask = magnitude_mask(matrix, sparsity)
        return Cut(None if mask.all() else matrix[~mask].abs().max().item(), mask)

    def overall(self, name: str, sparsity: float) -> Cut:
        """Cut one matrix by the magnitudes of all matrices together, as the pattern `model` does."""
        count = pruned_count(len(self.ranked), sparsity)
        if not count:
            return self.own(name, 0)
        threshold, names = float(self.ranked[count - 1]), list(self.matrices)
        *before, ties = [int((self.matrices[n].abs() == threshold).sum()) for n in names[: names.index(name) + 1]]
        # weights equal to the threshold are pruned in the order of the matrices, until the count is reached
        missing = count - np.searchsorted(self.ranked, self.ranked[count - 1]) - sum(before)
        matrix = self.matrices[name]
        pruned = int((matrix.abs() < threshold).sum()) + np.clip(missing, 0, ties)
        return Cut(threshold, magnitude_mask(matrix, pruned / matrix.numel()))

    @cache  # noqa: B019 the cuts of one checkpoint are open per notebook, for as long as the notebook
    def histogram(self, name: str, bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
        """Histogram of the magnitudes in `bins` equal bins from 0 to the largest: counts and edges."""
        magnitude = magnitudes(self.matrices[name]).numpy()
        return np.histogram(magnitude, np.linspace(0, magnitude.max() or 1, bins + 1))


def numbers(cuts: dict[str, Cut]) -> pd.DataFrame:
    """Summary of several cuts of a matrix, one column per cut, formatted for display."""
    rows = {
        "cut at magnitude": ["none" if cut.threshold is None else f"{cut.threshold:.4g}" for cut in cuts.values()],
        "pruned": [f"{cut.pruned:,}" for cut in cuts.values()],
        "kept": [f"{cut.kept:,}" for cut in cuts.values()],
        "share pruned": [f"{100 * cut.pruned / cut.mask.numel():.2f} %" for cut in cuts.values()],
    }
    return pd.DataFrame.from_dict(rows, "index", columns=list(cuts))


def blocks(mask: Tensor, most: int = 160) -> np.ndarray:
    """A mask as an image of at most `most` × `most` pixels: the pruned share of each block of weights."""
    rows, columns = (np.linspace(0, size, min(most, size) + 1).astype(int) for size in mask.shape)
    sums = np.stack([(~mask[start:end]).sum(0).numpy() for start, end in pairwise(rows)])
    return np.add.reduceat(sums, columns[:-1], axis=1) / np.outer(np.diff(rows), np.diff(columns))


@cache
def cuts_of(opened: Opened) -> Cuts:
    """The cuts of the 0 % run of the first seed; cached."""
    return Cuts(stored.matrices(opened.checkpoint(0.0)))


def ways(cuts: Cuts, name: str, sparsity: float) -> dict[str, Cut]:
    return dict(zip(WAYS, (cuts.own(name, sparsity), cuts.overall(name, sparsity)), strict=True))


def _drawn(cuts: Cuts, name: str, made: dict[str, Cut], sparsity: float) -> Drawn:
    words = f"Magnitudes of {families.label(name)}, cut at {percent(sparsity)}, and the masks that the cuts make."
    return Drawn(cut(cuts, name, made), "explorer_weights", words, numbers(made))


@view
def figure(opened: Opened):
    """The first attention matrix at 50 % sparsity."""
    cuts = cuts_of(opened)
    name = _first(cuts)
    return HTML(image(_drawn(cuts, name, ways(cuts, name, 0.5), 0.5)))


def _first(cuts: Cuts) -> str:
    return next((name for name in cuts.matrices if families.in_heads(name)), next(iter(cuts.matrices)))


@view
def slider(opened: Opened) -> ipywidgets.Widget:
    """The same for any matrix and sparsity, with counts."""
    cuts, heads = cuts_of(opened), stored.heads(opened.checkpoint(0.0))
    options = [(families.label(name), name) for name in cuts.matrices]
    matrix = labelled(ipywidgets.Dropdown, "Matrix", options=options, value=_first(cuts))
    sparsity = labelled(ipywidgets.BoundedIntText, "Sparsity (%)", "10em", value=80, min=0, max=99)

    def shown(name: str, whole: int) -> str:
        made = ways(cuts, name, whole / 100)
        one = _drawn(cuts, name, made, whole / 100)
        page = table(one.data, f"{families.label(name)} at {whole} %") + image(one)
        if not families.in_heads(name):
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


def _mask(axes: plt.Axes, mask: Tensor) -> None:
    (rows, columns), shares = mask.shape, blocks(mask)
    colours, extent = sns.blend_palette([KEPT, "#f1f2f4"], as_cmap=True), (0, columns, rows, 0)
    axes.imshow(shares, aspect="auto", interpolation="nearest", cmap=colours, vmin=0, vmax=1, extent=extent)
    each = "one pixel per weight" if shares.shape == mask.shape else f"{shares.shape[0]} × {shares.shape[1]} blocks"
    axes.set(xlabel=f"mask, {rows:,} × {columns:,}: {each}, blue is kept")
