"""Explorer section: heads, words and features at one sparsity."""

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prune_utils.explorer.controls import follows, labelled, paragraph, view, with_slider
from prune_utils.explorer.studies import Absent, Opened, percent
from prune_utils.inside.weights import word_magnitudes
from prune_utils.pruning import names, stored
from prune_utils.report import plots_inside, style
from prune_utils.report.escaping import in_html
from prune_utils.report.style import GREY


def magnitudes(opened: Opened, sparsity: float) -> pd.DataFrame:
    """Magnitudes of word embeddings at a sparsity, one row per word, one column per dimension; pruned weights are 0.

    Words and their order are those of the 0 % run.
    """
    first = opened.trained().grid.seeds[0]
    dense, pruned = opened.checkpoint(0.0, first), opened.checkpoint(sparsity, first)
    words = stored.words(dense)
    chosen = word_magnitudes(stored.matrix(dense, names.WORDS), words).index
    rows = [words.index(word) for word in chosen]
    return pd.DataFrame(stored.matrix(pruned, names.WORDS)[rows].abs().numpy(), index=chosen)


def _shares(opened: Opened, sparsity: float) -> pd.DataFrame:
    """Rows of `heads.heads_frame` for the first seed at a sparsity."""
    frame = opened.inside("heads")
    return frame[(frame.seed == frame.seed.min()) & (frame.sparsity == sparsity)]


def _heads(opened: Opened, sparsity: float):
    shares = _shares(opened, sparsity)
    least, mean, most = (100 * getattr(shares.pruned_share, of)() for of in ("min", "mean", "max"))
    return plots_inside.head_map(shares, sparsity).figure, f"{least:.1f} to {most:.1f} %, mean {mean:.1f} %"


def _words(opened: Opened, sparsity: float):
    frame = magnitudes(opened, sparsity)
    figure = plots_inside.word_map(frame, float(np.percentile(magnitudes(opened, 0.0), 99))).figure
    return figure, f"{100 * (frame == 0).mean(axis=None):.1f} % of them are zero"


def _features(opened: Opened, sparsity: float):
    frame = opened.inside("similarity")
    gradual = frame[(frame.method == "gradual") & (frame.sparsity == sparsity)]
    by_layer = gradual[gradual.layer > 0].groupby("layer").cosine.mean()  # without the embeddings
    drawn = marked(plots_inside.similarity(frame).figure, sparsity)
    return drawn, f"{by_layer.min():.3f} to {by_layer.max():.3f} by layer, mean {by_layer.mean():.3f}"


VIEWS = {  # title: function that returns the figure at a sparsity and its numbers in words
    "Pruned share of every attention head": _heads,
    "Magnitudes of word embeddings (pruned weights are zero)": _words,
    "Cosine of the features with those of the 0 % run": _features,
}


def middle(opened: Opened) -> float:
    sparsities = opened.trained().grid.sparsities
    return sparsities[len(sparsities) // 2]


@view
def heads(opened: Opened):
    """Map of the heads at the middle sparsity of the grid."""
    at = middle(opened)
    figure, said = _heads(opened, at)
    words = f"Pruned share of each head at {percent(at)}: {said}."
    return style.show(style.Drawn(figure, "explorer_heads", words, _shares(opened, at)))


@view
def slider(opened: Opened) -> ipywidgets.Widget:
    """All three figures at the sparsity of one slider."""
    options = [(percent(s), s) for s in opened.trained().grid.sparsities]
    sparsity = labelled(
        ipywidgets.Dropdown,
        description="Sparsity",
        options=options,
        value=options[-1][1],
        layout={"width": "10em"},
    )

    def shown(at: float) -> str:
        return "".join(_part(opened, title, draw, at) for title, draw in VIEWS.items())

    return ipywidgets.VBox([with_slider(sparsity), follows(shown, sparsity)])


def _part(opened: Opened, title: str, draw, sparsity: float) -> str:
    try:
        figure, said = draw(opened, sparsity)
    except Absent as absent:
        return paragraph(f"{title}: {absent}")
    return f"<p><b>{in_html(title)}, {percent(sparsity)}</b></p>" + style.image(
        figure, f"{title} at {percent(sparsity)}: {said}."
    )


def marked(figure: Figure, sparsity: float) -> Figure:
    """Mark one sparsity in a figure."""
    figure.axes[0].axvline(100 * sparsity, color=GREY, linewidth=6, alpha=0.3, zorder=0)
    return figure
