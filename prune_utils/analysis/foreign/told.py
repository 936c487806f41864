"""What a table holds, and how it was read."""

from collections.abc import Iterator

import pandas as pd

from prune_utils.analysis.foreign.sheet import Sheet
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.results import KEY, in_means, mean_over_tasks
from prune_utils.data.rows.lines import shown
from prune_utils.study.section import Fact
from prune_utils.study.sections.arms import PAPERS, UNPRUNED
from prune_utils.study.words import POINTS, percent

IN_CLAIMS = {*UNPRUNED, *PAPERS, "global"}  # arms that a claim reads
LEAST = 1e-5  # a spread below it is that of rows that were copied


def facts(table: Sheet, every: pd.DataFrame, cells: pd.DataFrame, left: int, about: dict[str, str]) -> list[Fact]:
    """The facts on a table. `every`: all its rows; `cells`: those that are used; `left`: rows at 0 % that are not;
    `about`: how columns and names were read, in words."""
    told = [
        ("rows", f"{len(every)} in lines {every.index[0]} to {every.index[-1]}"),
        ("columns", ", ".join(name if name == ours else f"{name!r} as {ours}" for ours, name in table.names.items())),
        *((f"scale of {table.names[name]}", about[name]) for name in ("sparsity", "dev_accuracy")),
        ("tasks", ", ".join(sorted(set(cells.task)))),
        ("arms", about["arms"]),
        *_rows(table, every, left, about),
        *_cells(cells),
        ("spread", *_spread(cells, about["std"])),
    ]
    return [Fact("table.cells", *fact) for fact in told]


def _rows(table: Sheet, every: pd.DataFrame, left: int, about: dict[str, str]) -> Iterator[tuple]:
    if table.unused:
        yield "columns that are not used", ", ".join(table.unused), True
    if own := sorted(set(every.arm) - IN_CLAIMS):
        yield "arms of their own, in no claim", ", ".join(own), True
    if about["seeds"]:
        yield "seeds by number", about["seeds"]
    for what, rows in {
        "rows without an accuracy": every.index[every.dev_accuracy.isna()],
        "accuracies below 0": every.index[every.dev_accuracy < 0],
        "accuracies below 1 %": every.index[every.dev_accuracy.between(0, 0.01, inclusive="neither")],
    }.items():
        if len(rows):
            yield what, f"{len(rows)}, first in line {rows[0]}", True
    if left:
        yield "rows at 0 % that are left out, since the dense model has others or the same", str(left), True


def _cells(cells: pd.DataFrame) -> Iterator[tuple]:
    if (rates := cells.groupby(KEY).size()).max() > 1:
        yield "learning rates of a cell, of which the best is selected", *_range(rates)
    seeds, stated = cells[cells.selected].groupby(["arm", "target_sparsity"]).seed.nunique(), "n" in cells
    if stated and len(runs := cells.n.dropna().astype(int)):
        yield "runs of a row, as stated", *_range(runs)
    elif len(pruned := seeds.drop("dense", errors="ignore")):
        yield "seeds of a pruned arm at a sparsity", *_range(pruned)
    if "dense" not in seeds:
        yield "rows of the dense model", "none, so no loss of accuracy is known", True
    elif not stated:
        yield "seeds of the dense model", str(seeds["dense", 0.0])
    if "compared" in cells:
        yield "tasks of the means", ", ".join(sorted(set(in_means(cells).task))), True
    kept = pd.MultiIndex.from_frame(mean_over_tasks(cells)[["arm", "target_sparsity"]])
    if lacking := [f"{arm} at {percent(sparsity)}" for arm, sparsity in seeds.index if (arm, sparsity) not in kept]:
        yield "left out of the means, for lack of a task", shown(lacking, 5), True


def _spread(cells: pd.DataFrame, source: str | None) -> tuple[str, bool]:
    if "std" in cells and "n" in cells:
        without = int((cells["std"].isna() | ~(cells.n > 1))[cells.selected].sum())
        none = f"; none, so no interval, in {without} rows" if without else ""
        return f"standard deviations over the stated runs, {source}{none}", without > 0
    why = "the number of runs is not stated" if "std" in cells else "seeds are repeated"
    ignored = f"; {source} is not used, since {why}" if source else ""
    means = accuracy_means(cells)
    errors = pd.Series([error for part in means.parts for error in part.covariance.diagonal() ** 0.5 if error > 0])
    if not means.covers:
        return f"not known: no interval, no verdict{ignored}", True
    size, source = errors.median(), "neighbouring sparsities of each arm" if means.own_zero else "seeds"
    said = f"{POINTS * size:.2g}" if size >= LEAST else f"below {POINTS * LEAST:g}"
    return f"errors of the means, from {source}: around {said} points{ignored}", bool(ignored) or not size >= LEAST


def _range(counts: pd.Series) -> tuple[str, bool]:
    return " to ".join(map(str, sorted({counts.min(), counts.max()}))), counts.nunique() > 1
