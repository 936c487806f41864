"""Explorer section: heads, words and features at one sparsity."""

from dataclasses import replace

import ipywidgets
import numpy as np
import pandas as pd
from IPython.display import HTML

from prune_utils.explorer.controls import follows, labelled, paragraph, view, with_slider
from prune_utils.explorer.studies import Absent, Opened
from prune_utils.inside.weights import word_magnitudes
from prune_utils.pruning import stored
from prune_utils.report import plots_inside
from prune_utils.report.escaping import in_html
from prune_utils.report.style import GREY, Drawn, image
from prune_utils.study.words import percent


def magnitudes(opened: Opened, sparsity: float) -> pd.DataFrame:
    """Magnitudes of word embeddings at a sparsity, one row per word, one column per dimension; pruned weights are 0.

    Words and their order are those of the 0 % run.
    """
    dense, pruned = opened.checkpoint(0.0), opened.checkpoint(sparsity)
    words = stored.words(dense)
    chosen = word_magnitudes(stored.word_embeddings(dense), words).index
    rows = [words.index(word) for word in chosen]
    return pd.DataFrame(stored.word_embeddings(pruned)[rows].abs().numpy(), index=chosen)


def _heads(opened: Opened, sparsity: float) -> tuple[Drawn, str]:
    frame = opened.inside("heads")
    frame = frame[(frame.seed == frame.seed.min()) & (frame.sparsity == sparsity)]
    shares = 100 * frame.pruned_share
    said = f"{shares.min():.1f} to {shares.max():.1f} %, mean {shares.mean():.1f} %"
    return plots_inside.head_map(frame, sparsity), said


def _words(opened: Opened, sparsity: float) -> tuple[Drawn, str]:
    frame = magnitudes(opened, sparsity)
    drawn = plots_inside.word_map(frame, float(np.percentile(magnitudes(opened, 0.0), 99)))
    return drawn, f"{100 * (frame == 0).mean(axis=None):.1f} % of them are zero"


def _features(opened: Opened, sparsity: float) -> tuple[Drawn, str]:
    frame = opened.inside("similarity")
    drawn = plots_inside.similarity(frame)
    drawn.figure.axes[0].axvline(100 * sparsity, color=GREY, linewidth=6, alpha=0.3, zorder=0)
    at = frame[(frame.method == "gradual") & (frame.sparsity == sparsity) & (frame.layer > 0)]  # without the embeddings
    cosines = at.groupby("layer").cosine.mean()
    return drawn, f"{cosines.min():.3f} to {cosines.max():.3f} by layer, mean {cosines.mean():.3f}"


HEADS = "Pruned share of every attention head"
VIEWS = {  # title: function that returns the figure at a sparsity, and its numbers in words
    HEADS: _heads,
    "Magnitudes of word embeddings (pruned weights are zero)": _words,
    "Cosine of the features with those of the 0 % run": _features,
}


def _drawn(opened: Opened, title: str, sparsity: float) -> Drawn:
    drawn, said = VIEWS[title](opened, sparsity)
    return replace(drawn, alt=f"{title} at {percent(sparsity)}: {said}.")


@view
def heads(opened: Opened):
    """Map of the heads at the middle sparsity of the grid."""
    sparsities = opened.trained().grid.sparsities
    return HTML(image(replace(_drawn(opened, HEADS, sparsities[len(sparsities) // 2]), name="explorer_heads")))


@view
def slider(opened: Opened) -> ipywidgets.Widget:
    """All three figures at the sparsity of one slider."""
    options = [(percent(s), s) for s in opened.trained().grid.sparsities]
    sparsity = labelled(ipywidgets.Dropdown, "Sparsity", "10em", options=options, value=options[-1][1])

    def part(title: str, at: float) -> str:
        try:
            return f"<p><b>{in_html(title)}, {percent(at)}</b></p>{image(_drawn(opened, title, at))}"
        except Absent as absent:
            return paragraph(f"{title}: {absent}")

    def shown(at: float) -> str:
        return "".join(part(title, at) for title in VIEWS)

    return ipywidgets.VBox([with_slider(sparsity), follows(shown, sparsity)])
