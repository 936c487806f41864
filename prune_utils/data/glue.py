"""Facts about GLUE's tasks (Wang et al. 2019, arXiv:1804.07461): file layout, hub names and sizes.

Imports no pandas, torch or transformers, so that sizes can be planned quickly.
"""

from dataclasses import dataclass
from math import inf

from prune_utils.study.sources import LocalTask


@dataclass(frozen=True)
class TaskFacts:
    """Facts about one task; the defaults describe a task that is not in GLUE."""

    texts: tuple[str | int, ...] = ("sentence",)  # TSV columns of the texts: names, or indices if there is no header
    label: str | int = "label"  # TSV column of the label
    header: bool = True
    dev_file: str = "dev.tsv"
    hub_name: str = ""
    hub_texts: tuple[str, ...] = ("sentence",)
    train: int = 100_000  # number of training examples
    dev: int = 10_000
    tokens: float = inf  # mean WordPiece tokens per example, with [CLS] and [SEP]; inf if unknown


# sizes from the released data; token counts with BERT's uncased vocabulary, approximate for the three pair tasks
GLUE = {
    "MNLI": TaskFacts(
        ("sentence1", "sentence2"),
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
    ),
    "QNLI": TaskFacts(
        ("question", "sentence"),
        hub_name="qnli",
        hub_texts=("question", "sentence"),
        train=104_743,
        dev=5_463,
        tokens=51,
    ),
    "SST-2": TaskFacts(hub_name="sst2", train=67_349, dev=872, tokens=13.4),
    "CoLA": TaskFacts((3,), 1, header=False, hub_name="cola", train=8_551, dev=1_043, tokens=11.4),
}


def facts(name: str) -> TaskFacts:
    """Look up a task by name; return the defaults if it is not in GLUE."""
    return GLUE.get(name) or TaskFacts(hub_name=name.lower())


def dev_file(task: LocalTask) -> str:
    """Return the name of a local task's dev file: MNLI's default is the matched set."""
    return facts(task.name).dev_file if task.dev == "dev.tsv" else task.dev
