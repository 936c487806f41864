"""Sections of a params file on text and tasks: the embedded language, local files, or the hub."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

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
    """UTF-8 text files: one sentence or paragraph per line, an empty line between documents.

    In JSON lines (.jsonl), each line is a document. Names ending in .gz or .xz are decompressed.
    """

    source: Literal["local"]
    files: Annotated[list[str], Field(min_length=1)]
    held_out_files: Annotated[list[str], Field(min_length=1)]
    vocabulary: str | None = None  # vocab.txt, tokenizer.json, folder or hub name; default: the model's own
    lowercase: bool | None = None  # for a vocab.txt; default: true if its tokens are lower-case
    replace: dict[str, str] = {}  # strings to replace, such as tokenisation marks, and their replacements
    field: str | None = None  # of a JSON line; None: "text"
    max_length: Length

    @field_validator("replace")
    @classmethod
    def _within_a_line(cls, replace: dict[str, str]):
        if bad := [key for key in replace if not key or "\n" in key]:
            raise ValueError(f"key {bad[0]!r} replaces nothing in a line; allowed are one or more characters of a line")
        return replace


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

    @model_validator(mode="after")
    def _each_is_held_out(self):
        if self.held_out_documents < len(self.datasets):
            raise ValueError(
                f"held_out_documents is {self.held_out_documents}; allowed is at least one per data set: {len(self.datasets)}"
            )
        return self


class EmbeddedTask(Section):
    source: Literal["embedded"]
    name: Literal["acceptability", "sentiment", "entailment"]
    train: Count  # examples
    dev: Count


def label_names(given: Any) -> Any:
    """Return labels as text, with YAML's integers as they are written. Raises ValueError for anything else."""
    if given is None:
        return None
    if not isinstance(given, list | dict) or len(given) < 2:
        raise ValueError(f"labels are {given!r}; allowed is a list, or a mapping to names, of at least two labels")
    names = [name for pair in given.items() for name in pair] if isinstance(given, dict) else given
    if wrong := [name for name in names if type(name) not in (str, int) or name == ""]:
        raise ValueError(
            f"labels hold {wrong[0]!r}; allowed are texts and integers (in YAML, put yes, no, 1.0 in quotes)"
        )
    if isinstance(given, dict):
        return {str(label): str(name) for label, name in given.items()}
    if len(set(map(str, given))) < len(given):
        raise ValueError(f"labels are {given!r}; each may occur once")
    return list(map(str, given))


class LocalTask(Section):
    """A folder of TSV or CSV files: GLUE's layout for GLUE's tasks, else sentence (or sentence1, sentence2) and label."""

    source: Literal["local"]
    name: TaskName
    folder: str
    train: str = "train.tsv"
    dev: str = "dev.tsv"
    texts: Annotated[list[str], Field(min_length=1, max_length=2)] | None = None  # columns; default: see above
    label: str | None = None  # column
    # allowed labels in the order of the classes, or {label in the file: name of its class}; default: any, sorted
    labels: Annotated[list[str] | dict[str, str] | None, BeforeValidator(label_names)] = None
    kind: Literal["classification", "regression"] | None = None  # default: classification, but for GLUE's STS-B
    train_examples: Count | None = None  # so many of the training examples, drawn at random; default: all

    @model_validator(mode="after")
    def _fits_together(self):
        columns = [*(self.texts or []), *([self.label] if self.label is not None else [])]
        if "" in columns or len(set(columns)) < len(columns):
            raise ValueError(f"texts and label are {columns}; allowed are different names of columns")
        if self.kind == "regression" and self.labels:
            raise ValueError("kind is 'regression' and labels are given; allowed are labels of a classification")
        return self


class HubTask(Section):
    source: Literal["hub"]
    name: TaskName
    dataset: str = "nyu-mll/glue"
    configuration: str | None = None  # default: the name that GLUE's task has in GLUE's data set, else `name`
    revision: str | None = None  # default: the newest when the study begins
    train_examples: Count | None = None  # as for local files


Corpus = Annotated[EmbeddedCorpus | LocalCorpus | HubCorpus, Field(discriminator="source")]
Task = Annotated[EmbeddedTask | LocalTask | HubTask, Field(discriminator="source")]
