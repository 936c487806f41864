"""Numbers as people write them in tables. The scale of a column, fractions or percents, is the same in all its rows."""

import re
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, isnan, nan
from statistics import median

from prune_utils.analysis.foreign.sheet import Sheet
from prune_utils.study.section import ParamsError

HOLES = {"", "-", "–", "—", "--", "n/a", "na", "nan", "none", "null", "#n/a", "diverged"}
NUMBER = r"(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
PLUS_MINUS = r"(?:±|\+/-|\+-)"
WRITTEN = re.compile(
    rf"(?P<value>[+-]?{NUMBER})\s*%?\s*"
    rf"(?:{PLUS_MINUS}\s*(?P<after>{NUMBER})\s*%?|\(\s*(?P<sign>{PLUS_MINUS})?\s*(?P<within>{NUMBER})\s*%?\s*\)\s*%?)?"
)
LEAST_STD, MOST_STD = Decimal("0.0005"), Decimal("0.1")  # a median beyond them is hardly in the scale of its accuracies


@dataclass(frozen=True)
class Written:
    """A number as it is written: value, spread after ± or in parentheses, and whether it has a % sign."""

    value: Decimal
    spread: Decimal | None
    percent: bool


@dataclass(frozen=True)
class Column:
    """Numbers by row, as fractions; None is a hole. `scale`: how the column was read, in words."""

    values: list[Decimal | None]
    spreads: list[Decimal | None]
    percent: bool
    scale: str

    def floats(self) -> list[float]:
        """The values, NaN for a hole."""
        return [nan if value is None else float(value) for value in self.values]


def written(text: str) -> Written | None:
    """Read a number; None for a hole. Raises ValueError if it is neither, or has two readings.

    "84.3(4)" may stand for 84.3 ± 0.4, so a spread in parentheses needs as decimal mark what its number has.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if text.casefold() in HOLES:
        return None
    found = WRITTEN.fullmatch(text)
    if not found:
        raise ValueError("it is no number")
    spread = found["after"] or found["within"]
    if found["within"] and not found["sign"] and re.search("[.,]", found["value"]) and not re.search("[.,]", spread):
        raise ValueError("its spread has two readings")
    value, spread = (part and Decimal(part.replace(",", ".")) for part in (found["value"], spread))
    return Written(value, spread, "%" in text)


def column(sheet: Sheet, name: str) -> list[Written | None]:
    """The numbers of a column as they are written. Raises ParamsError with the line of what is none."""
    found = []
    for row, text in enumerate(sheet.columns[name]):
        try:
            found.append(written(text))
        except ValueError as error:
            allowed = "allowed are a number, such as 0.843, 84.3 % or 84.3 ± 0.4, and - or nothing for a missing one"
            raise sheet.fault(name, row, f"{error}; {allowed}") from None
    return found


def check_marks(sheet: Sheet, names: list[str]) -> str:
    """The decimal mark of a table, "." or ",". Raises ParamsError if it has both."""
    seen: dict[str, tuple[str, int]] = {}
    for row in range(len(sheet.lines)):
        for name in names:
            for mark in sorted(set(sheet.columns[name][row]) & {".", ","}):
                seen.setdefault(mark, (name, row))
    if len(seen) > 1:
        (first, _), (_, place) = seen.items()
        raise sheet.fault(*place, f"allowed is one decimal mark in the whole table, and {first!r} came before")
    return next(iter(seen), ".")


def shares(sheet: Sheet, name: str, low: int, below_one: bool = False) -> Column:
    """A column of shares from `low` to 1 as fractions; 1 itself is excluded with `below_one`.

    Percents are columns that say so in their name or have % signs; other columns are percents if a value is above 1 and
    none lies between 0 and 1, and fractions if none is above 1. Raises ParamsError, with lines, for everything else.
    """
    numbers = column(sheet, name)
    percent, scale = _scale(sheet, name, numbers)
    values = [number and _fraction(number.value, percent) for number in numbers]
    top = "below 1 (100 %)" if below_one else "1 (100 %)"
    for row, value in enumerate(values):
        if value is not None and not (low <= value < 1 or (value == 1 and not below_one)):
            raise sheet.fault(name, row, f"read as {scale}; allowed is {low} to {top}")
    spreads = [number and number.spread and _fraction(number.spread, percent) for number in numbers]
    return Column(values, spreads, percent, scale)


def _fraction(value: Decimal, percent: bool) -> Decimal:
    return value.scaleb(-2) if percent else value


def _scale(sheet: Sheet, name: str, numbers: list[Written | None]) -> tuple[bool, str]:
    """Whether a column holds percents, and why."""
    known = [(row, number) for row, number in enumerate(numbers) if number and number.value]  # 0 has any scale
    above = [row for row, number in known if abs(number.value) > 1]
    within = [row for row, number in known if abs(number.value) < 1]
    signs, declared = _signs(sheet, name, known), name in sheet.percent
    if (signs or declared) and within and not above:
        raise sheet.fault(name, within[0], "allowed are percents, and no value of this column of percents is above 1")
    if signs or declared:
        return True, "percents by their signs" if signs else "percents by the name of the column"
    if above and within:
        row, other = within[0], above[0]
        raise sheet.fault(
            name,
            row,
            f"allowed are fractions alone or percents alone, and line {sheet.lines[other]} has "
            f"{sheet.columns[name][other]!r} (percents below 1 need % signs, or a column named {name}_percent)",
        )
    return (True, "percents, for values above 1") if above else (False, "fractions, for none is above 1")


def _signs(sheet: Sheet, name: str, known: list[tuple[int, Written]]) -> bool:
    """Whether the numbers of a column have % signs: all or none, unless the column says that it holds percents."""
    signed, bare = ([row for row, number in known if number.percent is sign] for sign in (True, False))
    if signed and bare and name not in sheet.percent:
        line = sheet.lines[signed[0]]
        raise sheet.fault(name, bare[0], f"allowed are % signs in all rows or in none, and line {line} has one")
    return bool(signed)


def deviations(sheet: Sheet, scores: Column) -> tuple[list[Decimal | None], str | None]:
    """The standard deviation of each row as a fraction, and where it is from; None without any.

    Without a scale of its own it has that of the accuracies. Raises ParamsError, with lines, if it is given twice, or if
    it can hardly be in that scale.
    """
    if "std" not in sheet.columns:
        given = any(spread is not None for spread in scores.spreads)
        source = f"± in column {sheet.names['dev_accuracy']!r}" if given else None
        return _in_scale(sheet, "dev_accuracy", scores.spreads, scores.percent), source
    numbers = alone(sheet, "std", percents=True)
    for row, (number, beside) in enumerate(zip(numbers, scores.spreads, strict=True)):
        if number and beside is not None:
            raise sheet.fault("dev_accuracy", row, f"allowed is one spread, and column {sheet.names['std']!r} has one")
    known = [(row, number) for row, number in enumerate(numbers) if number and number.value]
    own = _signs(sheet, "std", known) or "std" in sheet.percent
    values = [number and _fraction(number.value, own or scores.percent) for number in numbers]
    return values if own else _in_scale(sheet, "std", values, scores.percent), f"column {sheet.names['std']!r}"


def _in_scale(sheet: Sheet, name: str, values: list[Decimal | None], percent: bool) -> list[Decimal | None]:
    middle = median([value for value in values if value] or [LEAST_STD])
    if middle < LEAST_STD if percent else middle > MOST_STD:
        raise ParamsError(
            f"{sheet.where}: half of the standard deviations in column {sheet.names[name]!r} are "
            f"{'below' if percent else 'above'} {float(100 * (LEAST_STD if percent else MOST_STD)):g} points; allowed is "
            "the scale of the accuracies, or a column named std_percent"
        )
    return values


def alone(sheet: Sheet, name: str, percents: bool = False, zero: bool = True) -> list[Written | None]:
    """The numbers of a column without spreads, of at least 0, or above 0 without `zero`; % signs only with `percents`."""
    numbers, least = column(sheet, name), "of at least 0" if zero else "above 0"
    for row, number in enumerate(numbers):
        odd = number and (number.spread is not None or number.percent > percents or not isfinite(float(number.value)))
        if number and (odd or number.value < 0 or (number.value == 0 and not zero)):
            raise sheet.fault(name, row, f"allowed is one number {least}{'' if percents else ', without a % sign'}")
    return numbers


def floats(sheet: Sheet, name: str, zero: bool = True) -> list[float]:
    """The numbers of a column, see `alone`; NaN for a hole and where there is no such column."""
    if name not in sheet.columns:
        return [nan] * len(sheet.lines)
    return [nan if number is None else float(number.value) for number in alone(sheet, name, zero=zero)]


def counts(sheet: Sheet, name: str) -> list[float]:
    """The whole numbers of a column, from 1 up; NaN for a hole."""
    numbers = floats(sheet, name, zero=False)
    for row, number in enumerate(numbers):
        if not isnan(number) and (number % 1 or "," in sheet.columns[name][row]):  # 1,000 has two readings
            raise sheet.fault(name, row, "allowed is a whole number from 1 up")
    return numbers
