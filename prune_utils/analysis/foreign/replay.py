"""Read published results: convert a table, the paper's or any other, to the frames of a finished study."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from prune_utils.analysis.foreign import inside, names, numbers
from prune_utils.analysis.foreign.sheet import Sheet, read
from prune_utils.analysis.foreign.told import facts
from prune_utils.analysis.noise.measured import TUNED_ON
from prune_utils.analysis.results import KEY, comparable, selected
from prune_utils.data.rows.lines import shown
from prune_utils.study import paths
from prune_utils.study.schema import Replay
from prune_utils.study.section import Fact, ParamsError
from prune_utils.study.sections.arms import SHIPPED
from prune_utils.study.words import percent

CELLS = {  # every name of each column, lower case; sparsity, dev_accuracy and std may end in _percent or %
    "arm": ("arm", "method", "setting", "label"),
    "sparsity": ("sparsity", "target_sparsity"),
    "task": ("task", "dataset"),
    "dev_accuracy": ("dev_accuracy", "accuracy", "acc", "dev_acc", "score", "dev_score", "mean"),
    "seed": ("seed", "run"),
    "std": ("std", "sd", "std_dev", "stdev", "standard_deviation", "accuracy_std", "dev_accuracy_std", "score_std"),
    "n": ("n", "runs", "seeds", "n_runs", "n_seeds"),
    "learning_rate": ("learning_rate", "lr"),
    "train_loss": ("train_loss", "training_loss"),
    "dev_majority": ("dev_majority",),
    "dev_examples": ("dev_examples",),
    "train_examples": ("train_examples",),
    "pretrain_loss": ("pretrain_loss", "pretraining_loss", "pre_training_loss"),
}
COUNTS = ("n", "dev_examples", "train_examples")
NEEDED = ("arm", "sparsity", "task", "dev_accuracy")
FURTHER = {  # optional tables: the frame that each makes, and the function that reads it
    "movement": ("movement", inside.read_movement),
    "movement_by_epochs": ("fine_tune_first", inside.read_movement_by_epochs),
    "weights": ("weights", inside.read_weights),
}
OF_RUNS = {"dense": "gradual", "pretrain": "gradual", "random": "random"}  # arms with the loss of a run, and its method


def frames(study: Replay) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]:
    """Cells, pre-training runs, and further frames by name, as `analysis.results` has them for a trained study."""
    cells, tables = read_table(paths.given(study.table.cells), study.table.arms), study.tables
    return (
        cells,
        losses(cells),
        {
            name: read_further(paths.given(tables[key]))
            for key, (name, read_further) in FURTHER.items()
            if key in tables
        },
    )


def check(study: Replay) -> list[Fact]:
    """Read the tables of a study and tell what they hold and how they were read. Raises ParamsError as `read_table`."""
    told = _read(paths.given(study.table.cells), study.table.arms)[1]
    for key, (_, read_further) in FURTHER.items():
        if key in study.tables:
            told.append(Fact(f"table.{key}", "rows", _said(read_further(paths.given(study.tables[key])))))
    return told


def _said(frame: pd.DataFrame) -> str:
    """The number of rows and the range of a further table."""
    values = frame.get("mean", frame.get("movement_mean"))
    low, high = (f"{end:g}" if "matrix" in frame else percent(end) for end in (values.min(), values.max()))
    return f"{len(frame)}, {low} to {high}"


def read_table(path: Path, arms: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a table of results as cells, with the columns of `results.cells_frame` that it has.

    Needed columns: arm, sparsity, task and dev_accuracy; optional: seed, learning_rate, train_loss, pretrain_loss, and
    for means of several runs std and n; the share of the majority class in the dev set, dev_majority, with its size,
    dev_examples; and the number of training examples of each task, train_examples. CELLS has all their names. Shares are fractions or percents; `arms`: our arms by
    the table's names, see `foreign.names.arms`. Rows without an accuracy are holes and are dropped.

    At 0 % every pruned arm is the dense model: in a table of single runs the 0 % rows of the arms become `dense` cells
    with a seed each, unless they are equal, and `of` names the arm. `std` and `n` have a column only if
    no seeds were repeated, and `compared` only if tasks differ, see `results.comparable`.

    Raises ParamsError, with the line, for everything that cannot be read for sure: see `foreign`.
    """
    return _read(path, arms or {})[0]


def _read(path: Path, given: Mapping[str, str]) -> tuple[pd.DataFrame, list[Fact]]:
    table = read(path, "table.cells", CELLS, NEEDED)
    every, about = _rows(table, given)
    known = every.dropna(subset="dev_accuracy")
    if known.empty:
        raise ParamsError(f"{table.where} has no row with an accuracy")
    if known.groupby(KEY[:3]).seed.nunique().max() > 1:  # what is stated of several runs is not of a seed
        known = known.drop(columns=["std", "n"], errors="ignore")
    rows = _with_dense(known)
    _check_repeats(rows, table)
    _check_equal(rows, table, "pretrain_loss", ["arm", "target_sparsity", "seed"])
    _check_equal(rows, table, "train_examples", ["task"])
    cells = comparable(selected(rows.reset_index(drop=True)))
    return cells, facts(table, every, cells, len(known) - len(rows), about)


def _rows(table: Sheet, given: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """All rows as a frame, indexed by line, and how they were read, in words."""
    tasks, ours = names.names(table, "task"), names.arms(table, given)
    numbers.check_marks(table, [name for name in table.texts if name not in ("arm", "task", "seed")])
    sparsities, _, how = numbers.shares(table, "sparsity", 0, below_one=True)
    scores, percents, scale = numbers.shares(table, "dev_accuracy", -1)
    spreads, source = numbers.deviations(table, scores, percents)
    seeds, numbered = names.seeds(table) if "seed" in table.texts else (0, {})
    columns = {"task": tasks, "arm": table.texts.arm.map(ours), "target_sparsity": sparsities.value, "seed": seeds}
    columns |= {"learning_rate": numbers.floats(table, "learning_rate", zero=False), "dev_accuracy": scores.value}
    columns |= {name: numbers.floats(table, name) for name in ("train_loss", "pretrain_loss")}
    columns |= {"std": spreads} if source else {}
    columns |= {name: numbers.counts(table, name) for name in COUNTS if name in table.texts}
    if "dev_majority" in table.texts:
        columns["dev_majority"] = numbers.shares(table, "dev_majority", 0, below_one=True)[0].value
    frame = pd.DataFrame(columns)
    for line in frame.index[frame.target_sparsity.isna()]:
        raise table.fault("sparsity", line, "allowed is a number")
    for line, arm in frame.arm[frame.arm.isin(["dense", "scratch"]) & (frame.target_sparsity > 0)].items():
        raise table.fault("sparsity", line, f"allowed is 0, since {table.texts.arm[line]!r} is the arm {arm}")
    about = {"sparsity": how, "dev_accuracy": scale, "std": source}
    about["arms"] = ", ".join(name if name == arm else f"{name!r} as {arm}" for name, arm in ours.items())
    about["seeds"] = ", ".join(f"{text} as {seed}" for text, seed in numbered.items())
    return frame, about


def _with_dense(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the 0 % rows of pruned arms as dense ones; if there are dense rows, only `downstream` has one of its own."""
    pruned = {*SHIPPED.rows, *rows.arm[rows.target_sparsity > 0]} - {"dense"}
    at_zero = (rows.target_sparsity == 0) & rows.arm.isin(pruned)
    dense, rest = rows[at_zero], rows[~at_zero]
    if dense.empty or (rest.arm == "dense").any():
        return pd.concat([rest, dense[dense.arm == TUNED_ON[0]]])
    one = dense.drop_duplicates(dense.columns.difference(["arm", "pretrain_loss"]))
    if rows.seed.nunique() == 1 and one.duplicated(["task", "learning_rate"]).any():
        order = [*SHIPPED.rows, *sorted(pruned.difference(SHIPPED.rows))]
        dense = dense.assign(seed=dense.arm.map(order.index), of=dense.arm)
    else:  # arms of one seed share its dense model
        dense = one.assign(pretrain_loss=dense.groupby(["task", "seed"]).pretrain_loss.transform("first"))
    return pd.concat([dense.assign(arm="dense"), rest])


def _check_repeats(rows: pd.DataFrame, table: Sheet) -> None:
    for coordinates, same in rows.groupby([*KEY, "learning_rate"], dropna=False, sort=False):
        if len(same) > 1:
            task, arm, sparsity, seed, rate = coordinates
            both = f"{arm} at {percent(sparsity)} on {task}, seed {seed}"
            both += "" if pd.isna(rate) else f", learning rate {rate:g}"
            both += f" (columns not used: {shown(table.unused)})" if table.unused else ""
            lines = " and ".join(map(str, same.index[:2]))
            raise ParamsError(f"{table.where}: lines {lines} are both {both}; allowed is one row for each")


def _check_equal(rows: pd.DataFrame, table: Sheet, name: str, unit: list[str]) -> None:
    """A pre-training loss belongs to a run, which is the same for all tasks and learning rates; a size to a task."""
    if name not in rows:
        return
    for _, own in rows.dropna(subset=name).groupby(unit)[name]:
        for line in own.index[own != own.iloc[0]]:
            two = f"{own.iloc[0]:.9g} in line {own.index[0]} and {own[line]:.9g} in line {line}"
            named = " and ".join(part for part in (", ".join(unit[:-1]), unit[-1]) if part).replace("target_", "")
            raise ParamsError(f"{table.where}: {name} is {two}; allowed is one for each {named}")


def losses(cells: pd.DataFrame) -> pd.DataFrame:
    """The pre-training losses in a table, with columns of `results.pretraining_frame`."""
    known = cells[cells.arm.isin(OF_RUNS)].dropna(subset="pretrain_loss")
    runs = known.assign(method=known.arm.map(OF_RUNS))
    if known.seed[known.arm != "dense"].nunique() < 2:  # the dense rows of single runs have a seed each
        runs["seed"] = known.seed.where(known.arm != "dense", known.seed.min())
    columns = ["method", "target_sparsity", "seed", "pretrain_loss"]
    return runs[columns].drop_duplicates(columns[:3]).reset_index(drop=True)
