"""Names in a table: tasks, arms and seeds."""

import re
from collections.abc import Mapping
from pathlib import Path

from prune_utils.analysis.foreign.numbers import HOLES
from prune_utils.analysis.foreign.sheet import Sheet
from prune_utils.study.schema import ARMS
from prune_utils.study.section import ParamsError
from prune_utils.study.sources import task_name

SUMMARIES = {"mean", "average", "avg", "total", "overall", "median", "std", "sd"}  # rows that are no results
FURTHER = str.maketrans("()/", "+++")  # allowed in a table, whose names are never those of folders
ALLOWED = "allowed are letters, digits, blanks and the characters _ . + - ( ) /, with a letter or digit first"


def names(sheet: Sheet, column: str) -> list[str]:
    """The names in a column of tasks or arms.

    Raises ParamsError, with lines, for names with other characters, rows of means, and names that differ only in case
    or in blanks and their like, which are one name as a rule.
    """
    texts, seen = sheet.columns[column], {}
    for text in dict.fromkeys(texts):
        row = texts.index(text)
        try:
            task_name(text.translate(FURTHER))
        except ValueError:
            raise sheet.fault(column, row, ALLOWED) from None
        if _plain(text).strip(".") in SUMMARIES:
            raise sheet.fault(column, row, "allowed are single results; means over tasks are computed from them")
        first = seen.setdefault(_plain(text), row)
        if first != row:
            raise sheet.fault(
                column, row, f"allowed is one spelling, and line {sheet.lines[first]} has {texts[first]!r}"
            )
    return texts


def arms(sheet: Sheet, given: Mapping[str, str], path: Path) -> dict[str, str]:
    """The arm that each name in the table stands for.

    `given`: our arms by their names, `table.arms`. Names that are ours but for case, blanks and hyphens are ours; every
    other name is an arm of its own. Raises ParamsError if the table lacks a name that is given.
    """
    found = list(dict.fromkeys(names(sheet, "arm")))
    if absent := [name for name in given if name not in found]:
        raise ParamsError(f"table.arms has {absent[0]!r}, which is no arm of {path}; allowed are {', '.join(found)}")
    ours = {name: _plain(name) if _plain(name) in ARMS else name for name in found}
    return ours | dict(given)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.casefold())


def seeds(sheet: Sheet) -> tuple[list[int], dict[str, int]]:
    """The seed of each row; texts are numbered from 0 in order of appearance, and returned with their numbers.

    Raises ParamsError for a row without a seed where others have one.
    """
    texts = sheet.columns["seed"]
    if empty := [row for row, text in enumerate(texts) if text.casefold() in HOLES]:
        raise sheet.fault("seed", empty[0], "allowed is a seed in all rows or in none")
    if all(re.fullmatch(r"[0-9]{1,15}(\.0+)?", text) for text in texts):
        return [int(text.partition(".")[0]) for text in texts], {}
    numbered = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return [numbered[text] for text in texts], numbered
