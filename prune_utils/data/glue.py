"""Facts about GLUE's tasks (Wang et al. 2019, arXiv:1804.07461): file layout, hub names and sizes.

Imports no pandas, torch or transformers, so that sizes can be planned quickly.
"""

import re
from dataclasses import dataclass, replace
from math import inf

from prune_utils.study.sections.sources import LocalTask


@dataclass(frozen=True)
class TaskFacts:
    """Facts about one task; the defaults describe a task that is not in GLUE."""

    texts: tuple[str | int, ...] = ()  # columns of the texts, numbers without a header; (): sentence, or the PAIR
    label: str | int = "label"  # column of the label
    width: int | None = None  # fields per line of a file without a header
    dev_file: str = "dev.tsv"
    hub_name: str = ""
    hub_texts: tuple[str, ...] = ()
    train: int = 100_000  # number of training examples
    dev: int = 10_000
    tokens: float = inf  # mean WordPiece tokens per example, with [CLS] and [SEP]; inf if unknown
    kind: str = "classification"
    labels: tuple[tuple[str, str], ...] = ()  # allowed labels and the names of their classes, in order; (): any
    ragged: bool = False  # rows with missing fields or texts are left out, not refused
    known: bool = True  # whether it is a task of GLUE, whose quotation marks are always text


SENTENCE, PAIR = ("sentence",), ("sentence1", "sentence2")
# sizes from the released data; tokens with BERT's uncased vocabulary, approximate for MNLI, QQP and QNLI
GLUE = {
    "MNLI": TaskFacts(
        PAIR,
        "gold_label",
        dev_file="dev_matched.tsv",
        hub_name="mnli",
        hub_texts=("premise", "hypothesis"),
        train=392_702,
        dev=9_815,
        tokens=40,
    ),
    "QQP": TaskFacts(
        ("question1", "question2"),
        "is_duplicate",
        hub_name="qqp",
        hub_texts=("question1", "question2"),
        train=363_846,
        dev=40_430,
        tokens=31,
        ragged=True,  # questions with line breaks or without text, in the files as distributed
    ),
    "QNLI": TaskFacts(
        ("question", "sentence"),
        hub_name="qnli",
        hub_texts=("question", "sentence"),
        train=104_743,
        dev=5_463,
        tokens=51,
    ),
    "SST-2": TaskFacts(SENTENCE, hub_name="sst2", hub_texts=SENTENCE, train=67_349, dev=872, tokens=13.4),
    "CoLA": TaskFacts(
        (3,),
        1,
        width=4,
        hub_name="cola",
        hub_texts=SENTENCE,
        train=8_551,
        dev=1_043,
        tokens=11.4,
        labels=(("0", "0"), ("1", "1")),
    ),
    "STS-B": TaskFacts(PAIR, "score", hub_name="stsb", hub_texts=PAIR, train=5_749, dev=1_500, kind="regression"),
    "MRPC": TaskFacts(
        ("#1 String", "#2 String"), "Quality", hub_name="mrpc", hub_texts=PAIR, train=3_668, dev=408, tokens=53
    ),
    "RTE": TaskFacts(PAIR, hub_name="rte", hub_texts=PAIR, train=2_490, dev=277, tokens=70),
    "WNLI": TaskFacts(PAIR, hub_name="wnli", hub_texts=PAIR, train=635, dev=71),
}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


NAMED = {_plain(name): task for name, task in GLUE.items()}


def facts(name: str) -> TaskFacts:
    """Look up a task by name, whatever its case and punctuation; return the defaults if it is not in GLUE."""
    return NAMED.get(_plain(name)) or TaskFacts(hub_name=name.lower(), known=False)


def layout(task: LocalTask) -> TaskFacts:
    """The facts of a local task: those of its name, and what its section says instead."""
    base = facts(task.name)
    if base.width and (task.texts or task.label):  # the columns have names, so it is not GLUE's file
        base = TaskFacts(known=False)
    labels = task.labels or ()
    return replace(
        base,
        texts=tuple(task.texts or base.texts),
        label=task.label or base.label,
        kind=task.kind or base.kind,
        labels=tuple(labels.items() if isinstance(labels, dict) else ((x, x) for x in labels)) or base.labels,
    )


def dev_file(task: LocalTask) -> str:
    """Return the name of a local task's dev file: MNLI's default is the matched set."""
    return facts(task.name).dev_file if task.dev == "dev.tsv" else task.dev
