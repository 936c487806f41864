"""Encoded data sets of a study: the first process that needs one makes it; all others read it from disk."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from datasets import Dataset, Features, Sequence, Value, load_from_disk
from datasets.exceptions import DatasetGenerationError
from pandas.io.formats.style import Styler
from transformers import PreTrainedTokenizerBase

from prune_utils.data import tasks, text
from prune_utils.data.inputs import corpus_of, task_of
from prune_utils.data.masked_tokens import IGNORED
from prune_utils.data.pairs import IS_NEXT, examples
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study import paths
from prune_utils.study.files import alone, of_machine, whole_folder
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError

SEQUENCE = Sequence(Value("int32"))
PAIR_FEATURES = Features(
    {name: SEQUENCE for name in ("input_ids", "token_type_ids", "labels")}
    | {"next_sentence_label": Value("int64"), "length": Value("int32")}
)


def _once(folder: Path, make: Callable[[str], Dataset]) -> Dataset:
    """Load the data set in `folder`; if it does not exist, call `make` with a temporary cache folder and save it."""
    if not folder.exists():
        with alone(folder.parent / f".{folder.name}"):
            if not folder.exists():
                scratch = f".{folder.name}-"
                for left in folder.parent.glob(f"{scratch}*"):  # of a process that was killed
                    shutil.rmtree(left)
                with (
                    whole_folder(folder) as unfinished,
                    tempfile.TemporaryDirectory(prefix=scratch, dir=folder.parent) as cache,
                ):
                    make(cache).save_to_disk(unfinished)
    try:
        return load_from_disk(str(folder))
    except Exception as error:  # Arrow raises anything for a damaged file
        if of_machine(error):
            raise
        raise ParamsError(f"{folder} is damaged ({error}); delete it to make it again") from None


def pretraining_data(study: Study, held_out: bool = False) -> Dataset:
    """Load the masked sentence pairs of the training or the held-out text.

    Training pairs are made from up to `duplicates` passes over the text, and only as many as the longest
    training run reads.
    """
    recipe, corpus = study.pretraining, corpus_of(study)

    def generate() -> Iterator[dict]:
        tokenizer = tokenizer_of(study)
        for copy in range(1 if held_out else recipe.duplicates):
            documents = text.documents(corpus, held_out)
            yield from examples(documents, tokenizer, corpus.max_length, recipe, f"pairs {held_out} {copy}")

    def taken() -> Iterator[dict]:
        yield from itertools.islice(generate(), None if held_out else recipe.pairs_read)

    def make(cache: str) -> Dataset:
        # streamed to disk: the paper's three million pairs do not fit in memory
        try:
            return Dataset.from_generator(taken, features=PAIR_FEATURES, cache_dir=cache, fingerprint="pairs")
        except DatasetGenerationError as error:  # a text that has changed since it was checked
            raise error.__cause__ or error from None

    return _once(paths.data(study.study, "held-out" if held_out else "pairs"), make)


def pair_samples(pairs: Dataset, study: Study, count: int) -> Styler:
    """Show the first `count` masked pairs: text with masks, masked tokens, and whether the second segment follows."""
    tokens = tokenizer_of(study).convert_ids_to_tokens
    rows = [
        {
            "text": " ".join(tokens(pair["input_ids"])),
            "answers": " ".join(tokens([label for label in pair["labels"] if label != IGNORED])),
            "is next": pair["next_sentence_label"] == IS_NEXT,
        }
        for pair in pairs.select(range(count))
    ]
    return pd.DataFrame(rows).style.set_properties(**{"text-align": "left"}).hide(axis="index")


def task_data(study: Study, name: str, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, Dataset]:
    """Load the encoded training and dev sets of a task; columns as in `encoded`."""
    folder = paths.task_data(study.study, name)

    def make(split: int) -> Callable[[str], Dataset]:
        return lambda cache: encoded(tasks.examples(task_of(study, name))[split], tokenizer, study.corpus.max_length)

    return _once(folder / "train", make(0)), _once(folder / "dev", make(1))


def encoded(frame: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Tokenise a frame of examples, truncated to `max_length` tokens: input_ids, token_type_ids, labels, length.

    Labels are int64 classes, or float32 scores of a regression.
    """
    texts = [list(frame[column]) for column in frame.columns if column != "label"]
    batch = tokenizer(*texts, truncation=True, max_length=max_length, return_attention_mask=False)
    lengths = [len(ids) for ids in batch["input_ids"]]
    return Dataset.from_dict({**batch, "labels": frame.label.to_numpy(), "length": lengths})


def outputs(data: Dataset) -> int:
    """Outputs of a model of encoded examples: one per class, or 1 for a regression."""
    return 1 if data.features["labels"].dtype.startswith("float") else len(data.unique("labels"))
