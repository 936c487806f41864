"""Labelled examples of a task, from the embedded language, local files or the Hugging Face hub."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain

import pandas as pd
from pandas.io.formats.style import Styler

from prune_utils.data.embedded import tasks as embedded_tasks
from prune_utils.data.glue import TaskFacts, facts, layout
from prune_utils.data.hub import datasets as hub
from prune_utils.data.inputs import task_of
from prune_utils.data.rows.labels import drawn, numbered
from prune_utils.data.rows.lines import shown
from prune_utils.data.rows.tsv import Table, columns, of, table, visible
from prune_utils.study.schema import Study
from prune_utils.study.section import Fact, ParamsError
from prune_utils.study.sections.sources import HubTask, Task
from prune_utils.study.words import many

SPLITS = ("train",), ("validation_matched", "validation")  # names of the training and the dev split on the hub
SAMPLE = 2_000  # examples whose tokens `check` counts
MOST_UNKNOWN = 0.5  # share of [UNK] among the tokens: refused above
SMALL_DEV, SMALL_CLASS = 100, 10  # with fewer dev examples, one is more than a point; fewer of a class teach little


def examples(task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load the training and dev examples of a task.

    Each frame has the columns `first`, `second` (sentence-pair tasks only) and `label`: an integer from 0 up, or a
    float32 if the task is a regression. Raises ParamsError for everything that cannot be right, see `check`.
    """
    return _read(task)[:2]


def check(task: Task, tokenizer=None, max_length: int = 0) -> list[Fact]:
    """Read a whole task, as training will, and report what it holds.

    With a tokenizer, also the share of texts that are cut at `max_length` tokens and of unknown tokens, in a sample.
    Raises ParamsError, with file and line or split and row, for rows that do not fit their header, texts or labels that
    are empty or not UTF-8, fewer than two classes, two dev examples or two scores, labels that training lacks, and texts
    of which most tokens are unknown.
    """
    train, dev, names, tables, known = _read(task)
    every, seen = pd.concat([train, dev]), set(_texts(train))
    left_out, quoted = (sum(getattr(part, name) for part in tables) for name in ("left_out", "quoted"))
    told = [("examples", f"{len(train):,} train, {len(dev):,} dev", len(dev) < SMALL_DEV)]
    if tables and len(train) < len(tables[0].rows):
        told.append(("training examples drawn at random", *_share(len(train), len(tables[0].rows), 1)))
    told += _class_facts(train, dev, names) if names else [("scores", _range(train.label), False)]
    if absent := sorted({name for _, name in known.labels} - set(names)):
        told.append(("allowed labels without training examples", shown(absent), True))
    again = sum(text in seen for text in _texts(dev))
    told.append(("dev examples that are training examples too", *_share(again, len(dev), 0.01)))
    if names and (unsure := sum(len(labels) > 1 for labels in _labels(every).values())):
        told.append(("texts that have more than one label", *_share(unsure, len(every), 0.01)))
    if left_out:
        told.append(("rows left out, with missing fields or texts", *_share(left_out, len(every) + left_out, 0.01)))
    if quoted:
        told.append(("rows with quotation marks doubled as in CSV, read as text", *_share(quoted, len(every), 0.01)))
    if tokenizer:
        with of(task):
            told += _token_facts(every, tokenizer, max_length)
    return [Fact(f"tasks.{task.name}", *fact) for fact in told]


def task_samples(study: Study, name: str, count: int) -> Styler:
    """Show the first `count` training examples of each label, and how many examples have that label.

    For a regression, as many in all as for two labels.
    """
    training, dev = examples(task_of(study, name))
    if training.label.dtype.kind == "f":
        rows = training.head(2 * count)
    else:
        counts = {"train examples": training, "dev examples": dev}
        counts = {column: training.label.map(frame.label.value_counts()) for column, frame in counts.items()}
        rows = training.assign(**counts).groupby("label").head(count)
        rows = rows if "second" in rows else rows.rename(columns={"first": "sentence"})
    return rows.sort_values("label", kind="stable").style.hide(axis="index")


def _read(task: Task) -> tuple[pd.DataFrame, pd.DataFrame, list[str], list[Table], TaskFacts]:
    """Examples of training and dev set, the names of the classes, and the tables and facts that they come from."""
    if task.source == "embedded":
        train, dev = (_named(pd.DataFrame(rows)) for rows in embedded_tasks.splits(task.name, task.train, task.dev))
        return train, dev, [str(label) for label in sorted(set(train.label))], [], TaskFacts()
    if task.source == "local":
        tables, known = [table(task, part) for part in ("train", "dev")], layout(task)
    if task.source == "hub":
        tables, known = _hub_tables(task)
    with of(task):
        return _assembled(*tables, known, task.train_examples)


@lru_cache(maxsize=32)
def _assembled(train: Table, dev: Table, known: TaskFacts, wanted: int | None) -> tuple:
    ours, theirs = (len(part.rows[0]) - 1 if part.rows else None for part in (dev, train))
    if None not in (ours, theirs) and ours != theirs:
        fault = f"a row has {many(ours, 'text')}, and in {train.where} it has {theirs}; allowed is as many"
        raise ParamsError(f"{dev.where}: {fault}")
    *labels, names = numbered(train, dev, known)
    texts = (pd.DataFrame([row[:-1] for row in part.rows]) for part in (train, dev))
    frames = [_named(frame.assign(label=numbers)) for frame, numbers in zip(texts, labels, strict=True)]
    return drawn(frames[0], wanted), frames[1], names, [train, dev], known


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([*("first", "second")[: frame.shape[1] - 1], "label"], axis=1)


@lru_cache(maxsize=32)
def _hub_tables(task: HubTask) -> tuple[list[Table], TaskFacts]:
    """The training and dev split of a data set of the hub. Rows with an empty text are left out, since users cannot fix them."""
    known, where = facts(task.name), f"data set {task.dataset} of the hub"
    configuration = task.configuration or known.hub_name
    splits = hub.splits(f"tasks.{task.name}", task.dataset, configuration, task.revision, *SPLITS)
    with of(task):
        tables = [_hub_table(data, f"{where}, split {split}", known) for split, data in splits.items()]
    train = splits["train"]
    names, found = getattr(train.features["label"], "names", None), train.unique("label")
    if names is None and all(isinstance(label, int) for label in found):
        names = map(str, sorted(label for label in found if label >= 0))
    labels = () if names is None or known.kind == "regression" else tuple((label, label) for label in names)
    return tables, replace(known, labels=labels)


def _hub_table(data, where: str, known: TaskFacts) -> Table:
    chosen = columns(where, data.column_names, known.hub_texts, "label")
    names = getattr(data.features["label"], "names", None)
    places, rows = [], []
    content = data.select_columns(chosen)[:]
    for place, (*texts, label) in enumerate(zip(*(content[column] for column in chosen), strict=True)):
        if not all(isinstance(text, str | None) for text in texts) or not isinstance(label, str | int | float):
            raise ParamsError(f"{where}, row {place} has {shown([*texts, label])}; allowed are texts and one label")
        if all(visible(text or "") for text in texts):
            places.append(place)
            rows.append((*texts, names[label] if names and 0 <= label < len(names) else str(label)))
    return Table(where, places, rows, len(data) - len(rows), place="row")


def _texts(frame: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """The texts of each example, less case and blanks, in which copies of an example may differ."""
    for texts in frame.drop(columns="label").itertuples(index=False, name=None):
        yield tuple(" ".join(text.casefold().split()) for text in texts)


def _labels(frame: pd.DataFrame) -> dict[tuple[str, ...], set]:
    """The labels of each text."""
    found = {}
    for text, label in zip(_texts(frame), frame.label, strict=True):
        found.setdefault(text, set()).add(label)
    return found


def _share(part: int, whole: int, most: float) -> tuple[str, bool]:
    return f"{part:,} of {whole:,} ({100 * part / max(whole, 1):.1f} %)", bool(part > most * whole)


def _range(scores: pd.Series) -> str:
    return f"{scores.min():g} to {scores.max():g}, mean {scores.mean():.2f}"


def _class_facts(train: pd.DataFrame, dev: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, str, bool]]:
    counts = train.label.value_counts().sort_index()
    shares = [f"{shown([name])}: {100 * count / len(train):.1f} %" for name, count in zip(names, counts, strict=True)]
    sizes = f"{len(names)} classes of {counts.min():,} to {counts.max():,} training examples"
    odd = counts.min() < SMALL_CLASS or counts.max() > 0.9 * len(train)
    yield "classes", ", ".join(shares) if len(names) <= 6 else sizes, bool(odd)
    if absent := [name for label, name in enumerate(names) if label not in set(dev.label)]:
        yield "classes without dev examples", shown(absent), True


def _token_facts(frame: pd.DataFrame, tokenizer, max_length: int) -> Iterator[tuple[str, str, bool]]:
    sample = frame.drop(columns="label").sample(min(SAMPLE, len(frame)), random_state=0)
    ids = tokenizer(*(list(sample[column]) for column in sample), verbose=False)["input_ids"]
    yield f"examples cut at {max_length} tokens", *_share(sum(len(row) > max_length for row in ids), len(ids), 0.05)
    unknown, special = tokenizer.unk_token_id, {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    words = [token for token in chain(*ids) if token not in special]
    share = words.count(unknown) / max(1, len(words))
    if share > MOST_UNKNOWN:
        raise ParamsError(
            f"{100 * share:.1f} % of the tokens are {tokenizer.unk_token}, so the vocabulary does not fit these texts; allowed "
            f"are {100 * MOST_UNKNOWN:.1f} %"
        )
    yield "unknown tokens", *_share(words.count(unknown), len(words), 0.02)
