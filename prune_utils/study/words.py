"""Format numbers alike in every message, table and figure: percentages, points and plurals."""

import re
from collections.abc import Iterable

# environment variables read when transformers and datasets are imported: their progress bars would bury all other messages
QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "critical",  # what it cannot read is an error of ours
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
# new objects after which Python searches for garbage, 700 by default: what is imported, a million objects, never becomes
# garbage, and searching it repeatedly takes a quarter of a kernel's start and a sixth of a plan
SEARCHED = 100_000
POINTS = 100  # percentage points per unit of accuracy
CORRELATION, NATS = FINE = "rank correlation", "nats"  # units of estimates that have two decimals


def percent(share: float) -> str:
    """Format a share of 1 in percents, with decimals where it has some: 0.3 becomes "30 %", and 0.4867 "48.67 %"."""
    return percents([share])


def percents(shares: Iterable[float]) -> str:
    """Format several shares with one percent sign: "30, 50 %"."""
    return ", ".join(f"{round(100 * share, 2):g}" for share in shares) + " %"


def signed(number: float, unit: str) -> str:
    """Format an estimate in `unit` with its sign: to a tenth, and in units of FINE to a hundredth."""
    return minus(f"{number:+.{2 if unit in FINE else 1}f}")


def minus(text: str) -> str:
    """Write the signs of negative numbers in a text as minus signs: "-1.2 points" becomes "−1.2 points"."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


def many(count: int, noun: str) -> str:
    """Format a count with its noun, plural where needed: "1 task", "3 tasks"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
