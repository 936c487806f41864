"""Every finished result of a study in tidy frames."""

from pathlib import Path

import pandas as pd

from prune_utils import paths
from prune_utils.files import read_json, write_whole
from prune_utils.grid import Cell, all_cells, pretraining_runs
from prune_utils.schema import Study
from prune_utils.section import ParamsError

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


def write_csv(frame: pd.DataFrame, study: Study, name: str) -> Path:
    """Writes a frame under the study's results; floats in full, so that equal runs give equal files."""
    path = paths.results(study.study) / name
    write_whole(path, frame.to_csv(index=False))
    return path


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
