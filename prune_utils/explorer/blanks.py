"""What the dense and the pruned models put in the blank of a sentence."""

import re
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from transformers import AutoTokenizer, BertForPreTraining, PreTrainedTokenizerBase

from prune_utils.data import lexicon
from prune_utils.data.clauses import article
from prune_utils.data.pairs import IGNORED
from prune_utils.explorer.studies import Absent, Opened, percent
from prune_utils.study import paths

BLANK = re.compile(r"_{2,}|\[MASK\]")
LETTERS = 4  # that a word has at least to be worth a blank
HELD = 2**28  # bytes of models that are kept in memory: all of a small study's, of BERT-Base's none


class Models:
    """The gradual models of a study's seed, one by one; small ones are kept once they are loaded."""

    def __init__(self, opened: Opened, seed: int):
        self.opened, self.seed = opened, seed
        self.kept: dict[Path, BertForPreTraining] = {}
        there = [s for s in opened.trained().grid.sparsities if self._folder(s)]
        if not there:
            raise Absent(f"No pre-trained model of seed {seed} is on disk.")
        self.sparsities = there
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(self._folder(there[0]))

    def _folder(self, sparsity: float) -> Path | None:
        try:
            return self.opened.checkpoint(sparsity, self.seed)
        except Absent:
            return None

    def _model(self, sparsity: float) -> BertForPreTraining:
        folder = self._folder(sparsity)
        if folder in self.kept:
            return self.kept[folder]
        # its zeros were held to its masks when it was saved; to do so for each sentence would take longer than to ask
        model = BertForPreTraining.from_pretrained(folder, dtype=torch.float32).eval()
        size = sum(p.nbytes for p in model.parameters())
        if size * (len(self.kept) + 1) <= HELD:
            self.kept[folder] = model
        return model

    @torch.no_grad()
    def probabilities(self, sentence: str) -> pd.DataFrame:
        """What each model puts in the blank: a row a token of the vocabulary, a column a sparsity.

        Raises Absent, with a sentence to be shown, where the sentence has not one blank or is too long."""
        encoded = self.encoded(sentence)
        at = (encoded["input_ids"][0] == self.tokenizer.mask_token_id).nonzero().item()
        columns = {}
        for sparsity in self.sparsities:
            model = self._model(sparsity)
            hidden = model.bert(**encoded).last_hidden_state[0, at]
            columns[sparsity] = model.cls.predictions(hidden).float().softmax(-1).numpy()
        frame = pd.DataFrame(columns)
        return frame.set_axis(self.tokenizer.convert_ids_to_tokens(range(len(frame))), axis=0)

    def encoded(self, sentence: str) -> dict[str, Tensor]:
        """A sentence with one blank as a batch of one: input_ids, attention_mask, token_type_ids."""
        if (blanks := len(BLANK.findall(sentence))) != 1:
            raise Absent(f"The sentence has {blanks or 'no'} blank{'s' * (blanks != 1)}; write one, as ___ or [MASK].")
        encoded = self.tokenizer(BLANK.sub(f" {self.tokenizer.mask_token} ", sentence), return_tensors="pt")
        tokens, most = encoded["input_ids"].shape[1], self.tokenizer.model_max_length
        if tokens > most:
            raise Absent(f"The sentence has {tokens} tokens; these models read at most {most}.")
        return dict(encoded)

    def unknown(self, sentence: str) -> list[str]:
        """The words of a sentence that the vocabulary does not have, in their order."""
        rest = BLANK.sub(" ", sentence)
        encoded = self.tokenizer(rest, return_offsets_mapping=True)
        of_words = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        strange = [rest[start:end] for i, (start, end) in of_words if i == self.tokenizer.unk_token_id]
        return list(dict.fromkeys(strange))


def answers(probabilities: pd.DataFrame, most: int) -> pd.DataFrame:
    """The likeliest words with their probabilities, a column a sparsity, the first row the likeliest; as text."""
    columns = {}
    for sparsity in probabilities:
        best = probabilities[sparsity].nlargest(most)
        columns[percent(sparsity)] = [f"{word} {100 * share:.1f} %" for word, share in best.items()]
    return pd.DataFrame(columns, index=range(1, min(most, len(probabilities)) + 1))


def suggestion(opened: Opened, tokenizer: PreTrainedTokenizerBase) -> str:
    """A sentence to begin with, always the same: of the embedded language a fact that only pre-training teaches, else
    one of the study's own held-out text, its longest word blank."""
    if opened.trained().corpus.source == "embedded":
        noun = lexicon.load().members[0]
        kind = lexicon.load().hypernyms[noun.chain[0]].singular
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
    """The first sentence of a pair, its masks filled and its longest whole word blank; None where it is not of a
    length that is read at a glance."""
    ids = [old if new == IGNORED else new for old, new in zip(pair["input_ids"], pair["labels"], strict=True)]
    words = tokenizer.convert_ids_to_tokens(ids[1 : ids.index(tokenizer.sep_token_id)])
    following = [*words[1:], ""]
    whole = [i for i, w in enumerate(words) if w.isalpha() and len(w) >= LETTERS and not following[i].startswith("##")]
    if not 6 <= len(words) <= 24 or not whole or tokenizer.unk_token in words:
        return None
    words[max(whole, key=lambda i: len(words[i]))] = "___"
    return " ".join(words).replace(" ##", "")
