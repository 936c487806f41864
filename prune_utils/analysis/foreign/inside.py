"""Read published tables of sort-order movement and of weights as the frames that a trained study has."""

from pathlib import Path

import pandas as pd

from prune_utils.analysis.foreign import names, numbers
from prune_utils.analysis.foreign.sheet import Sheet, read
from prune_utils.study.words import POINTS

RATE, TASK, STD = ("learning_rate", "lr"), ("task", "dataset"), ("std", "sd")
MOVEMENT = {"learning_rate": RATE, "task": TASK, "mean": ("mean",)}
BY_EPOCHS = {"task": TASK, "epochs": ("epochs", "epoch"), "mean": ("mean",), "std": STD, "learning_rate": RATE}
WEIGHTS = {"matrix": ("matrix",), "mean": ("mean",), "std": STD}


def read_movement(path: Path) -> pd.DataFrame:
    """Read a table of movement by learning rate as fractions: columns task, seed, learning_rate, mean.

    Raises ParamsError, with the line, for everything that cannot be read for sure.
    """
    table = read(path, "table.movement", MOVEMENT, tuple(MOVEMENT))
    columns = {"task": names.names(table, "task"), "seed": 0, "learning_rate": _rates(table), "mean": _shares(table)}
    frame = pd.DataFrame(columns)
    _check_once(frame, ["task", "learning_rate"], table, "learning_rate")
    return frame.reset_index(drop=True)


def read_movement_by_epochs(path: Path) -> pd.DataFrame:
    """Read a table of movement by epochs of fine-tuning: columns task, seed, learning_rate, epochs, movement_mean,
    movement_std (NaN where the table has none) and dev_accuracy, which is not known, of `fine_tune_first`'s frame.

    Raises ParamsError as `read_movement`, and for a task's number of epochs that is repeated at a learning rate.
    """
    table = read(path, "table.movement_by_epochs", BY_EPOCHS, ("task", "epochs", "mean"))
    epochs = numbers.floats(table, "epochs")
    for line in epochs.index[epochs.isna() | (epochs % 1 > 0)]:
        raise table.fault("epochs", line, "allowed is a whole number from 0 up")
    spread = _spread(table) if "std" in table.texts else float("nan")
    columns = {
        "task": names.names(table, "task"),
        "seed": 0,
        "learning_rate": _rates(table),
        "epochs": epochs.astype(int),
    }
    frame = pd.DataFrame(
        columns | {"movement_mean": _shares(table), "movement_std": spread, "dev_accuracy": float("nan")}
    )
    _check_once(frame, ["task", "learning_rate", "epochs"], table, "epochs")
    return frame.reset_index(drop=True)


def read_weights(path: Path) -> pd.DataFrame:
    """Read a table of the weights of an unpruned model: columns matrix, sparsity (0), seed, mean, std.

    Names of matrices are labels, such as "layer 1 query". Raises ParamsError as `read_movement`, and for a repeated matrix.
    """
    table = read(path, "table.weights", WEIGHTS, tuple(WEIGHTS))
    mean, std = numbers.floats(table, "mean", negative=True), numbers.floats(table, "std")
    for name, values in (("mean", mean), ("std", std)):
        _check_known(table, name, values)
    frame = pd.DataFrame({"matrix": table.texts.matrix, "sparsity": 0.0, "seed": 0, "mean": mean, "std": std})
    _check_once(frame, ["matrix"], table, "matrix")
    return frame.reset_index(drop=True)


def _rates(table: Sheet) -> pd.Series:
    return numbers.floats(table, "learning_rate", zero=False)


def _shares(table: Sheet, name: str = "mean") -> pd.Series:
    """A column of shares as fractions without holes, equal to the last bit however the table writes them."""
    found = numbers.shares(table, name, 0)[0]
    _check_known(table, name, found.value)
    for line in found.index[found.spread.notna()]:
        raise table.fault(name, line, "allowed is a number without a spread; columns mean and std hold both")
    return (POINTS * found.value).round(10) / POINTS


def _spread(table: Sheet) -> pd.Series:
    """The standard deviations as fractions: percents if they say so, or if the means beside them are; most are below 1."""
    signs = numbers.column(table, "std").sign.any()
    percents = signs or "std" in table.percent or numbers.shares(table, "mean", 0)[1]
    values = numbers.column(table, "std", -2 if percents else 0).value
    _check_known(table, "std", values)
    return (POINTS * values).round(10) / POINTS


def _check_known(table: Sheet, name: str, values: pd.Series) -> None:
    for line in values.index[values.isna()]:
        raise table.fault(name, line, "allowed is a number")


def _check_once(frame: pd.DataFrame, keys: list[str], table: Sheet, name: str) -> None:
    for line in frame.index[frame.duplicated(keys)]:
        raise table.fault(name, line, f"allowed is one row for each {', '.join(keys)}")
