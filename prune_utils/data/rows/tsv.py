"""Strict reading of a task's TSV or CSV file: every row is as the header says, or the file is refused.

Imports no pandas, torch or transformers, so that rows can be counted quickly.
"""

import csv
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from prune_utils.data.glue import PAIR, SENTENCE, TaskFacts, dev_file, layout
from prune_utils.data.rows.lines import lines, records, shown
from prune_utils.study import paths
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import LocalTask, Task
from prune_utils.study.words import many

UNQUOTED = "allowed are a .csv, a file whose header is quoted too, or text without such quoting"
SETTLED = 2_000_000_000  # nanoseconds
INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # Unicode categories: control and format characters, blanks


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of texts and a label as written; `where` names their file, `places` holds the line of each."""

    where: str
    places: list[int]
    rows: list[tuple[str, ...]]
    left_out: int = 0
    quoted: int = 0  # rows with a field as CSV quotes it
    place: str = "line"  # what a place is

    @property
    def labels(self) -> list[str]:
        return [row[-1] for row in self.rows]

    def refuse(self, index: int, fault: str) -> ParamsError:
        return ParamsError(f"{self.where}, {self.place} {self.places[index]} {fault}")


def table(task: LocalTask, part: str) -> Table:
    """Read the "train" or "dev" file of a task; a file that did not change is read once.

    TSV as GLUE's: a quotation mark is text, unless the header is quoted. CSV, by the extension .csv, with quoting.
    Raises ParamsError, with the line, for whatever is not text in the columns that the task's layout names.
    """
    path = paths.given(task.folder) / (dev_file(task) if part == "dev" else task.train)
    with of(task):
        try:
            stat = path.stat()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise ParamsError(f"file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
        # a file that was written just now may change again without another time
        read = _table if time.time_ns() - stat.st_mtime_ns > SETTLED else _table.__wrapped__
        return read(path, layout(task), (stat.st_mtime_ns, stat.st_size))


@contextmanager
def of(task: Task) -> Iterator[None]:
    """Put the name of a task before the message of a ParamsError."""
    try:
        yield
    except ParamsError as error:
        raise ParamsError(f"task {task.name}: {error}") from None


@lru_cache(maxsize=32)
def _table(path: Path, facts: TaskFacts, stamp: tuple) -> Table:
    text = "\n".join(lines(path, str(path))).rstrip("\n")
    if not text:
        raise ParamsError(f"{path} is empty")
    comma, quoted = path.suffix.lower() == ".csv", text.startswith('"') or '\t"' in text.partition("\n")[0]
    quoting = csv.QUOTE_MINIMAL if comma or quoted and not facts.width else csv.QUOTE_NONE
    found = records(text, str(path), delimiter="," if comma else "\t", quoting=quoting)
    header, width, chosen = None, facts.width, [*facts.texts, facts.label]
    if not width:
        header = next(found)[1]
        chosen, width = [header.index(name) for name in columns(path, header, facts.texts, facts.label)], len(header)
    table, faults = Table(str(path), [], []), []
    for line, fields in found:
        row = tuple(fields[i] for i in chosen) if len(fields) == width else ()
        fault = _fault(fields, row, header, width)
        if not fault and quoting == csv.QUOTE_NONE and not facts.known and any(map(doubled, fields)):
            fault = "has a field in quotation marks with doubled ones within, as in CSV; " + UNQUOTED
        if not fault:
            table.places.append(line)
            table.rows.append((*row[:-1], sys.intern(row[-1])))
            continue
        faults.append(f"{path}, line {line} {fault}")
        if not facts.ragged or fields == header:
            raise ParamsError(faults[-1])
    if len(faults) > len(table.rows):
        raise ParamsError(f"{faults[0]}, and so have most rows")
    return replace(table, left_out=len(faults), quoted=sum(any(map(doubled, row)) for row in table.rows))


def columns(where: object, header: list[str], texts: tuple[str, ...], label: str) -> list[str]:
    """The columns of texts and label: those named, or else sentence or the pair of sentences. Raises ParamsError."""
    either = {*PAIR} & {*header}
    if not texts and either and {*SENTENCE} & {*header}:
        raise ParamsError(f"{where} has columns sentence and {' and '.join(PAIR)}; allowed is one or two texts")
    chosen = [*(texts or (PAIR if either else SENTENCE)), label]
    if missing := [name for name in chosen if name not in header]:
        raise ParamsError(
            f"{where} has no column {' and no '.join(missing)}, it has {shown(header)}; GLUE's tasks need GLUE's columns, "
            "others sentence (or sentence1 and sentence2) and label, or `texts` and `label` in the params name the "
            "columns; tabs separate columns, in a .csv commas"
        )
    if len(set(header)) < len(header):
        raise ParamsError(f"{where} has a column twice: {shown(header)}")
    return chosen


def visible(text: str) -> bool:
    """Whether a text has a character that is no blank, control or format character."""
    return any(unicodedata.category(character) not in INVISIBLE for character in text)


def doubled(field: str) -> bool:
    """Whether a field is quoted as a CSV writer does it: in quotation marks, and those within are doubled."""
    if not (len(field) > 1 and field[0] == field[-1] == '"'):
        return False
    within = field[1:-1]
    return not within or '"' in within and '"' not in within.replace('""', "")


def _fault(fields: list[str], row: tuple[str, ...], header: list[str] | None, width: int) -> str:
    if not any(fields):
        return "is blank"
    if len(fields) != width:
        than = "the header has" if header else "a file of GLUE without a header has"
        return f"has {many(len(fields), 'field')}; {than} {width}"
    if not all(map(visible, row)):
        return "has an empty text or label"
    return "repeats the header" if [field.lstrip("\ufeff") for field in fields] == header else ""
