"""Explorer section: the dense and every pruned model fill a blank, side by side."""

import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import ipywidgets
import pandas as pd
import seaborn as sns
import torch
from IPython.display import HTML
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.data.embedded import lexicon
from prune_utils.data.embedded.clauses import article
from prune_utils.data.masked_tokens import unmasked
from prune_utils.explorer.controls import follows, labelled, paragraph, row, table, view
from prune_utils.explorer.studies import Absent, Opened
from prune_utils.pruning.families import FAMILIES
from prune_utils.report.style import MARKERS, PERCENT, Drawn, image, legend_right, panel, plain
from prune_utils.study import paths
from prune_utils.study.words import percent
from prune_utils.training.modeling import MaskedEncoder

BLANK = re.compile(r"_{2,}|\[MASK\]")
BLANK_BEFORE = "\u0120"  # of a token of byte-level BPE that begins a word
LETTERS = 4  # shortest word that may become the blank
HELD = 2**28  # bytes of models kept in memory: all models of a small study, none of BERT-Base's size
WORDS = 5  # words per model that are shown first
LINES = 10  # most lines of a figure, with colours of their own


class Models:
    """The gradual models of a seed; small ones stay in memory once they are loaded."""

    def __init__(self, opened: Opened, seed: int):
        self.folders: dict[float, Path] = {}
        for sparsity in opened.trained().grid.sparsities:
            with suppress(Absent):
                self.folders[sparsity] = opened.checkpoint(sparsity, seed)
        if not self.folders:
            raise Absent(f"No pre-trained model of seed {seed} is on disk.")
        self.kept: dict[float, PreTrainedModel] = {}
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(next(iter(self.folders.values())))

    def _model(self, sparsity: float) -> PreTrainedModel:
        if sparsity in self.kept:
            return self.kept[sparsity]
        # its zeros were checked when it was saved; checking again would take longer than the forward pass
        model = MaskedEncoder.from_pretrained(self.folders[sparsity], dtype=torch.float32).eval()
        if sum(p.nbytes for p in model.parameters()) * (len(self.kept) + 1) <= HELD:
            self.kept[sparsity] = model
        return model

    @torch.no_grad()
    def probabilities(self, sentence: str) -> pd.DataFrame:
        """Probability of each token in the blank: one row per token, one column per sparsity.

        Raises Absent if the sentence does not have exactly one blank, or is too long.
        """
        if (blanks := len(BLANK.findall(sentence))) != 1:
            raise Absent(f"The sentence has {blanks or 'no'} blank{'s' * (blanks != 1)}; write one, as ___ or [MASK].")
        encoded = self.tokenizer(BLANK.sub(f" {self.tokenizer.mask_token} ", sentence), return_tensors="pt")
        tokens, most = encoded["input_ids"].shape[1], self.tokenizer.model_max_length
        if tokens > most:
            raise Absent(f"The sentence has {tokens} tokens; these models read at most {most}.")
        at = (encoded["input_ids"][0] == self.tokenizer.mask_token_id).nonzero().item()
        columns = {}
        for sparsity in self.folders:
            model = self._model(sparsity)
            read = {
                n: values
                for n, values in encoded.items()
                if n != "token_type_ids" or FAMILIES[model.config.model_type].segments
            }
            hidden = model.base_model(**read).last_hidden_state[0, at]
            columns[sparsity] = model.word_logits(hidden).float().softmax(-1).numpy()
        frame = pd.DataFrame(columns)
        return frame.set_axis(self.tokenizer.convert_ids_to_tokens(range(len(frame))), axis=0)

    def unknown(self, sentence: str) -> list[str]:
        """The words of a sentence that are not in the vocabulary, in order."""
        rest = BLANK.sub(" ", sentence)
        encoded = self.tokenizer(rest, return_offsets_mapping=True)
        of_words = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        strange = [rest[start:end] for i, (start, end) in of_words if i == self.tokenizer.unk_token_id]
        return list(dict.fromkeys(strange))


def answers(probabilities: pd.DataFrame, most: int) -> pd.DataFrame:
    """The most likely words with their probabilities as text, one column per sparsity, best first."""
    best = {percent(sparsity): probabilities[sparsity].nlargest(most).items() for sparsity in probabilities}
    texts = {name: [f"{word} {100 * share:.1f} %" for word, share in words] for name, words in best.items()}
    return pd.DataFrame(texts, index=range(1, min(most, len(probabilities)) + 1))


def suggestion(opened: Opened, tokenizer: PreTrainedTokenizerBase) -> str:
    """A sentence to start with; always the same one for a study.

    In the embedded language, a fact that only pre-training teaches; otherwise a held-out sentence with its longest
    word as the blank.
    """
    if opened.trained().corpus.source == "embedded":
        words = lexicon.load()
        noun = words.members[0]
        kind = words.hypernyms[noun.chain[0]].singular
        return f"{article(noun.singular)} {noun.singular} is {article(kind)} ___ ."
    from datasets import load_from_disk

    folder = paths.data(opened.study.study, "held-out")
    if not folder.exists():
        raise Absent(f"There is no held-out text in {paths.shown(folder)} to take a sentence from.")
    for pair in load_from_disk(str(folder)):
        if blanked := _blanked(pair, tokenizer):
            return blanked
    raise Absent("No held-out sentence has a word to blank.")


def _blanked(pair: dict, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The first sentence of a pair with its masks filled and its longest word blank; None if its length is unsuitable."""
    ids = unmasked(pair)
    words = tokenizer.convert_ids_to_tokens(ids[1 : ids.index(tokenizer.sep_token_id)])
    blanks = any(word.startswith(BLANK_BEFORE) for word in words)  # byte-level BPE; in WordPiece, pieces begin with ##
    plain_words, following = [word.removeprefix(BLANK_BEFORE) for word in words], [*words[1:], ""]

    def goes_on(token: str) -> bool:
        return token.isalpha() and not token.startswith(BLANK_BEFORE) if blanks else token.startswith("##")

    whole = [
        i
        for i, word in enumerate(plain_words)
        if word.isalpha()
        and len(word) >= LETTERS
        and not goes_on(following[i])
        and not (blanks and i and goes_on(words[i]))
    ]
    if not 6 <= len(words) <= 24 or not whole or tokenizer.unk_token in words:
        return None
    chosen = max(whole, key=lambda i: len(plain_words[i]))
    if blanks:
        before, after = map(tokenizer.convert_tokens_to_string, (words[:chosen], words[chosen + 1 :]))
        return f"{before} ___{after}".strip()
    words[chosen] = "___"
    return " ".join(words).replace(" ##", "")


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
    """Probability of the 0 % run's most likely words by sparsity, one line per word, for LINES words at most."""
    figure, axes = panel(7.0, 3.6)
    first = 100 * probabilities.nlargest(min(most, LINES), probabilities.columns[0])
    for place, (word, colour) in enumerate(zip(first.index, sns.color_palette("colorblind", len(first)), strict=True)):
        marker = MARKERS[place % len(MARKERS)]
        axes.plot(
            100 * first.columns, first.iloc[place], color=colour, marker=marker, markersize=5, label=f"“{plain(word)}”"
        )
    axes.set(xlabel=PERCENT, ylabel="probability in the blank (%)", ylim=(0, None))
    legend_right(axes, fontsize=9)
    return Drawn(figure, "explorer_blanks", f"Probabilities of words in the blank: {sentence}", first)
