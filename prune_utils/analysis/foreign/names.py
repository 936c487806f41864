"""Names in a table: tasks, arms and seeds."""

import re
from collections.abc import Mapping

import pandas as pd

from prune_utils.analysis.foreign.numbers import HOLES
from prune_utils.analysis.foreign.sheet import Sheet
from prune_utils.data.rows.lines import shown
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.arms import SHIPPED
from prune_utils.study.sections.sources import task_name

# names of rows that are no results
SUMMARY = re.compile(
    r"((glue|macro|micro|task|overall)[-_.+ ]*)?(mean|average|avg|total|overall|median|std|sd|glue|glue_score)\.?([-_ ]*\(.*\))?"
)
FURTHER = str.maketrans("()/", "+++")  # allowed in a table, whose names are never those of folders
ALLOWED = "allowed are letters, digits, blanks and the characters _ . + - ( ) /, with a letter or digit first"


def names(sheet: Sheet, column: str) -> pd.Series:
    """The names in a column of tasks or arms.

    Raises ParamsError, with lines, for names with other characters, rows of means, and names that differ only in case
    or in blanks and their like, which are one name as a rule.
    """
    seen = {}
    for line, text in sheet.texts[column].drop_duplicates().items():
        try:
            task_name(text.translate(FURTHER))
        except ValueError:
            raise sheet.fault(column, line, ALLOWED) from None
        if SUMMARY.fullmatch(_plain(text)):
            raise sheet.fault(column, line, "allowed are single results; means over tasks are computed from them")
        first, other = seen.setdefault(_plain(text), (line, text))
        if first != line:
            raise sheet.fault(column, line, f"allowed is one spelling, and line {first} has {other!r}")
    return sheet.texts[column]


def arms(sheet: Sheet, given: Mapping[str, str]) -> dict[str, str]:
    """The arm that each name in the table stands for.

    `given`: our arms by their names, `table.arms`. Names that are ours but for case, blanks and hyphens are ours; every
    other name is an arm of its own. Raises ParamsError if the table lacks a name that is given.
    """
    found = list(names(sheet, "arm").unique())
    if absent := [name for name in given if name not in found]:
        raise ParamsError(f"table.arms has {absent[0]!r}, which is no arm of {sheet.where}; allowed are {shown(found)}")
    return {name: _plain(name) if _plain(name) in SHIPPED.arms else name for name in found} | dict(given)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.casefold())


def seeds(sheet: Sheet) -> tuple[list[int], dict[str, int]]:
    """The seed of each row; texts are numbered from 0 in order of appearance, and returned with their numbers.

    Raises ParamsError for a row without a seed where others have one.
    """
    texts = sheet.texts["seed"]
    for line in texts.index[texts.str.casefold().isin(HOLES)]:
        raise sheet.fault("seed", line, "allowed is a seed in all rows or in none")
    if texts.str.fullmatch(r"[0-9]{1,15}(\.0+)?").all():
        return [int(text.partition(".")[0]) for text in texts], {}
    numbers, every = pd.factorize(texts)
    return list(numbers), {text: number for number, text in enumerate(every)}
