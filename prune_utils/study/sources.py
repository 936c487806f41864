"""Where text and tasks come from: the package's own language, local files, or the hub."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from prune_utils.study.section import Count, Length, Section


def _printable(name: str) -> str:
    if not name.isprintable() or name.strip() != name or not 0 < len(name) <= 200:
        raise ValueError(f"name is {name!r}; allowed are 1 to 200 printable characters, the outermost no blanks")
    return name


TaskName = Annotated[str, AfterValidator(_printable)]


class EmbeddedCorpus(Section):
    """The package's own small English."""

    source: Literal["embedded"]
    documents: Count
    held_out_documents: Count
    max_length: Length


class LocalCorpus(Section):
    """UTF-8 text files (.txt, .gz, .xz): sentences or paragraphs a line, an empty line between documents."""

    source: Literal["local"]
    files: Annotated[list[str], Field(min_length=1)]
    held_out_files: Annotated[list[str], Field(min_length=1)]
    vocabulary: str  # a WordPiece vocab.txt
    lowercase: bool = True  # as the vocabulary is
    replace: dict[str, str] = {}  # marks of the files' own tokenisation, and what they stand for
    max_length: Length


class HubText(Section):
    """A text data set of the hub, with a column `text`."""

    path: str
    configuration: str | None = None
    revision: str | None = None
    rows_per_document: Count = 1  # more where a row is only a sentence


class HubCorpus(Section):
    """Data sets of the Hugging Face hub, streamed."""

    source: Literal["hub"]
    datasets: Annotated[list[HubText], Field(min_length=1)]
    held_out_documents: Count
    vocabulary: str  # the model whose tokenizer is used
    max_length: Length


class EmbeddedTask(Section):
    source: Literal["embedded"]
    name: Literal["acceptability", "sentiment", "entailment"]
    train: Count  # examples
    dev: Count


class LocalTask(Section):
    """A folder of TSV files: GLUE's own layout for GLUE's tasks, else columns sentence[1, 2] and label."""

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
