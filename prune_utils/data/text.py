"""Documents to pre-train on, each a list of sentences, from the embedded language, local files or the hub."""

import codecs
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import regex

from prune_utils.data.embedded import language, lexicon
from prune_utils.study import paths
from prune_utils.study.section import ParamsError
from prune_utils.study.sources import Corpus, LocalCorpus

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
JSON_LINES = (".jsonl", ".ndjson", ".json")
NOT_TEXT = (".csv", ".tsv", ".html", ".htm", ".xml")  # would be read as text, marks and all
SIGNATURES = {  # first bytes of what is often taken for UTF-8 text
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"\x1f\x8b": "gzip; its name must end in .gz",
    b"\xfd7zXZ": "xz; its name must end in .xz",
}
# WikiText's headings: equal runs of "=" at both ends, with a space after and before every sign
HEADING = re.compile(r"\s*(=(?: =)*) (?!= ).+(?<! =) \1\s*")
# Unicode's sentence terminals; those that are also part of numbers and names end a sentence only before a space.
# Closing quotes and brackets stay with their sentence. Separators of lines and pages, such as U+2028, end a sentence.
SENTENCE_END = regex.compile(
    r"""([.!?][\p{Pe}\p{Pf}\p{Pi}"']*)\s+
    |((?:[\p{SB=STerm}--[!?]]|．(?!\p{Nd}))[\p{SB=STerm}.．]*[\p{Pe}\p{Pf}"']*)\s*
    |[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]""",
    regex.VERBOSE | regex.V1,
)


def documents(corpus: Corpus, held_out: bool) -> Iterator[list[str]]:
    """Yield the documents of the training or the held-out text. On the hub, the two do not overlap.

    Raises ParamsError if a local file cannot be read as text.
    """
    if corpus.source == "embedded":
        count = corpus.held_out_documents if held_out else corpus.documents
        yield from language.documents(lexicon.load(), count, "held out" if held_out else "train")
    elif corpus.source == "local":
        for lines, _ in local_lines(corpus, held_out):
            if document := sentences_of(lines, corpus.replace):
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
        try:
            for lines in document_lines(path, corpus.field or "text"):
                body = [line for line in lines if not HEADING.fullmatch(line)]
                empty = empty and not body
                yield body, len(lines) - len(body)
            if empty:
                raise ParamsError("holds no text: it is empty, or all of its lines are headings")
        except ParamsError as error:
            raise ParamsError(f"corpus.{key}: file {path} {error}") from None


def document_lines(path: Path, field: str) -> Iterator[list[str]]:
    """Yield the lines of each document of a file, without blank ones, headings included.

    An empty line separates documents; in a file of JSON lines, each line is a document with its text in `field`.
    Raises ParamsError, a message that continues the name of the file.
    """
    if (suffix := _suffix(path)) in NOT_TEXT:
        raise ParamsError(f"is not plain text; allowed are .txt, .jsonl, and both with .gz or .xz, not {suffix}")
    document: list[str] = []
    for number, line in enumerate(_decoded(path), start=1):
        if number == 1 and suffix not in JSON_LINES and _is_object(line):
            raise ParamsError("has a JSON object in line 1; the name of a file of JSON lines must end in .jsonl")
        if suffix in JSON_LINES:
            if line.strip():
                text = _checked(_json_text(line, field, number), number)
                yield [part for part in text.split("\n") if part.strip()]
        elif _checked(line, number).strip():
            document.append(line)
        elif document:
            yield document
            document = []
    if document:
        yield document


def is_json_lines(name: str) -> bool:
    """Whether a file is read as JSON lines, by its name."""
    return _suffix(Path(name)) in JSON_LINES


def _suffix(path: Path) -> str:
    """The ending of a file's name in lower case, without that of its compression."""
    return Path(path.stem if path.suffix.lower() in OPENERS else path.name).suffix.lower()


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _decoded(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file without their ends; only \\n and \\r\\n end a line."""
    start, offset = b"", 0
    try:
        with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
            for number, raw in enumerate(file, start=1):
                start = start or raw
                try:
                    line = raw.decode().removeprefix("\ufeff" if number == 1 else "")
                except UnicodeDecodeError as error:
                    found = [name for mark, name in SIGNATURES.items() if start.startswith(mark)]
                    where = f"line {number}, byte {offset + error.start} of the text"
                    hint = found[0] if found else "another encoding, such as Latin-1"
                    raise ParamsError(f"is not UTF-8: {error.reason} in {where} (is it {hint}?)") from None
                offset += len(raw)
                yield line.removesuffix("\n").removesuffix("\r")
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ParamsError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _checked(text: str, number: int) -> str:
    """Return the text of line `number`. Raises ParamsError if it holds what a line of text cannot hold."""
    if "\0" in text:
        raise ParamsError(f"holds a NUL character in line {number} (is it UTF-16, or not a text?)")
    if "\r" in text:
        raise ParamsError(f"holds a carriage return inside line {number}; lines must end with \\n or \\r\\n")
    return text


def _json_text(line: str, field: str, number: int) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ParamsError(f"is not JSON lines: {getattr(error, 'msg', error)} in line {number}") from None
    text = row.get(field) if isinstance(row, dict) else None
    if not isinstance(text, str):
        fields = f"its fields are {', '.join(map(repr, row))}" if isinstance(row, dict) else "it is not an object"
        raise ParamsError(f"has no text in field {field!r} of line {number}; {fields} (corpus.field names the field)")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ParamsError(f"has half a surrogate pair (\\ud800 to \\udfff) in line {number}")
    return text.replace("\r\n", "\n")


def sentences_of(lines: list[str], replace: dict[str, str]) -> list[str]:
    """Split the lines of a document into sentences; keys of `replace` become their values first."""
    found = []
    for line in lines:
        for old, new in replace.items():
            line = line.replace(old, new)
        found += sentences(line)
    return found


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph after the marks that end a sentence in any script.

    The rule is crude (it splits after abbreviations) but sufficient to split text into sentence pairs. A
    paragraph without marks is one sentence.
    """
    return [text for part in SENTENCE_END.sub(r"\1\2\n", paragraph).split("\n") if (text := part.strip())]


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
        document = [s for text in row["text"] for paragraph in (text or "").split("\n") for s in sentences(paragraph)]
        if document:
            yield document
