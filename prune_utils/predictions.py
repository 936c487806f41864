"""The dev predictions that finished cells keep: which examples each answered right."""

import numpy as np
import pandas as pd

from prune_utils import paths
from prune_utils.grid import Cell
from prune_utils.schema import Study

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
    from prune_utils import prepared, text

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
