"""Documents to pre-train on, each a list of sentences, from the embedded language, local files or the hub."""

import gzip
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from prune_utils.data.embedded import language, lexicon
from prune_utils.study import paths
from prune_utils.study.sources import Corpus

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"')\]])\s+")  # a closing quote or bracket may follow the stop
HEADING = re.compile(r"\s*=.*=\s*$")  # WikiText marks headings with "=", and headings are not sentences


def documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """Yield the documents of the training or the held-out text. On the hub, the two do not overlap."""
    if corpus.source == "embedded":
        count = corpus.held_out_documents if held_out else corpus.documents
        yield from language.documents(lexicon.load(), count, "held out" if held_out else "train")
    elif corpus.source == "local":
        for name in corpus.held_out_files if held_out else corpus.files:
            yield from local_documents(paths.given(name), corpus.replace)
    else:
        yield from _hub_documents(corpus, held_out)


def local_documents(path: Path, replace: dict[str, str] | None = None) -> Iterator[list[str]]:
    """Yield the documents of a text file: each line holds sentences, an empty line separates documents.

    Every key of `replace` is replaced by its value. Files ending in .gz or .xz are decompressed.
    """
    with OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
        document: list[str] = []
        for line in lines:
            if line.strip() and not HEADING.match(line):
                for old, new in (replace or {}).items():
                    line = line.replace(old, new)
                document += sentences(line)
            elif not line.strip() and document:
                yield document
                document = []
        if document:
            yield document


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph after full stops, question marks and exclamation marks.

    The rule is crude (it splits after abbreviations) but sufficient to split text into sentence pairs.
    """
    return [s for s in SENTENCE_END.split(paragraph.strip()) if s]


def _hub_documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """Stream documents from the hub's data sets, one from each in turn; the first documents of each are held out."""
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
