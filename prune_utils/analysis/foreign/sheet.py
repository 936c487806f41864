"""A table file as columns of text: its encoding, separator and header."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from prune_utils.data.rows.lines import lines, records
from prune_utils.study.section import ParamsError

SEPARATORS = ",;\t"
PERCENT = re.compile(r"_?(in_)?(%|percent|pct)$")  # at the end of the name of a column of percents
SHARES = ("sparsity", "dev_accuracy", "std", "mean")  # columns that may be percents
CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
Aliases = Mapping[str, tuple[str, ...]]


class Sheet(NamedTuple):
    """The rows of a table that are not empty.

    `texts`: a frame of texts, indexed by line, with the columns that have a meaning here, by our names; `names`: their
    names in the file; `percent`: those that are percents by their name; `unused`: names of the other columns.
    """

    where: str
    texts: pd.DataFrame
    names: dict[str, str]
    percent: set[str]
    unused: list[str]

    def fault(self, name: str, line: int, allowed: str) -> ParamsError:
        """The error on one value of a column."""
        text = self.texts.at[line, name]
        return ParamsError(f"{self.where}, line {line}: {self.names[name]} is {text!r}; {allowed}")


def read(path: Path, key: str, aliases: Aliases, needed: tuple[str, ...]) -> Sheet:
    """Read a table. `key`: its key in the params; `aliases`: all names of each column, lower case; `needed`: columns
    that must be there. Rows without any value are dropped, and so are columns without any.

    Raises ParamsError if the file is not UTF-8, a row has another number of fields than the header, a needed column is
    missing, or two columns mean the same.
    """
    where = f"{key}: {path}"
    text = "\n".join(lines(path, where, CONTROL))
    ours = {alias: name for name, every in aliases.items() for alias in every}
    separator = _separator(text, where, ours, needed)
    (first, header), *rows = _rows(text, separator, where)
    found, names, percent, unused = {}, {}, set(), []
    for place, title in enumerate(header):
        texts, (name, percents) = {line: row[place] for line, row in rows}, _meaning(title, ours)
        if not any(texts.values()):
            continue
        if name in names:
            raise ParamsError(
                f"{where}, line {first}: columns {names[name]!r} and {title!r} both mean {name}; allowed is one"
            )
        if name is None:
            unused.append(title or "without a name")
        else:
            found[name], names[name] = texts, title
            percent |= {name} if percents else set()
    if absent := [name for name in needed if name not in found]:
        raise ParamsError(f"{where} has no value in column {', '.join(absent)}" if rows else f"{where} has no rows")
    return Sheet(where, pd.DataFrame(found), names, percent, unused)


def _meaning(title: str, ours: dict[str, str]) -> tuple[str | None, bool]:
    """Our name of a column, and whether it holds percents."""
    plain = re.sub(r"[^\w%]+", "_", title.casefold()).strip("_")
    if plain in ours:
        return ours[plain], False
    name = ours.get(PERCENT.sub("", plain)) if PERCENT.search(plain) else None
    return (name, True) if name in SHARES else (None, False)


def _separator(text: str, where: str, ours: dict[str, str], needed: tuple[str, ...]) -> str:
    """The separator with which the header has all the columns that are needed; others have one field, or none of them."""
    header = next((line for line in io.StringIO(text, newline="") if line.strip(f"{SEPARATORS} \r\n")), "")
    titles = {s: [t.strip() for t in next(csv.reader([header], delimiter=s), [])] for s in SEPARATORS}
    absent = {s: [n for n in needed if n not in {_meaning(t, ours)[0] for t in titles[s]}] for s in SEPARATORS}
    best = min(SEPARATORS, key=lambda separator: (len(absent[separator]), -len(titles[separator])))
    if absent[best]:
        also = {name: ", ".join(a for a, n in ours.items() if n == name != a) for name in absent[best]}
        named = "; no column ".join(f"{name} (or {others})" if others else name for name, others in also.items())
        raise ParamsError(f"{where} has no column {named}; it has {', '.join(titles[best]) if header else 'no header'}")
    return best


def _rows(text: str, separator: str, where: str) -> list[tuple[int, list[str]]]:
    """The rows with any text, header first: the line of each, and its fields without blanks around them."""
    rows = []
    for line, row in records(text, where, delimiter=separator, skipinitialspace=True):
        fields, width = [field.strip() for field in row], len(rows[0][1]) if rows else len(row)
        if any(re.search(r"[\r\n]", field) for field in row):
            raise ParamsError(f"{where}, line {line}: a quoted field goes on in the next line; allowed is one line")
        if any(fields):
            if len(fields) < width or any(fields[width:]):
                raise ParamsError(f"{where}, line {line} has {len(fields)} fields, and the header has {width}")
            rows.append((line, fields[:width]))
    return rows
