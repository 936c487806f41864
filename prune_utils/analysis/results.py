"""Results of a study as tidy frames: one row per fine-tuned cell, one row per pre-training run."""

from itertools import combinations
from pathlib import Path

import pandas as pd

from prune_utils.study import paths
from prune_utils.study.files import read_json
from prune_utils.study.grid import Cell, Run, all_cells, all_runs
from prune_utils.study.record import write_csv
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError

FEW = 60  # sets of tasks that `comparable` combines, the most frequent ones
UNIT = ["arm", "target_sparsity", "seed"]  # what a mean over tasks belongs to
KEY = ["task", "arm", "target_sparsity", "seed"]  # a learning rate is selected for each of these


def collect(study: Study | Replay) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the frames of everything that is finished, cells.csv and pretraining.csv, and return them.

    Results come from trainings or from a table; nothing that reads the frames needs to know which. Raises ParamsError
    if no cell is finished.
    """
    if isinstance(study, Replay):
        from prune_utils.analysis.foreign import replay  # which imports this module

        cells, runs, further = replay.frames(study)
        for name, frame in further.items():
            place = paths.prunability_frame(study.study, int(cells.seed.min()), name)
            write_csv(frame, study, paths.inside(study.study) / f"{name}.csv" if name in paths.INSIDE else place)
    else:
        cells, runs = cells_frame(study), pretraining_frame(study)
    write_csv(cells, study, paths.CELLS)
    write_csv(runs, study, paths.RUNS)
    return cells, runs


def cells_frame(study: Study, cells: list[Cell] | None = None) -> pd.DataFrame:
    """One row per finished cell (default: of the whole grid): coordinates, scores, losses, provenance, `selected`.

    For each task, arm, sparsity, seed and repeat the learning rate with the best dev accuracy is selected (paper §3.3), the
    lowest one if several are equal. A diverged cell has no accuracy and is never selected. Cells that are not finished
    have no row. Raises ParamsError if no cell is finished.
    """
    frame = _frame(study, all_cells(study) if cells is None else cells)
    if frame.empty:
        raise ParamsError(
            f"study '{study.study}' has no finished cell yet; run it with `make study PARAMS=params/{study.study}.yaml`"
        )
    if "repeat" in frame:
        frame["repeat"] = frame.repeat.fillna(0).astype(int)
    return selected(frame)


def selected(frame: pd.DataFrame) -> pd.DataFrame:
    """Insert a column `selected`: the learning rate with the best dev accuracy for each KEY, see `cells_frame`."""
    ranked = frame.dropna(subset="dev_accuracy").sort_values(
        ["dev_accuracy", "learning_rate"], ascending=[False, True], kind="stable"
    )
    best = ranked.drop_duplicates(KEY + ["repeat"] * ("repeat" in frame)).index
    frame.insert(frame.columns.get_loc("learning_rate") + 1, "selected", frame.index.isin(best))
    return frame


def pretraining_frame(study: Study, runs: list[Run] | None = None) -> pd.DataFrame:
    """One row per finished pre-training run: method, sparsities, seed, held-out losses and accuracies, provenance."""
    return _frame(study, all_runs(study) if runs is None else runs)


def _frame(study: Study, trainings: list[Cell] | list[Run]) -> pd.DataFrame:
    files = [training.folder(study.study) / paths.RESULT for training in trainings]
    return pd.DataFrame([_flat(path) for path in files if path.exists()])


def _flat(path: Path) -> dict:
    return {name: value for name, value in read_json(path).items() if not isinstance(value, list)}


def missing(study: Study | Replay) -> list[Cell]:
    """The cells of the grid that have no result yet."""
    return [cell for cell in all_cells(study) if not (cell.folder(study.study) / paths.RESULT).exists()]


def mean_over_tasks(cells: pd.DataFrame, value: str = "dev_accuracy") -> pd.DataFrame:
    """Mean of the selected cells over tasks: columns arm, target_sparsity, seed, `value`, whole.

    A seed that lacks a cell has the one of the least-squares fit, see `noise.seeds`, and is not `whole`: means over other
    tasks, or of other seeds, are not comparable. Arms and sparsities that lack a task have no row.
    """
    from prune_utils.analysis.noise.seeds import units  # scipy takes half a second, for which no training waits

    chosen = with_own_zero(in_means(cells)).dropna(subset=value)
    counts = chosen.groupby(UNIT).task.nunique()
    means = units(chosen, value).values.rename_axis("seed").T.stack().rename(value).reset_index()
    whole = counts.reindex(pd.MultiIndex.from_frame(means[UNIT])).to_numpy() == chosen.task.nunique()
    return means.assign(whole=whole)


def in_means(cells: pd.DataFrame) -> pd.DataFrame:
    """The selected cells of the tasks over which means are taken, see `comparable`."""
    return cells[cells.selected & cells.compared] if "compared" in cells else cells[cells.selected]


def with_own_zero(cells: pd.DataFrame) -> pd.DataFrame:
    """Add the 0 % row of each arm to a table of single runs, whose dense rows name the arm in column `of`."""
    if "of" not in cells or cells.of.isna().all():
        return cells
    own, pruned = cells[cells.of.notna()], cells[cells.arm != "dense"]
    return pd.concat([cells, own.assign(arm=own.of, seed=pruned.seed.min())], ignore_index=True)


def comparable(cells: pd.DataFrame) -> pd.DataFrame:
    """Mark the tasks over which the means of a table are taken with a column `compared`, if they are not all tasks.

    These are the tasks with the most cells: the number of tasks times the number of seeds of arms and sparsities that
    have all of them, and the dense model must be among those, if there is one.
    """
    cells = cells.drop(columns="compared", errors="ignore")
    had = cells[cells.selected].groupby(UNIT).task.agg(frozenset)
    every = frozenset(cells.task)
    sets = [every, *had.value_counts().index[:FEW]]
    tasks = max(sorted({*sets, *(a & b for a, b in combinations(sets, 2))}, key=sorted), key=lambda t: _kept(t, had))
    return cells if tasks == every else cells.assign(compared=cells.task.isin(tasks))


def _kept(tasks: frozenset[str], had: pd.Series) -> tuple[int, int]:
    """The number of cells in means over some tasks, and of tasks; none if they exclude every dense model."""
    whole = had[[tasks <= have for have in had]]
    lost = "dense" in had.index and "dense" not in whole.index  # of the first level, the arms
    return (0, 0) if lost else (len(tasks) * len(whole), len(tasks))


def from_dense(means: pd.DataFrame) -> pd.DataFrame:
    """Add the dense model as the 0 % point of every pruned arm that has none of its own; `shared` marks what is added."""
    dense, pruned = means[means.arm == "dense"], means[~means.arm.isin(["dense", "scratch"])]
    have = set(pruned[pruned.target_sparsity == 0].arm)
    arms = [arm for arm in pruned.arm.unique() if arm not in have]
    added = [dense.assign(arm=arm, shared=True) for arm in arms]
    return pd.concat([pruned.assign(shared=False), *added], ignore_index=True)
