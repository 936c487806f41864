"""Numbers as people write them in tables. The scale of a column, fractions or percents, is the same in all its rows."""

import re
from decimal import Decimal
from math import isinf, nan

import pandas as pd

from prune_utils.analysis.foreign.sheet import Sheet
from prune_utils.study.section import ParamsError
from prune_utils.study.words import POINTS

HOLES = {"", "-", "–", "—", "--", "n/a", "na", "nan", "none", "null", "#n/a", "diverged"}
NUMBER = r"(?:[0-9]+(?:[.,][0-9]+)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
PLUS_MINUS = r"(?:±|\+/-|\+-)"
WRITTEN = re.compile(
    rf"(?P<value>[+-]?{NUMBER})\s*%?\s*"
    rf"(?:{PLUS_MINUS}\s*(?P<after>{NUMBER})\s*%?|\(\s*(?P<sign>{PLUS_MINUS})?\s*(?P<within>{NUMBER})\s*%?\s*\)\s*%?)?"
)
ALLOWED = "allowed are a number, such as 0.843, 84.3 % or 84.3 ± 0.4, and - or nothing for a missing one"
DIGITS = 6  # of a sparsity as a fraction: 0.30000000000000004 is 0.3
LEAST_STD, MOST_STD = 0.0005, 0.1  # a median beyond them is hardly in the scale of its accuracies


def written(text: str, shift: int = 0) -> tuple[float, float, bool]:
    """Read a number: its value, its spread after ± or in parentheses, and whether it has a % sign; NaN for a hole.

    The decimal mark is first shifted to the right: -2 makes fractions of percents. Raises ValueError if it is neither a
    number nor a hole, or has two readings: "84.3(4)" may stand for 84.3 ± 0.4, so a spread in parentheses needs as
    decimal mark what its number has.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if text.casefold() in HOLES:
        return nan, nan, False
    found = WRITTEN.fullmatch(text)
    if not found:
        raise ValueError("it is no number")
    texts = found["value"], found["after"] or found["within"] or "nan"
    if found["within"] and not found["sign"] and re.search("[.,]", texts[0]) and not re.search("[.,]", texts[1]):
        raise ValueError("its spread has two readings")
    value, spread = (float(Decimal(part.replace(",", ".")).scaleb(shift)) for part in texts)
    if isinf(value) or isinf(spread):
        raise ValueError("it is too large")
    return value, spread, "%" in text


def column(sheet: Sheet, name: str, shift: int = 0) -> pd.DataFrame:
    """The `value`, `spread` and % `sign` of a column by line, see `written`. Raises ParamsError with the line."""
    found = {}
    for line, text in sheet.texts[name].items():
        try:
            found[line] = written(text, shift)
        except ValueError as error:
            raise sheet.fault(name, line, f"{error}; {ALLOWED}") from None
    return pd.DataFrame.from_dict(found, orient="index", columns=["value", "spread", "sign"])


def check_marks(sheet: Sheet, names: list[str]) -> None:
    """Raise ParamsError if a table has both decimal marks, "." and ","."""
    texts = sheet.texts[names].stack()
    marks = [(mark, place) for place, text in texts.items() for mark in sorted({*text} & {".", ","})]
    for mark, (line, name) in marks:
        if mark != marks[0][0]:
            raise sheet.fault(name, line, f"allowed is one decimal mark in the table, and {marks[0][0]!r} came before")


def shares(sheet: Sheet, name: str, low: int, below_one: bool = False) -> tuple[pd.DataFrame, bool, str]:
    """A column of shares from `low` to 1 as fractions, whether they are percents in the table, and how this was known.

    With `below_one`, 1 itself is excluded and values are rounded to DIGITS. Percents are columns that say so in their
    name or have % signs; other columns are percents if a value is above 1 and none lies between 0 and 1, and fractions
    if none is above 1. Raises ParamsError, with lines, for everything else.
    """
    percent, scale = _scale(sheet, name)
    numbers = column(sheet, name, -2 if percent else 0)
    if below_one:
        numbers["value"] = numbers.value.round(DIGITS)
    fits = numbers.value.between(low, 1, "left" if below_one else "both") | numbers.value.isna()
    for line in numbers.index[~fits]:
        top = "below 1 (100 %)" if below_one else "1 (100 %)"
        raise sheet.fault(name, line, f"read as {scale}; allowed is {low} to {top}")
    return numbers, percent, scale


def _scale(sheet: Sheet, name: str) -> tuple[bool, str]:
    """Whether a column holds percents, and why."""
    numbers = column(sheet, name)
    known = numbers[numbers.value.abs() > 0]  # 0 has any scale
    above, within = (known.index[rows] for rows in (known.value.abs() > 1, known.value.abs() < 1))
    signs = _signs(sheet, name, known)
    if signs or name in sheet.percent:
        if len(within) and not len(above):
            raise sheet.fault(name, within[0], "allowed are percents, and no value of this column is above 1")
        return True, "percents by their signs" if signs else "percents by the name of the column"
    if len(above) and len(within):
        also = f"line {above[0]} has {sheet.texts.at[above[0], name]!r} (percents below 1 need % signs, or a column"
        raise sheet.fault(name, within[0], f"allowed are fractions or percents alone, and {also} named {name}_percent)")
    return (True, "percents, for values above 1") if len(above) else (False, "fractions, for none is above 1")


def _signs(sheet: Sheet, name: str, numbers: pd.DataFrame) -> bool:
    """Whether numbers of a column have % signs: all or none, unless the column says that it holds percents."""
    signed, bare = numbers.index[numbers.sign], numbers.index[~numbers.sign]
    if len(signed) and len(bare) and name not in sheet.percent:
        raise sheet.fault(name, bare[0], f"allowed are % signs in all rows or in none, and line {signed[0]} has one")
    return len(signed) > 0


def deviations(sheet: Sheet, scores: pd.DataFrame, percent: bool) -> tuple[pd.Series, str | None]:
    """The standard deviation of each row as a fraction, and where it is from; None without any.

    Without a scale of its own it has that of the accuracies. Raises ParamsError, with lines, if it is given twice, or if
    it can hardly be in that scale.
    """
    name = "std" if "std" in sheet.texts else "dev_accuracy"
    values, source = scores.spread, f"{'' if name == 'std' else '± in '}column {sheet.names[name]!r}"
    if name == "std":
        numbers = column(sheet, "std")
        known = floats(sheet, "std", signs=True).notna()
        for line in scores.index[known & scores.spread.notna()]:
            raise sheet.fault("dev_accuracy", line, f"allowed is one spread, and {source} has one")
        own = _signs(sheet, "std", numbers[numbers.value > 0]) or "std" in sheet.percent
        values = column(sheet, "std", -2 if own or percent else 0).value
        if own:
            return values, source
    middle = values[values > 0].median()
    if middle < LEAST_STD if percent else middle > MOST_STD:
        limit = f"below {POINTS * LEAST_STD:g}" if percent else f"above {POINTS * MOST_STD:g}"
        fault = f"half of the standard deviations in column {sheet.names[name]!r} are {limit} points"
        raise ParamsError(
            f"{sheet.where}: {fault}; allowed is the scale of the accuracies, or a column named std_percent"
        )
    return values, source if name == "std" or values.notna().any() else None


def floats(sheet: Sheet, name: str, zero: bool = True, signs: bool = False, negative: bool = False) -> pd.Series:
    """The numbers of a column without spreads, of at least 0, or above 0 without `zero`, or any if `negative`; % signs
    only with `signs`.

    NaN for a hole and where there is no such column.
    """
    if name not in sheet.texts:
        return pd.Series(nan, sheet.texts.index)
    numbers = column(sheet, name)
    small = (numbers.value < 0 if zero else numbers.value <= 0) & (not negative)
    for line in numbers.index[small | numbers.spread.notna() | (numbers.sign > signs)]:
        least = "" if negative else f" {'of at least' if zero else 'above'} 0"
        allowed = f"allowed is one number{least}{'' if signs else ', without a % sign'}"
        raise sheet.fault(name, line, allowed)
    return numbers.value


def counts(sheet: Sheet, name: str) -> pd.Series:
    """The whole numbers of a column, from 1 up; NaN for a hole."""
    numbers = floats(sheet, name, zero=False)
    for line in numbers.index[(numbers % 1 > 0) | sheet.texts[name].str.contains(",")]:  # 1,000 has two readings
        raise sheet.fault(name, line, "allowed is a whole number from 1 up")
    return numbers
