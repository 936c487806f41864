"""Documents to pre-train on, each a list of sentences, from the embedded language, local files or the hub."""

import gzip
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerBase

from prune_utils.data import language, lexicon
from prune_utils.study import paths
from prune_utils.study.sources import Corpus

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"')\]])\s+")  # a closing mark stays with its sentence
HEADING = re.compile(r"\s*=.*=\s*$")  # WikiText's mark of a heading, which is no sentence


def documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """The documents of the training or the held-out text; no document is in both."""
    if corpus.source == "embedded":
        count = corpus.held_out_documents if held_out else corpus.documents
        yield from language.documents(lexicon.load(), count, "held out" if held_out else "train")
    elif corpus.source == "local":
        for name in corpus.held_out_files if held_out else corpus.files:
            yield from local_documents(paths.given(name), corpus.replace)
    else:
        yield from _hub_documents(corpus, held_out)


def local_documents(path: Path, replace: dict[str, str] | None = None) -> Iterator[list[str]]:
    """Documents of a text file: sentences or paragraphs a line, an empty line between documents."""
    with OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
        document: list[str] = []
        for line in lines:
            if line.strip() and not HEADING.match(line):
                for mark, meaning in (replace or {}).items():
                    line = line.replace(mark, meaning)
                document += sentences(line)
            elif not line.strip() and document:
                yield document
                document = []
        if document:
            yield document


def sentences(paragraph: str) -> list[str]:
    """A paragraph cut after full stops, question and exclamation marks: good enough to place a pair's border."""
    return [s for s in SENTENCE_END.split(paragraph.strip()) if s]


def _hub_documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """Documents of the hub's data sets, streamed one from each in turn; the first ones are held out."""
    from datasets import interleave_datasets, load_dataset

    streams = []
    for text in corpus.datasets:
        rows = load_dataset(text.path, text.configuration, split="train", revision=text.revision, streaming=True)
        rows = rows.select_columns("text").batch(text.rows_per_document)
        first = corpus.held_out_documents // len(corpus.datasets)
        streams.append(rows.take(first) if held_out else rows.skip(first))
    for row in interleave_datasets(streams, stopping_strategy="all_exhausted"):
        document = [s for text in row["text"] for paragraph in text.split("\n") for s in sentences(paragraph)]
        if document:
            yield document


def tokenizer(corpus: Corpus) -> PreTrainedTokenizerBase:
    """The tokenizer of a corpus: one token a word of the embedded language, a vocab.txt, or the hub's."""
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
