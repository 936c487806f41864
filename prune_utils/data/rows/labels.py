"""Labels as they are written, and the numbers that a model is trained on."""

import re
import unicodedata

import numpy as np
import pandas as pd

from prune_utils.data.glue import TaskFacts
from prune_utils.data.rows.lines import shown
from prune_utils.data.rows.tsv import Table
from prune_utils.study.section import ParamsError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# no label, as GLUE's test sets, pandas and R write it
MISSING = {"-1", "-", "?", "nan", "na", "n/a", "#n/a", "<na>", "null"}


def numbered(train: Table, dev: Table, facts: TaskFacts) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The labels of both sets, and the names of the classes.

    Classification: int64, the index of the class; classes are in the order of the allowed labels, else sorted.
    Regression: float32, and no classes. Raises ParamsError, with the row, for labels that cannot be right.
    """
    for table, least in ((train, 1), (dev, 2)):
        if len(table.rows) < least:
            raise ParamsError(f"{table.where} has {'no row' if not table.rows else 'one row; a dev set needs two'}")
    if facts.kind == "regression":
        return _scores(train), _scores(dev), []
    known = dict(facts.labels)
    for table in (train, dev):
        _check_written(table, known, facts)
    known = known or {label: label for label in sorted(set(train.labels))}
    present = {known[label] for label in train.labels if label in known}
    names = [name for name in dict.fromkeys(known.values()) if name in present]
    if len(names) < 2:
        raise ParamsError(f"{train.where} has one class, {names[0]!r}; training needs at least two")
    for label in dict.fromkeys(dev.labels):
        if known.get(label) not in present:
            fault = f"has the label {label!r}, which no row of {train.where} has; labels there are {shown(names)}"
            raise dev.refuse(dev.labels.index(label), fault)
    index = {label: names.index(name) for label, name in known.items() if name in present}
    return *(np.array([index[label] for label in table.labels], np.int64) for table in (train, dev)), names


def _check_written(table: Table, known: dict[str, str], facts: TaskFacts) -> None:
    """Raise ParamsError for the first label that is not allowed or, without a list of labels, unlikely to be a label."""
    seen = {}
    for label in dict.fromkeys(table.labels):
        fault, alike = "", _alike(label)
        if known:
            fault = "" if label in known else f"allowed are {shown(known)}"
        elif label.casefold() in MISSING:
            fault = "which stands for no label"
        elif label != label.strip() or not facts.known and len(label) > 1 and label[0] == label[-1] == '"':
            fault = "with blanks or quotation marks around it"
        elif alike in seen:
            fault = f"and another row {seen[alike]!r}"
        elif isinstance(alike, float) and not alike.is_integer():
            fault = "a fraction; `kind: regression` predicts numbers"
        if fault:
            remedy = "" if known else "; if it is right, list all labels in `labels`"
            raise table.refuse(table.labels.index(label), f"has the label {shown([repr(label)])}, {fault}{remedy}")
        seen[alike] = label


def _alike(label: str) -> float | str:
    """What two spellings of one label have in common: 1 and 1.0, Yes and yes."""
    plain = unicodedata.normalize("NFKC", label).strip().casefold()
    return float(plain) if NUMBER.fullmatch(plain) else plain


def _scores(table: Table) -> np.ndarray:
    scores = np.array([float(x) if NUMBER.fullmatch(x) else np.nan for x in table.labels])
    with np.errstate(over="ignore"):
        scores = scores.astype(np.float32)
    if (wrong := np.flatnonzero(~np.isfinite(scores))).size:
        fault = f"has the label {shown([repr(table.labels[wrong[0]])])}; a regression needs finite numbers"
        raise table.refuse(int(wrong[0]), fault)
    if np.ptp(scores) == 0:
        raise ParamsError(f"{table.where} has the label {table.labels[0]!r} in all rows; a regression needs two values")
    return scores


def drawn(examples: pd.DataFrame, wanted: int | None) -> pd.DataFrame:
    """`wanted` examples, drawn at random, always the same; all if it is None.

    Raises ParamsError if there are fewer, or one of the classes in column `label` would be lost.
    """
    if wanted is None:
        return examples
    if wanted > len(examples):
        raise ParamsError(f"train_examples is {wanted:,}; allowed are at most the {len(examples):,} training examples")
    part = examples.sample(wanted, random_state=0).reset_index(drop=True)
    if examples.label.dtype.kind != "f" and part.label.nunique() < examples.label.nunique():
        raise ParamsError(f"train_examples is {wanted:,}, which leaves a class without any")
    return part
