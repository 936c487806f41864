"""The dense and every pruned model asked for a missing word, side by side."""

import ipywidgets

from prune_utils import figures, plots_explorer
from prune_utils.explorer import Absent, Opened, follows, paragraph, row, table, view

WORDS = 5  # answers of each model that are shown first


def _models(opened: Opened, seed: int):
    from prune_utils.blanks import Models  # transformers takes seconds: only once a model is asked

    return Models(opened, seed)


@view
def figure(opened: Opened):
    """How the words that the 0 % run thinks of fade from the pruned models, for one sentence."""
    from prune_utils.blanks import suggestion

    models = _models(opened, opened.trained().grid.seeds[0])
    sentence = suggestion(opened, models.tokenizer)
    probabilities = models.probabilities(sentence)
    return figures.show(
        plots_explorer.fading(probabilities, WORDS),
        "explorer_blank",
        f"What the models put in the blank of “{sentence}”, by sparsity.",
        probabilities.nlargest(WORDS, probabilities.columns[0]),
    )


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
    sentence = ipywidgets.Text(
        first,
        description="Sentence",
        placeholder="one blank, written ___ or [MASK]",
        continuous_update=False,
        layout=ipywidgets.Layout(width="min(40em, 100%)"),
    )
    seed = ipywidgets.Dropdown(options=seeds, description="Seed", layout=ipywidgets.Layout(width="12em"))
    most = ipywidgets.BoundedIntText(WORDS, min=1, max=50, description="Words", layout=ipywidgets.Layout(width="12em"))

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
