"""Predictions of dev examples: which are right, and what selecting on the dev set gains."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from prune_utils.analysis.results import UNIT
from prune_utils.study import paths
from prune_utils.study.grid import Cell, Delayed
from prune_utils.study.schema import Replay, Study


def as_cells(first: pd.DataFrame) -> pd.DataFrame:
    """The models that were fine-tuned first as cells of the arm `downstream`, with the epochs before pruning in place of
    the sparsity, which is the same for all."""
    return first.assign(arm="downstream", target_sparsity=first.epochs.astype(float), selected=True)


def first_correct(study: Study, first: pd.DataFrame) -> dict[str, pd.DataFrame] | None:
    """As `dev_correct`, for the models that were fine-tuned first, see `as_cells`."""
    sparsity = study.prunability.sparsity
    return _correct(study, as_cells(first), lambda task, _, n, seed, rate: Delayed(task, sparsity, rate, seed, int(n)))


def dev_correct(study: Study | Replay, cells: pd.DataFrame) -> dict[str, pd.DataFrame] | None:
    """Whether each dev example was predicted correctly: by task, one row per cell and one column per example.

    Only tasks of classification: a score of a regression is not right or wrong.
    Rows are indexed by arm, target_sparsity, seed, learning_rate, and repeat if there are several; columns are in the order of the dev file. Cells
    without an accuracy have no row. None if the study keeps no predictions.
    """
    return (
        _correct(study, cells, lambda task, arm, s, seed, rate, repeat=0: Cell(task, arm, s, rate, seed, repeat))
        if study.tasks
        else None
    )


def _correct(study: Study, cells: pd.DataFrame, training: Callable[..., Cell | Delayed]) -> dict[str, pd.DataFrame]:
    key, found = [*UNIT, "learning_rate"] + ["repeat"] * ("repeat" in cells), {}
    for task, group in cells.dropna(subset="dev_accuracy").groupby("task"):
        answers, rows = _answers(study, task), {}
        if answers.dtype.kind == "f":
            continue
        for arm, sparsity, seed, *further in group[key].itertuples(index=False, name=None):
            folder = training(task, arm, sparsity, int(seed), *further).folder(study.study)
            predicted = np.load(folder / paths.PREDICTIONS, allow_pickle=False)
            rows[arm, sparsity, seed, *further] = predicted == answers
        found[task] = pd.DataFrame(np.stack(list(rows.values())), index=pd.MultiIndex.from_tuples(rows, names=key))
    return found


def _answers(study: Study, task: str) -> np.ndarray:
    """The labels of a task's dev examples, shape (examples,); floats if it is a regression."""
    if (folder := paths.task_data(study.study, task) / "dev").exists():
        return np.asarray(encoded(folder)["labels"])
    from prune_utils.data import prepared
    from prune_utils.data.vocabulary import tokenizer_of

    return np.asarray(prepared.task_data(study, task, tokenizer_of(study))[1][:]["labels"])


def encoded(folder: Path) -> dict[str, list | np.ndarray]:
    """The columns of an encoded data set of a study, see `data.prepared`."""
    from datasets import load_from_disk  # not `prepared`, which imports transformers and takes seconds

    return load_from_disk(str(folder)).with_format("numpy")[:]


def selected_on_half(cells: pd.DataFrame, correct: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Accuracy as selected on the dev set, and as measured on examples that were not used for the selection.

    Columns task, arm, target_sparsity, seed, dev_accuracy, held_out_accuracy. The dev set is split into even and odd
    examples; the best learning rate on one half is scored on the other, both ways, and the two scores are averaged.
    The difference of the columns is the optimism of selecting on the dev set.
    """
    rows = []
    for task, table in correct.items():
        halves = table.iloc[:, 0::2].mean(axis=1), table.iloc[:, 1::2].mean(axis=1)
        for key, group in table.groupby(level=[name for name in table.index.names if name != "learning_rate"]):
            one, other = (half.loc[group.index].sort_index(level="learning_rate") for half in halves)
            held_out = (other[one.idxmax()] + one[other.idxmax()]) / 2
            rows.append((task, *key[:3], group.mean(axis=1).max(), held_out))
    return pd.DataFrame(rows, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy", "held_out_accuracy"])
