"""Every finished result of a study in tidy frames."""

from pathlib import Path

import numpy as np
import pandas as pd

from prune_utils.study import paths
from prune_utils.study.files import read_json
from prune_utils.study.grid import Cell, all_cells, pretraining_runs
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError

KEY = ["task", "arm", "target_sparsity", "seed"]  # what a learning rate is selected within


def cells_frame(study: Study, cells: list[Cell] | None = None) -> pd.DataFrame:
    """One row a finished cell: its coordinates, scores, losses and provenance, and whether it is `selected`.

    Raises ParamsError where not one is finished.

    Of the learning rates tried for one task, arm, sparsity and seed the best on dev is selected (paper §3.3);
    of equals the lowest; one that diverged has no accuracy and is never selected. A cell that is not there has
    no row: nothing stands in for it.
    """
    files = [cell.folder(study.study) / paths.RESULT for cell in (all_cells(study) if cells is None else cells)]
    frame = pd.DataFrame([_flat(path) for path in files if path.exists()])
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


def _flat(path: Path) -> dict:
    return {name: value for name, value in read_json(path).items() if not isinstance(value, list)}


def pretraining_frame(study: Study) -> pd.DataFrame:
    """One row a finished pre-training run: method, sparsities, seed, held-out losses and accuracies, provenance."""
    files = [
        paths.pretraining(study.study, method, sparsity, seed) / paths.RESULT
        for seed in study.grid.seeds
        for method, sparsity in pretraining_runs(study)
    ]
    return pd.DataFrame([_flat(path) for path in files if path.exists()])


def missing(study: Study) -> list[Cell]:
    """The cells of the grid that have no result yet."""
    return [cell for cell in all_cells(study) if not (cell.folder(study.study) / paths.RESULT).exists()]


def mean_over_tasks(cells: pd.DataFrame, value: str = "dev_accuracy") -> pd.DataFrame:
    """The mean of the selected cells over tasks: columns arm, target_sparsity, seed, `value`, tasks.

    Only seeds with every task count: a mean over other tasks would compare different things.
    """
    chosen = cells[cells.selected]
    grouped = chosen.groupby(["arm", "target_sparsity", "seed"])[value]
    means = grouped.agg(["mean", "size"]).reset_index().rename(columns={"mean": value, "size": "tasks"})
    return means[means.tasks == chosen.task.nunique()].reset_index(drop=True)


def from_dense(means: pd.DataFrame) -> pd.DataFrame:
    """Means with the dense model as the 0 % point of every pruned arm, which is what it is."""
    dense = means[means.arm == "dense"]
    arms = [arm for arm in means.arm.unique() if arm not in ("dense", "scratch")]
    return pd.concat([means[means.arm.isin(arms)], *(dense.assign(arm=arm) for arm in arms)], ignore_index=True)


PREDICTIONS = "dev_predictions.npy"


def dev_correct(study: Study, cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By task, a row for each of `cells` (indexed by arm, target_sparsity, seed, learning_rate), a column a dev
    example in the order of its file, True where it was answered right. Cells that predicted nothing have no row."""
    found = {}
    for task, group in cells.dropna(subset="dev_accuracy").groupby("task"):
        answers = _answers(study, task)
        rows = {key: _of(study, task, *key) == answers for key in _keys(group)}
        index = pd.MultiIndex.from_tuples(rows, names=["arm", "target_sparsity", "seed", "learning_rate"])
        found[task] = pd.DataFrame(np.stack(list(rows.values())), index=index)
    return found


def _answers(study: Study, task: str) -> np.ndarray:
    """The right answers of a task's dev examples, shape (examples,)."""
    if (folder := paths.task_data(study.study, task) / "dev").exists():
        from datasets import load_from_disk  # alone: transformers takes seconds, and nothing is tokenized here

        return np.asarray(load_from_disk(str(folder)).with_format("numpy")["labels"][:])
    from prune_utils.data import prepared, text

    return np.asarray(prepared.task_data(study, task, text.tokenizer(study.corpus))[1][:]["labels"])


def _keys(group: pd.DataFrame) -> list[tuple]:
    return list(group[["arm", "target_sparsity", "seed", "learning_rate"]].itertuples(index=False, name=None))


def _of(study: Study, task: str, arm: str, sparsity: float, seed: int, rate: float) -> np.ndarray:
    folder = Cell(task, arm, sparsity, rate, int(seed)).folder(study.study)
    return np.load(folder / PREDICTIONS, allow_pickle=False)


def selected_on_half(cells: pd.DataFrame, correct: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The paper's selection beside one that is not scored on what it selected by: columns task, arm,
    target_sparsity, seed, dev_accuracy, held_out_accuracy.

    Dev is cut into halves of every second example; the learning rate that is best on one half is scored on the
    other, both ways, and the two scores averaged. The difference is the optimism of choosing on dev.
    """
    rows = []
    for task, table in correct.items():
        halves = table.iloc[:, 0::2].mean(axis=1), table.iloc[:, 1::2].mean(axis=1)
        for key, group in table.groupby(level=["arm", "target_sparsity", "seed"]):
            one, other = (half.loc[group.index].sort_index(level="learning_rate") for half in halves)
            held_out = (other[one.idxmax()] + one[other.idxmax()]) / 2
            rows.append((task, *key, group.mean(axis=1).max(), held_out))
    return pd.DataFrame(rows, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy", "held_out_accuracy"])
