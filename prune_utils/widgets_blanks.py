"""The dense and every pruned model asked for a missing word, side by side."""

import ipywidgets
from IPython.display import HTML

from prune_utils import figures, plots_explorer
from prune_utils.explorer import Absent, Opened, follows, labelled, paragraph, row, table, view

WORDS = 5  # answers of each model that are shown first


def _models(opened: Opened, seed: int):
    from prune_utils.blanks import Models  # transformers takes seconds: only once a model is asked

    return Models(opened, seed)


@view
def answered(opened: Opened) -> HTML:
    """What the models of the first seed put in the blank of a sentence of the study's own text."""
    from prune_utils.blanks import answers, suggestion

    models = _models(opened, opened.trained().grid.seeds[0])
    sentence = suggestion(opened, models.tokenizer)
    return HTML(table(answers(models.probabilities(sentence), WORDS), f"“{sentence}”"))


@view
def asked(opened: Opened) -> ipywidgets.Widget:
    """A sentence of your own, with one blank."""
    from prune_utils.blanks import answers, suggestion

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
        picture = figures.image(plots_explorer.fading(probabilities, words), f"What the models put in: {text}")
        return said + table(answers(probabilities, words), f"“{text}”") + picture

    return ipywidgets.VBox([row(sentence, seed, most), follows(shown, sentence, seed, most)])
