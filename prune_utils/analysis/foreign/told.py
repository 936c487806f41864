"""What a table holds, and how it was read."""

import pandas as pd

from prune_utils.analysis.foreign.sheet import Sheet
from prune_utils.analysis.results import KEY, in_means, mean_over_tasks
from prune_utils.analysis.uncertainty import seed_spread
from prune_utils.study.schema import ARMS
from prune_utils.study.section import Fact
from prune_utils.study.words import POINTS, percent

LEAST = 1e-5  # a spread below it is that of rows that were copied
SHOWN = 5  # conditions that are named, before "and … more"


def facts(table: Sheet, every: pd.DataFrame, cells: pd.DataFrame, left: int, about: dict[str, str]) -> list[Fact]:
    """The facts on a table. `every`: all its rows; `cells`: those that are used; `left`: rows at 0 % that are not;
    `about`: how columns and names were read, in words."""
    told = [
        ("rows", f"{len(every)} in lines {table.lines[0]} to {table.lines[-1]}", False),
        ("columns", ", ".join(_read_as(title, name) for name, title in table.names.items()), False),
        *((f"scale of {table.names[name]}", about[name], False) for name in ("sparsity", "dev_accuracy")),
        ("tasks", ", ".join(sorted(set(cells.task))), False),
        ("arms", about["arms"], False),
        *_rows(table, every, left, about),
        *_cells(cells),
        ("spread", *_spread(every, cells, about)),
    ]
    return [Fact("table.cells", *fact) for fact in told]


def _rows(table: Sheet, every: pd.DataFrame, left: int, about: dict[str, str]):
    if table.unused:
        yield "columns that are not used", ", ".join(table.unused), True
    if own := sorted(set(every.arm) - set(ARMS)):
        yield "arms of their own, in no claim", ", ".join(own), True
    if about["seeds"]:
        yield "seeds by number", about["seeds"], False
    for what, rows in {
        "rows without an accuracy": every[every.dev_accuracy.isna()],
        "accuracies below 0": every[every.dev_accuracy < 0],
        "accuracies below 1 %": every[every.dev_accuracy.between(0, 0.01, inclusive="neither")],
    }.items():
        if len(rows):
            yield what, f"{len(rows)}, first in line {rows.line.iloc[0]}", True
    if left:
        yield "rows at 0 % that are left out, since the dense model has others or the same", str(left), True


def _cells(cells: pd.DataFrame):
    rates = cells.groupby(KEY).size()
    if rates.max() > 1:
        yield "learning rates of a cell, of which the best is selected", _range(rates), bool(rates.nunique() > 1)
    seeds = cells[cells.selected].groupby(["arm", "target_sparsity"]).seed.nunique()
    if len(pruned := seeds.drop("dense", errors="ignore")):
        yield "seeds of a pruned arm at a sparsity", _range(pruned), bool(pruned.nunique() > 1)
    if "dense" in seeds:
        yield "seeds of the dense model", str(seeds["dense", 0.0]), False
    else:
        yield "rows of the dense model", "none, so no loss of accuracy is known", True
    if "compared" in cells:
        yield "tasks of the means", ", ".join(sorted(set(in_means(cells).task))), True
    kept = mean_over_tasks(cells)
    lacking = [place for place in seeds.index if place not in set(zip(kept.arm, kept.target_sparsity, strict=True))]
    if lacking:
        named = ", ".join(f"{arm} at {percent(sparsity)}" for arm, sparsity in lacking[:SHOWN])
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        yield "left out of the means, for lack of a task", named + more, True


def _spread(every: pd.DataFrame, cells: pd.DataFrame, about: dict[str, str]) -> tuple[str, bool]:
    if "std" in cells and "n" in cells:
        without = int((cells["std"].isna() | ~(cells.n > 1))[cells.selected].sum())
        said = f"standard deviations over the stated runs, {about['std']}"
        return said + (f"; none, so no interval, in {without} rows" if without else ""), without > 0
    why = "the number of runs is not stated" if "std" in cells else "seeds are repeated"
    ignored = f"; {about['std']} is not used, since {why}" if about["std"] else ""
    if (spread := seed_spread(cells)) is None:
        return f"not known: no interval, no verdict{ignored}", True
    return f"{POINTS * spread[0]:.2g} points over seeds or rows at 0 %{ignored}", bool(ignored) or spread[0] < LEAST


def _read_as(title: str, name: str) -> str:
    return title if title == name else f"{title!r} as {name}"


def _range(counts: pd.Series) -> str:
    return f"{counts.min()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"
