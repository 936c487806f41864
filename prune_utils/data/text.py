"""Documents to pre-train on, each a list of sentences, from the embedded language, local files or the hub."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import reduce
from itertools import chain, groupby
from pathlib import Path

import regex

from prune_utils.data.embedded import language, lexicon
from prune_utils.data.hub import datasets as hub
from prune_utils.data.hub.faults import DATASETS
from prune_utils.data.rows import lines
from prune_utils.study import paths
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import Corpus, HubText, LocalCorpus

JSON_LINES = (".jsonl", ".ndjson", ".json")
NOT_TEXT = (".csv", ".tsv", ".html", ".htm", ".xml")  # would be read as text, marks and all
# beginnings of files, in lower case, that would be read as text, marks and all; `<doc ` is WikiExtractor's
MARKUP = ("<!doctype", "<html", "<?xml", "<mediawiki", "<doc ", "{\\rtf", "%pdf-")
# WikiText's headings: equal runs of "=" at both ends, with a space after and before every sign
HEADING = re.compile(r"\s*(=(?: =)*) (?!= ).+(?<! =) \1\s*")
# Unicode's sentence terminals and the Hebrew and Tibetan ones that it lacks; those that are also part of numbers and
# names end a sentence only before a space.
# Closing quotes and brackets stay with their sentence. Separators of lines and pages, such as U+2028, end a sentence.
SENTENCE_END = regex.compile(
    r"""([.!?][\p{Pe}\p{Pf}\p{Pi}"']*)\s+
    |((?:[[\p{SB=STerm}--[!?]]\u05c3\u0f0d\u0f0e]|．(?!\p{Nd}))[\p{SB=STerm}\u05c3\u0f0d\u0f0e.．]*[\p{Pe}\p{Pf}"']*)\s*
    |[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]""",
    regex.VERBOSE | regex.V1,
)


def documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """Yield the documents of the training or the held-out text. On the hub, the two do not overlap.

    Raises ParamsError if a local file, or a data set of the hub, cannot be read as text.
    """
    if corpus.source == "embedded":
        count = corpus.held_out_documents if held_out else corpus.documents
        yield from language.documents(lexicon.load(), count, "held out" if held_out else "train")
    elif corpus.source == "local":
        for body, _ in local_lines(corpus, held_out):
            if document := sentences_of(body, corpus.replace):
                yield document
    else:
        yield from _hub_documents(corpus, held_out)


def local_lines(corpus: LocalCorpus, held_out: bool) -> Iterator[tuple[list[str], int]]:
    """Yield the lines of each document of local files, and the number of headings left out of it.

    Raises ParamsError if a file cannot be read as text or holds none.
    """
    key = "held_out_files" if held_out else "files"
    for name in getattr(corpus, key):
        path, empty = paths.given(name), True
        where = f"corpus.{key}: file {path}"
        for document in document_lines(path, corpus.field or "text", where):
            body = [line for line in document if not HEADING.fullmatch(line)]
            empty = empty and not body
            yield body, len(document) - len(body)
        if empty:
            raise ParamsError(f"{where} holds no text: it is empty, or all of its lines are headings")


def document_lines(path: Path, field: str, where: str) -> Iterator[list[str]]:
    """Yield the lines of each document of a file, without blank ones, headings included.

    An empty line separates documents; in a file of JSON lines, each line is a document with its text in `field`.
    Raises ParamsError, in which the file is called `where`.
    """
    if (suffix := _suffix(path)) in NOT_TEXT:
        raise ParamsError(f"{where} is not plain text but {suffix}; allowed are .txt and .jsonl, also with .gz or .xz")
    rows = lines.lines(path, where)
    if suffix in JSON_LINES:
        found = (_json_text(row, field, f"{where}, line {number}") for number, row in enumerate(rows, 1) if row.strip())
        yield from ([part for part in text.split("\n") if part.strip()] for text in found)
        return
    first = next(rows, "")
    if _is_json(first):
        raise ParamsError(f"{where} has JSON in line 1; the name of a file of JSON lines must end in .jsonl")
    if first.lstrip().lower().startswith(MARKUP):
        raise ParamsError(f"{where} begins with {first.strip()[:20]!r}; allowed is plain text, without markup")
    for filled, document in groupby(chain([first], rows), key=lambda row: bool(row.strip())):
        if filled:
            yield list(document)


def is_json_lines(name: str) -> bool:
    """Whether a file is read as JSON lines, by its name."""
    return _suffix(Path(name)) in JSON_LINES


def _suffix(path: Path) -> str:
    """The ending of a file's name in lower case, without that of its compression."""
    return Path(path.stem if path.suffix.lower() in lines.OPENERS else path.name).suffix.lower()


def _is_json(line: str) -> bool:
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(line), dict | list)
    return False


def _json_text(line: str, field: str, where: str) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ParamsError(f"{where} is not JSON: {getattr(error, 'msg', error)}") from None
    text = row.get(field) if isinstance(row, dict) else None
    if not isinstance(text, str):
        fields = f"its fields are {', '.join(map(repr, row))}" if isinstance(row, dict) else "it is not an object"
        raise ParamsError(f"{where} has no text in field {field!r}; {fields} (corpus.field names the field)")
    return lines.plain(text.replace("\r\n", "\n"), where)


def sentences_of(paragraphs: list[str], replace: dict[str, str]) -> list[str]:
    """Split the lines of a document into sentences; keys of `replace` become their values first."""
    return [
        sentence
        for line in paragraphs
        for sentence in sentences(reduce(lambda text, pair: text.replace(*pair), replace.items(), line))
    ]


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph after the marks that end a sentence in any script.

    The rule is crude (it splits after abbreviations) but sufficient to split text into sentence pairs. A
    paragraph without marks is one sentence.
    """
    return [text for part in SENTENCE_END.sub(r"\1\2\n", paragraph).split("\n") if (text := part.strip())]


def _hub_documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """Yield documents of the hub's data sets, one from each in turn; the first documents of each are held out."""
    from datasets import IterableDataset, interleave_datasets

    streams, first = [], corpus.held_out_documents // len(corpus.datasets)
    for place, text in enumerate(corpus.datasets):
        rows = IterableDataset.from_generator(_hub_texts, gen_kwargs={"key": f"{DATASETS}{place}", "text": text})
        rows = rows.batch(text.rows_per_document)
        streams.append(rows.take(first) if held_out else rows.skip(first))
    for row in interleave_datasets(streams, stopping_strategy="all_exhausted"):
        document = [s for text in row["text"] for paragraph in (text or "").split("\n") for s in sentences(paragraph)]
        if document:
            yield document


def _hub_texts(key: str, text: HubText) -> Iterator[dict]:
    """Yield the texts of a data set of the hub, {"text": str or None}. Raises ParamsError."""
    for row in hub.rows(key, text.path, text.configuration, text.revision):
        if not isinstance(row.get("text", 0), str | None):
            columns = ", ".join(map(repr, row))
            raise ParamsError(f"{key}: data set {text.path!r} has no column 'text' of texts, it has {columns}")
        yield {"text": row["text"]}
