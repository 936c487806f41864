"""Read published results: convert a table, the paper's or any other, to the frames of a finished study."""

from pathlib import Path

import pandas as pd

from prune_utils.study import paths
from prune_utils.study.schema import ARMS, PRUNED_ARMS, Replay
from prune_utils.study.section import ParamsError

NEEDED = ("arm", "sparsity", "task", "dev_accuracy")
FURTHER = {"seed": 0, "learning_rate": float("nan"), "train_loss": float("nan"), "pretrain_loss": float("nan")}


def frames(study: Replay) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]:
    """Cells, pre-training runs, and further frames by name, as `analysis.results` has them for a trained study."""
    cells = read_table(paths.given(study.table.cells))
    movement = study.table.movement
    return cells, losses(cells), {"movement": read_movement(paths.given(movement))} if movement else {}


def read_table(path: Path) -> pd.DataFrame:
    """Read a table as selected cells: a frame with some of the columns of `results.cells_frame`.

    Required columns: arm, sparsity, task and dev_accuracy (a fraction; `accuracy` is accepted). Optional: seed,
    learning_rate, train_loss, pretrain_loss. Rows without an accuracy are dropped. At 0 % every pruned arm is
    the dense model: in a table without `dense` rows, the 0 % rows become `dense` cells. If the table has one seed,
    each arm's row gets its own seed, and their spread estimates the noise.
    Raises ParamsError if a column is missing or a value is out of range.
    """
    table = pd.read_csv(path).rename(columns={"accuracy": "dev_accuracy"})
    if missing := [name for name in NEEDED if name not in table]:
        raise ParamsError(f"table.cells: {path} has no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    if strange := sorted(set(table.arm) - set(ARMS)):
        raise ParamsError(f"table.cells: arm is {strange[0]!r} in {path}; allowed: {', '.join(ARMS)}")
    table = table.assign(**{name: value for name, value in FURTHER.items() if name not in table})
    table = table.dropna(subset="dev_accuracy")
    for name in ("sparsity", "dev_accuracy"):
        if not (within := table[name].between(0, 1)).all():
            raise ParamsError(f"table.cells: {name} is {table[name][~within].iloc[0]} in {path}; allowed is 0 to 1")
    table = table.rename(columns={"sparsity": "target_sparsity"})
    return _with_dense(table).assign(selected=True).reset_index(drop=True)


def _with_dense(table: pd.DataFrame) -> pd.DataFrame:
    at_zero = (table.target_sparsity == 0) & table.arm.isin(PRUNED_ARMS)
    dense, rest = table[at_zero].copy(), table[~at_zero]
    if (rest.arm == "dense").any():
        return rest  # the table has dense rows of its own
    if table.seed.nunique() == 1:
        dense["seed"] = dense.arm.map(PRUNED_ARMS.index)
    else:
        dense = dense.drop_duplicates(["task", "seed"])  # arms of one seed share its dense model
    return pd.concat([dense.assign(arm="dense"), rest])


def losses(cells: pd.DataFrame) -> pd.DataFrame:
    """The pre-training losses in a table, with columns of `results.pretraining_frame`."""
    methods = {"dense": "gradual", "pretrain": "gradual", "random": "random"}
    known = cells[cells.arm.isin(methods)].dropna(subset="pretrain_loss")
    runs = known.assign(method=known.arm.map(methods), seed=known.seed.where(known.arm != "dense", known.seed.min()))
    columns = ["method", "target_sparsity", "seed", "pretrain_loss"]
    return runs[columns].drop_duplicates(columns[:3]).reset_index(drop=True)


def read_movement(path: Path) -> pd.DataFrame:
    """Read a table of sort-order movement as fractions: columns task, seed, learning_rate, mean.

    Raises ParamsError if a column is missing.
    """
    table = pd.read_csv(path)
    if missing := [name for name in ("learning_rate", "task", "mean_percent") if name not in table]:
        raise ParamsError(f"table.movement: {path} has no column {', '.join(missing)}")
    return table.assign(mean=table.mean_percent / 100, seed=0)[["task", "seed", "learning_rate", "mean"]]
