"""Fill the blank of a sentence with the dense and the pruned models."""

import re
from contextlib import suppress
from pathlib import Path

import pandas as pd
import torch
from transformers import AutoTokenizer, BertForPreTraining, PreTrainedTokenizerBase

from prune_utils.data.embedded import lexicon
from prune_utils.data.embedded.clauses import article
from prune_utils.data.pairs import IGNORED
from prune_utils.explorer.studies import Absent, Opened, percent
from prune_utils.study import paths

BLANK = re.compile(r"_{2,}|\[MASK\]")
LETTERS = 4  # shortest word that may become the blank
HELD = 2**28  # bytes of models kept in memory: all models of a small study, none of BERT-Base's size


class Models:
    """The gradual models of a seed; small ones stay in memory once they are loaded."""

    def __init__(self, opened: Opened, seed: int):
        self.folders: dict[float, Path] = {}
        for sparsity in opened.trained().grid.sparsities:
            with suppress(Absent):
                self.folders[sparsity] = opened.checkpoint(sparsity, seed)
        if not self.folders:
            raise Absent(f"No pre-trained model of seed {seed} is on disk.")
        self.kept: dict[float, BertForPreTraining] = {}
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(next(iter(self.folders.values())))

    def _model(self, sparsity: float) -> BertForPreTraining:
        if sparsity in self.kept:
            return self.kept[sparsity]
        # its zeros were checked when it was saved; checking again would take longer than the forward pass
        model = BertForPreTraining.from_pretrained(self.folders[sparsity], dtype=torch.float32).eval()
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
            hidden = model.bert(**encoded).last_hidden_state[0, at]
            columns[sparsity] = model.cls.predictions(hidden).float().softmax(-1).numpy()
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
    ids = [old if new == IGNORED else new for old, new in zip(pair["input_ids"], pair["labels"], strict=True)]
    words = tokenizer.convert_ids_to_tokens(ids[1 : ids.index(tokenizer.sep_token_id)])
    following = [*words[1:], ""]
    whole = [i for i, w in enumerate(words) if w.isalpha() and len(w) >= LETTERS and not following[i].startswith("##")]
    if not 6 <= len(words) <= 24 or not whole or tokenizer.unk_token in words:
        return None
    words[max(whole, key=lambda i: len(words[i]))] = "___"
    return " ".join(words).replace(" ##", "")
