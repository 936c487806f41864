"""Explorer section: the dense and every pruned model fill a blank, side by side."""

from functools import cache

import ipywidgets
import pandas as pd
import seaborn as sns
from IPython.display import HTML

from prune_utils.explorer.blanks import Models, answers, suggestion  # imports transformers, which takes seconds
from prune_utils.explorer.controls import follows, labelled, paragraph, row, table, view
from prune_utils.explorer.studies import Absent, Opened
from prune_utils.report.style import MARKERS, PERCENT, Drawn, image, legend_right, panel, plain

WORDS = 5  # words per model that are shown first


@view
def answered(opened: Opened) -> HTML:
    """The words that the models of the first seed put in the blank of a sentence of the study."""
    models = Models(opened, opened.trained().grid.seeds[0])
    sentence = suggestion(opened, models.tokenizer)
    return HTML(table(answers(models.probabilities(sentence), WORDS), f"“{sentence}”"))


@view
def asked(opened: Opened) -> ipywidgets.Widget:
    """The same for a sentence of your own."""
    seeds, models = opened.trained().grid.seeds, cache(lambda seed: Models(opened, seed))
    tokenizer = models(seeds[0]).tokenizer
    try:
        first = suggestion(opened, tokenizer)
    except Absent:
        first = "___"
    sentence = labelled(ipywidgets.Text, "Sentence", "min(40em, 100%)", value=first, continuous_update=False)
    seed = labelled(ipywidgets.Dropdown, "Seed", "8em", options=seeds)
    most = labelled(ipywidgets.BoundedIntText, "Words", "8em", value=WORDS, min=1, max=50)

    def shown(text: str, chosen: int, words: int) -> str:
        probabilities, strange = models(chosen).probabilities(text), models(chosen).unknown(text)
        said = paragraph(f"Not in the vocabulary, and read as unknown: {', '.join(strange)}.") if strange else ""
        return said + table(answers(probabilities, words), f"“{text}”") + image(fading(probabilities, words, text))

    return ipywidgets.VBox([row(sentence, seed, most), follows(shown, sentence, seed, most)])


def fading(probabilities: pd.DataFrame, most: int, sentence: str = "") -> Drawn:
    """Probability of the 0 % run's most likely words by sparsity, one line per word."""
    figure, axes = panel(7.0, 3.6)
    first = 100 * probabilities.nlargest(most, probabilities.columns[0])
    for place, (word, colour) in enumerate(zip(first.index, sns.color_palette("colorblind", len(first)), strict=True)):
        marker = MARKERS[place % len(MARKERS)]
        axes.plot(
            100 * first.columns, first.iloc[place], color=colour, marker=marker, markersize=5, label=f"“{plain(word)}”"
        )
    axes.set(xlabel=PERCENT, ylabel="probability in the blank (%)", ylim=(0, None))
    legend_right(axes, fontsize=9)
    return Drawn(figure, "explorer_blanks", f"Probabilities of words in the blank: {sentence}", first)
