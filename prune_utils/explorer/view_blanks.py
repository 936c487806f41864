"""Explorer section: the dense and every pruned model fill a blank, side by side."""

import ipywidgets
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure

from prune_utils.explorer.controls import follows, labelled, paragraph, row, table, view
from prune_utils.explorer.studies import Absent, Opened
from prune_utils.report import style
from prune_utils.report.style import MARKERS, PERCENT, panel

WORDS = 5  # words per model that are shown first


def _models(opened: Opened, seed: int):
    from prune_utils.explorer.blanks import Models  # imports transformers, which takes seconds

    return Models(opened, seed)


@view
def answered(opened: Opened) -> HTML:
    """The words that the models of the first seed put in the blank of a sentence of the study."""
    from prune_utils.explorer.blanks import answers, suggestion

    models = _models(opened, opened.trained().grid.seeds[0])
    sentence = suggestion(opened, models.tokenizer)
    return HTML(table(answers(models.probabilities(sentence), WORDS), f"“{sentence}”"))


@view
def asked(opened: Opened) -> ipywidgets.Widget:
    """The same for a sentence of your own."""
    from prune_utils.explorer.blanks import answers, suggestion

    seeds = opened.trained().grid.seeds
    models = {}
    models[seeds[0]] = _models(opened, seeds[0])
    try:
        first = suggestion(opened, models[seeds[0]].tokenizer)
    except Absent:
        first = "___"
    wide, narrow = {"width": "min(40em, 100%)"}, {"width": "8em"}
    sentence = labelled(ipywidgets.Text, first, description="Sentence", continuous_update=False, layout=wide)
    seed = labelled(ipywidgets.Dropdown, description="Seed", options=seeds, layout=narrow)
    most = labelled(ipywidgets.BoundedIntText, WORDS, description="Words", min=1, max=50, layout=narrow)

    def shown(text: str, chosen: int, words: int) -> str:
        if chosen not in models:
            models[chosen] = _models(opened, chosen)
        asked = models[chosen]
        probabilities = asked.probabilities(text)
        strange = asked.unknown(text)
        said = paragraph(f"Not in the vocabulary, and read as unknown: {', '.join(strange)}.") if strange else ""
        picture = style.image(fading(probabilities, words), f"Probabilities of words in the blank: {text}")
        return said + table(answers(probabilities, words), f"“{text}”") + picture

    return ipywidgets.VBox([row(sentence, seed, most), follows(shown, sentence, seed, most)])


def fading(probabilities: pd.DataFrame, most: int) -> Figure:
    """Probability of the 0 % run's most likely words by sparsity, one line per word."""
    figure, axes = panel(7.0, 3.6)
    first = probabilities[probabilities.columns[0]].nlargest(most).index
    for place, (word, colour) in enumerate(zip(first, sns.color_palette("colorblind", len(first)), strict=True)):
        line = 100 * probabilities.loc[word]
        marker, name = MARKERS[place % len(MARKERS)], word.encode("ascii", "backslashreplace").decode()
        axes.plot(100 * line.index, line, color=colour, marker=marker, markersize=5, label=f"“{name}”")
    axes.set(xlabel=PERCENT, ylabel="probability in the blank (%)", ylim=(0, None))
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
