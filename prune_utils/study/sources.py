"""Sections of a params file on text and tasks: the embedded language, local files, or the hub."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from prune_utils.study.section import Count, Length, Section


def task_name(name: str) -> str:
    """Return the name of a task. Raises ValueError if it cannot name folders, pages and figure lines."""
    if not re.fullmatch(r"[^\W_]([\w .+-]*[\w.+-])?", name) or len(name) > 100:
        allowed = "1 to 100 letters, digits, spaces and the characters _ . + -, starting with a letter or digit"
        raise ValueError(f"name is {name!r}; allowed are {allowed}")
    return name


TaskName = Annotated[str, AfterValidator(task_name)]


class EmbeddedCorpus(Section):
    """The package's small synthetic English."""

    source: Literal["embedded"]
    documents: Count
    held_out_documents: Count
    max_length: Length


class LocalCorpus(Section):
    """UTF-8 text files (.txt, .gz, .xz): one sentence or paragraph per line, an empty line between documents."""

    source: Literal["local"]
    files: Annotated[list[str], Field(min_length=1)]
    held_out_files: Annotated[list[str], Field(min_length=1)]
    vocabulary: str | None = None  # vocab.txt, tokenizer.json, folder or hub name; default: the model's own
    lowercase: bool | None = None  # for a vocab.txt; default: true if its tokens are lower-case
    replace: dict[str, str] = {}  # strings to replace, such as tokenisation marks, and their replacements
    max_length: Length


class HubText(Section):
    """A text data set of the hub with a column `text`."""

    path: str
    configuration: str | None = None
    revision: str | None = None
    rows_per_document: Count = 1  # more than 1 if a row is a single sentence


class HubCorpus(Section):
    """Data sets of the Hugging Face hub, streamed."""

    source: Literal["hub"]
    datasets: Annotated[list[HubText], Field(min_length=1)]
    held_out_documents: Count
    vocabulary: str | None = None  # as for local text
    max_length: Length


class EmbeddedTask(Section):
    source: Literal["embedded"]
    name: Literal["acceptability", "sentiment", "entailment"]
    train: Count  # examples
    dev: Count


class LocalTask(Section):
    """A folder of TSV files: GLUE's layout for GLUE's tasks, else columns sentence (or sentence1, sentence2) and label."""

    source: Literal["local"]
    name: TaskName
    folder: str
    train: str = "train.tsv"
    dev: str = "dev.tsv"


class HubTask(Section):
    source: Literal["hub"]
    name: TaskName
    dataset: str = "nyu-mll/glue"


Corpus = Annotated[EmbeddedCorpus | LocalCorpus | HubCorpus, Field(discriminator="source")]
Task = Annotated[EmbeddedTask | LocalTask | HubTask, Field(discriminator="source")]
