"""The tokenizer of a study: of the embedded language, a vocabulary file, a folder or the hub."""

from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerBase

from prune_utils.data.embedded import language, lexicon
from prune_utils.study import paths
from prune_utils.study.schema import Study


def tokenizer_of(study: Study) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a corpus: one token per word (embedded language), a vocab.txt file, or the hub's."""
    corpus = study.corpus
    if corpus.source == "hub":
        return AutoTokenizer.from_pretrained(corpus.vocabulary)
    if corpus.source == "embedded":
        words = language.vocabulary(lexicon.load())
    else:
        words = paths.given(corpus.vocabulary).read_text(encoding="utf-8").splitlines()
    return BertTokenizer(
        vocab={word: index for index, word in enumerate(words)},
        do_lower_case=corpus.source == "embedded" or corpus.lowercase,
        model_max_length=corpus.max_length,
    )
