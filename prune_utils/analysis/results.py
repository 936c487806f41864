"""Results of a study as tidy frames: one row per fine-tuned cell, one row per pre-training run."""

from pathlib import Path

import numpy as np
import pandas as pd

from prune_utils.analysis import replay
from prune_utils.study import paths
from prune_utils.study.files import read_json
from prune_utils.study.grid import Cell, Run, all_cells, all_runs
from prune_utils.study.record import write_csv
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError

KEY = ["task", "arm", "target_sparsity", "seed"]  # a learning rate is selected for each of these


def collect(study: Study | Replay) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the frames of everything that is finished, cells.csv and pretraining.csv, and return them.

    Results come from trainings or from a table; nothing that reads the frames needs to know which. Raises ParamsError
    if no cell is finished.
    """
    if isinstance(study, Replay):
        cells, runs, further = replay.frames(study)
        for name, frame in further.items():
            write_csv(frame, study, paths.prunability_frame(study.study, int(cells.seed.min()), name))
    else:
        cells, runs = cells_frame(study), pretraining_frame(study)
    write_csv(cells, study, paths.CELLS)
    write_csv(runs, study, paths.RUNS)
    return cells, runs


def cells_frame(study: Study, cells: list[Cell] | None = None) -> pd.DataFrame:
    """One row per finished cell (default: of the whole grid): coordinates, scores, losses, provenance, `selected`.

    For each task, arm, sparsity and seed the learning rate with the best dev accuracy is selected (paper §3.3), the
    lowest one if several are equal. A diverged cell has no accuracy and is never selected. Cells that are not finished
    have no row. Raises ParamsError if no cell is finished.
    """
    frame = _frame(study, all_cells(study) if cells is None else cells)
    if frame.empty:
        raise ParamsError(
            f"study '{study.study}' has no finished cell yet; run it with `make study PARAMS=params/{study.study}.yaml`"
        )
    ranked = frame.dropna(subset="dev_accuracy").sort_values(
        ["dev_accuracy", "learning_rate"], ascending=[False, True], kind="stable"
    )
    best = ranked.drop_duplicates(KEY).index
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
    """Mean of the selected cells over tasks: columns arm, target_sparsity, seed, `value`, tasks.

    Seeds that lack a task are left out, since means over different tasks are not comparable.
    """
    chosen = cells[cells.selected]
    grouped = chosen.groupby(["arm", "target_sparsity", "seed"])[value]
    means = grouped.agg(["mean", "size"]).reset_index().rename(columns={"mean": value, "size": "tasks"})
    return means[means.tasks == chosen.task.nunique()].reset_index(drop=True)


def from_dense(means: pd.DataFrame) -> pd.DataFrame:
    """Add the dense model as the 0 % point of every pruned arm."""
    dense = means[means.arm == "dense"]
    arms = [arm for arm in means.arm.unique() if arm not in ("dense", "scratch")]
    return pd.concat([means[means.arm.isin(arms)], *(dense.assign(arm=arm) for arm in arms)], ignore_index=True)


def dev_correct(study: Study | Replay, cells: pd.DataFrame) -> dict[str, pd.DataFrame] | None:
    """Whether each dev example was predicted correctly: by task, one row per cell and one column per example.

    Only tasks of classification: a score of a regression is not right or wrong.
    Rows are indexed by arm, target_sparsity, seed and learning_rate; columns are in the order of the dev file. Cells
    without an accuracy have no row. None if the study keeps no predictions.
    """
    if not study.tasks:
        return None
    key, found = ["arm", "target_sparsity", "seed", "learning_rate"], {}
    for task, group in cells.dropna(subset="dev_accuracy").groupby("task"):
        answers, rows = _answers(study, task), {}
        if answers.dtype.kind == "f":
            continue
        for arm, sparsity, seed, rate in group[key].itertuples(index=False, name=None):
            folder = Cell(task, arm, sparsity, rate, int(seed)).folder(study.study)
            predicted = np.load(folder / paths.PREDICTIONS, allow_pickle=False)
            rows[arm, sparsity, seed, rate] = predicted == answers
        found[task] = pd.DataFrame(np.stack(list(rows.values())), index=pd.MultiIndex.from_tuples(rows, names=key))
    return found


def _answers(study: Study, task: str) -> np.ndarray:
    """The labels of a task's dev examples, shape (examples,); floats if it is a regression."""
    if (folder := paths.task_data(study.study, task) / "dev").exists():
        from datasets import load_from_disk  # not `prepared`, which imports transformers and takes seconds

        return np.asarray(load_from_disk(str(folder)).with_format("numpy")["labels"][:])
    from prune_utils.data import prepared
    from prune_utils.data.vocabulary import tokenizer_of

    return np.asarray(prepared.task_data(study, task, tokenizer_of(study))[1][:]["labels"])


def selected_on_half(cells: pd.DataFrame, correct: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Accuracy as selected on the dev set, and as measured on examples that were not used for the selection.

    Columns task, arm, target_sparsity, seed, dev_accuracy, held_out_accuracy. The dev set is split into even and odd
    examples; the best learning rate on one half is scored on the other, both ways, and the two scores are averaged.
    The difference of the columns is the optimism of selecting on the dev set.
    """
    rows = []
    for task, table in correct.items():
        halves = table.iloc[:, 0::2].mean(axis=1), table.iloc[:, 1::2].mean(axis=1)
        for key, group in table.groupby(level=["arm", "target_sparsity", "seed"]):
            one, other = (half.loc[group.index].sort_index(level="learning_rate") for half in halves)
            held_out = (other[one.idxmax()] + one[other.idxmax()]) / 2
            rows.append((task, *key, group.mean(axis=1).max(), held_out))
    return pd.DataFrame(rows, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy", "held_out_accuracy"])
