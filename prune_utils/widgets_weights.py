"""What a sparsity takes from a matrix of the 0 % run: by its own magnitudes, and by those of all matrices."""

from functools import cache

import ipywidgets
import pandas as pd

from prune_utils import figures, plots_explorer, stored
from prune_utils.cuts import Cut, Cuts, numbers
from prune_utils.explorer import Opened, percent
from prune_utils.heads import matrix_shares
from prune_utils.widgets import follows, labelled, row, table, view, with_slider

WAYS = ("each matrix on its own", "all matrices together")
FIRST = 0.5  # the sparsity shown first


@cache
def cuts_of(opened: Opened) -> Cuts:
    """The cuts of the first seed's 0 % run; sorted once."""
    return Cuts(stored.matrices(opened.checkpoint(0.0, opened.trained().grid.seeds[0])))


def ways(cuts: Cuts, name: str, sparsity: float) -> dict[str, Cut]:
    return dict(zip(WAYS, (cuts.own(name, sparsity), cuts.overall(name, sparsity)), strict=True))


def shares(opened: Opened, name: str, made: dict[str, Cut]) -> pd.DataFrame | None:
    """The share pruned of each head, a column a way; None for a matrix without heads."""
    heads = stored.heads(opened.checkpoint(0.0, opened.trained().grid.seeds[0]))
    columns = {way: matrix_shares(name, cut.mask, heads) for way, cut in made.items()}
    if any(column is None for column in columns.values()):
        return None
    frame = pd.DataFrame(columns).map(lambda share: f"{100 * share:.2f} %")
    frame.index = [f"head {head}" for head in frame.index]
    return frame


def _words(name: str, sparsity: float) -> str:
    return f"Magnitudes of {stored.label(name)}, cut at {percent(sparsity)}, and the masks that the cuts make."


@view
def figure(opened: Opened):
    """The first matrix that attends, half pruned."""
    cuts = cuts_of(opened)
    name = _first(cuts)
    made = ways(cuts, name, FIRST)
    return figures.show(plots_explorer.cut(cuts, name, made), "explorer_weights", _words(name, FIRST), numbers(made))


def _first(cuts: Cuts) -> str:
    return next((name for name in cuts.matrices if "attention" in name), next(iter(cuts.matrices)))


@view
def slider(opened: Opened) -> ipywidgets.Widget:
    """The same for any matrix and sparsity, with the counts."""
    cuts = cuts_of(opened)
    names = [(stored.label(name), name) for name in cuts.matrices]
    matrix = labelled(ipywidgets.Dropdown, description="Matrix", options=names, value=_first(cuts))
    narrow = {"width": "10em"}
    sparsity = labelled(ipywidgets.BoundedIntText, 80, description="Sparsity (%)", min=0, max=99, layout=narrow)

    def shown(name: str, whole: int) -> str:
        made = ways(cuts, name, whole / 100)
        by_head = shares(opened, name, made)
        page = table(numbers(made), f"{stored.label(name)} at {whole} %")
        page += figures.image(plots_explorer.cut(cuts, name, made), _words(name, whole / 100))
        return page if by_head is None else page + table(by_head, "share pruned of each head's part")

    return ipywidgets.VBox([row(matrix, with_slider(sparsity)), follows(shown, matrix, sparsity)])
