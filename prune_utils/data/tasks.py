"""Labelled examples of a task, from the embedded language, GLUE's TSV files or the hub."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from prune_utils.data import language_tasks
from prune_utils.study import paths
from prune_utils.study.section import ParamsError
from prune_utils.study.sources import LocalTask, Task


@dataclass(frozen=True)
class Layout:
    """Where a task's TSV keeps what: column numbers where it has no header, else names. One or two texts."""

    texts: tuple[str | int, ...]
    label: str | int = "label"
    header: bool = True
    hub_texts: tuple[str, ...] = ("sentence",)


# GLUE (Wang et al. 2018); columns differ by task and CoLA has no header
GLUE = {
    "CoLA": Layout((3,), 1, header=False),
    "SST-2": Layout(("sentence",)),
    "MNLI": Layout(("sentence1", "sentence2"), "gold_label", hub_texts=("premise", "hypothesis")),
    "QQP": Layout(("question1", "question2"), "is_duplicate", hub_texts=("question1", "question2")),
    "QNLI": Layout(("question", "sentence"), hub_texts=("question", "sentence")),
}
GLUE_DEV = {"MNLI": "dev_matched.tsv"}
TEXT = "utf-8-sig"  # UTF-8, with a mark of its order or without
HUB_NAME = {"SST-2": "sst2"}  # else the name in lower case


def examples(task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and dev examples: frames of `first`, perhaps `second`, and an integer `label` from 0 up."""
    if task.source == "embedded":
        return tuple(_frame(rows) for rows in language_tasks.splits(task.name, task.train, task.dev))
    if task.source == "hub":
        return _hub_examples(task.name, task.dataset)
    train, dev = (_read_tsv(path, task.name) for path in local_files(task))
    names = sorted(set(train.label))
    strange = sorted(set(dev.label) - set(names))
    if strange or len(names) < 2:
        raise ParamsError(
            f"task {task.name}: labels of {task.train} are {names}, and {task.dev} has {strange} besides; "
            "allowed are two labels or more, all of them in the training set"
        )
    number = {name: index for index, name in enumerate(names)}
    return train.assign(label=train.label.map(number)), dev.assign(label=dev.label.map(number))


def local_files(task: LocalTask) -> tuple[Path, Path]:
    """The training and the dev file. Raises ParamsError where one is missing."""
    dev = GLUE_DEV.get(task.name, task.dev) if task.dev == "dev.tsv" else task.dev
    files = tuple(paths.given(task.folder) / name for name in (task.train, dev))
    for path in files:
        if not path.is_file():
            raise ParamsError(f"task {task.name}: file {path} does not exist")
    return files


def check_columns(path: Path, name: str) -> Layout:
    """The layout of a task's TSV. Raises ParamsError where its first line has other columns."""
    try:
        with path.open(encoding=TEXT) as lines:
            columns = lines.readline().rstrip("\r\n").split("\t")
    except UnicodeDecodeError as error:
        raise ParamsError(f"task {name}: {path} is not UTF-8 ({error.reason} at byte {error.start})") from None
    layout = GLUE.get(name)
    if layout is None:
        texts = ("sentence1", "sentence2") if {"sentence1", "sentence2"} & set(columns) else ("sentence",)
        layout = Layout(texts)
    wanted = [*layout.texts, layout.label]
    if layout.header and (missing := [c for c in wanted if c not in columns]):
        raise ParamsError(
            f"task {name}: {path} has no column {' and no '.join(missing)}, it has {', '.join(columns)}; allowed is "
            "GLUE's layout for GLUE's tasks, else columns sentence (or sentence1 and sentence2) and label"
        )
    if not layout.header and len(columns) != 4:
        raise ParamsError(f"task {name}: {path} has {len(columns)} columns; its layout in GLUE has 4 and no header")
    return layout


def _read_tsv(path: Path, name: str) -> pd.DataFrame:
    layout = check_columns(path, name)
    # not CSV: a lone quotation mark is text, and "NA" is a word
    form = {"header": 0 if layout.header else None, "quoting": csv.QUOTE_NONE, "dtype": str, "keep_default_na": False}
    try:
        rows = pd.read_csv(path, sep="\t", encoding=TEXT, **form)
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise ParamsError(
            f"task {name}: {path} cannot be read as UTF-8 text with a tab between columns: {error}"
        ) from None
    frame = rows[[*layout.texts, layout.label]]
    frame.columns = [*("first", "second")[: len(layout.texts)], "label"]
    if (empty := frame.index[(frame == "").any(axis=1)]).size:
        raise ParamsError(
            f"task {name}: {path} has {empty.size} rows with an empty text or label, the first of them "
            f"row {empty[0] + 1}"
        )
    return frame


def _hub_examples(name: str, dataset: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    from datasets import load_dataset

    layout = GLUE.get(name, Layout(("sentence",)))
    splits = load_dataset(dataset, HUB_NAME.get(name, name.lower()))
    dev = "validation_matched" if "validation_matched" in splits else "validation"
    return tuple(
        _frame([{**{text: row[text] for text in layout.hub_texts}, "label": row["label"]} for row in splits[split]])
        for split in ("train", dev)
    )


def _frame(rows: list[dict]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    return frame.set_axis([*("first", "second")[: frame.shape[1] - 1], "label"], axis=1)
