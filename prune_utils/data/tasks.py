"""Labelled examples of a task, from the embedded language, local TSV files or the Hugging Face hub."""

import csv
from dataclasses import replace
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from prune_utils.data.embedded import tasks as embedded_tasks
from prune_utils.data.glue import GLUE, TaskFacts, dev_file, facts
from prune_utils.study import paths
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError
from prune_utils.study.sources import LocalTask, Task
from prune_utils.study.words import many

ENCODING = "utf-8-sig"  # UTF-8 with or without a byte order mark


def examples(task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load the training and dev examples of a task.

    Each frame has the columns `first`, `second` (sentence-pair tasks only) and `label`, an integer from 0 up.
    Raises ParamsError if a local file is missing or malformed, or if the dev set has labels unseen in training.
    """
    if task.source == "embedded":
        return tuple(_frame(rows) for rows in embedded_tasks.splits(task.name, task.train, task.dev))
    if task.source == "hub":
        return _hub_examples(task.name, task.dataset)
    train, dev = (_read_tsv(path, task.name) for path in local_files(task))
    names = sorted(set(train.label))
    unseen = sorted(set(dev.label) - set(names))
    if unseen or len(names) < 2:
        raise ParamsError(
            f"task {task.name}: {task.train} has labels {names} and {task.dev} has unseen labels {unseen}; "
            "training needs at least two labels, and they must cover the dev set"
        )
    return tuple(frame.assign(label=frame.label.map(names.index)) for frame in (train, dev))


def task_samples(study: Study, name: str, count: int) -> Styler:
    """Show the first `count` training examples of each label, and how many examples have that label."""
    training, dev = examples(study.task(name))
    counts = {"train examples": training, "dev examples": dev}
    counts = {column: training.label.map(frame.label.value_counts()) for column, frame in counts.items()}
    shown = training.assign(**counts).groupby("label").head(count)
    if "second" not in shown:
        shown = shown.rename(columns={"first": "sentence"})
    return shown.sort_values("label", kind="stable").style.hide(axis="index")


def local_files(task: LocalTask) -> tuple[Path, Path]:
    """Return the paths of the training and dev files. Raises ParamsError if one is missing."""
    files = tuple(paths.given(task.folder) / name for name in (task.train, dev_file(task)))
    for path in files:
        if not path.is_file():
            raise ParamsError(f"task {task.name}: file {path} does not exist")
    return files


def check_columns(path: Path, name: str) -> TaskFacts:
    """Return the layout of a task's TSV file. Raises ParamsError if its first line lacks one of the columns."""
    try:
        with path.open(encoding=ENCODING) as lines:
            columns = lines.readline().rstrip("\r\n").split("\t")
    except UnicodeDecodeError as error:
        raise ParamsError(f"task {name}: {path} is not UTF-8 ({error.reason} at byte {error.start})") from None
    layout, pair = facts(name), ("sentence1", "sentence2")
    if name not in GLUE and {*pair} & {*columns}:
        layout = replace(layout, texts=pair)
    if not layout.header and len(columns) != 4:
        raise ParamsError(f"task {name}: {path} has {len(columns)} columns; GLUE's file has 4 and no header")
    if layout.header and (missing := [c for c in (*layout.texts, layout.label) if c not in columns]):
        raise ParamsError(
            f"task {name}: {path} has no column {' and no '.join(missing)}, it has {', '.join(columns)}; GLUE's tasks "
            "need GLUE's columns, other tasks need sentence (or sentence1 and sentence2) and label"
        )
    return layout


def _read_tsv(path: Path, name: str) -> pd.DataFrame:
    layout = check_columns(path, name)
    # unlike in CSV, a lone quotation mark is text and "NA" is a word
    form = {"header": 0 if layout.header else None, "quoting": csv.QUOTE_NONE, "dtype": str, "keep_default_na": False}
    try:
        rows = pd.read_csv(path, sep="\t", encoding=ENCODING, **form)
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise ParamsError(f"task {name}: {path} is not tab-separated UTF-8 text: {error}") from None
    frame = _named(rows[[*layout.texts, layout.label]])
    if (empty := frame.index[(frame == "").any(axis=1)]).size:
        raise ParamsError(
            f"task {name}: {path} has {many(empty.size, 'row')} with an empty text or label; the first is row {empty[0] + 1}"
        )
    return frame


def _hub_examples(name: str, dataset: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    from datasets import load_dataset

    layout = facts(name)
    splits = load_dataset(dataset, layout.hub_name)
    dev = "validation_matched" if "validation_matched" in splits else "validation"
    columns = (*layout.hub_texts, "label")
    return tuple(_frame([{c: row[c] for c in columns} for row in splits[split]]) for split in ("train", dev))


def _frame(rows: list[dict]) -> pd.DataFrame:
    return _named(pd.DataFrame(rows))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([*("first", "second")[: frame.shape[1] - 1], "label"], axis=1)
