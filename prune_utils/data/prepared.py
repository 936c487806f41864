"""Encoded data sets of a study: made once, by whoever needs them first, and read from disk by all the others."""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

from datasets import Dataset, Features, Sequence, Value, load_from_disk
from transformers import PreTrainedTokenizerBase

from prune_utils.data import tasks, text
from prune_utils.data.pairs import examples
from prune_utils.study import paths
from prune_utils.study.files import alone, whole_folder
from prune_utils.study.schema import Study

SEQUENCE = Sequence(Value("int32"))
PAIR_FEATURES = Features(
    {
        "input_ids": SEQUENCE,
        "token_type_ids": SEQUENCE,
        "labels": SEQUENCE,
        "next_sentence_label": Value("int64"),
        "length": Value("int32"),
    }
)


def _once(folder: Path, make: Callable[[str], Dataset]) -> Dataset:
    """The data set in `folder`, made there first if nobody has; `make` gets a folder for its own cache."""
    if not folder.exists():
        with alone(folder.parent / f".{folder.name}"):
            if not folder.exists():
                with whole_folder(folder) as unfinished, tempfile.TemporaryDirectory(dir=folder.parent) as cache:
                    make(cache).save_to_disk(unfinished)
    return load_from_disk(str(folder))


def pretraining_data(study: Study, held_out: bool = False) -> Dataset:
    """Masked sentence pairs: as many as the longest training reads, or all that `duplicates` readings of the text give."""
    recipe, corpus = study.pretraining, study.corpus
    wanted = recipe.batch_size * max(recipe.burn_in_steps, recipe.steps)

    def generate():
        tokenizer = text.tokenizer(corpus)
        for copy in range(1 if held_out else recipe.duplicates):
            documents = text.documents(corpus, held_out)
            yield from examples(documents, tokenizer, corpus.max_length, recipe, f"pairs {held_out} {copy}")

    def taken():
        yield from generate() if held_out else itertools.islice(generate(), wanted)

    def make(cache: str) -> Dataset:
        # written to disk as it comes: the paper's three million pairs do not fit in memory
        return Dataset.from_generator(taken, features=PAIR_FEATURES, cache_dir=cache, fingerprint="pairs")

    return _once(paths.data(study.study, "held-out" if held_out else "pairs"), make)


def task_data(study: Study, name: str, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, Dataset]:
    """The training and the dev set of a task, encoded: input_ids, token_type_ids, labels, length."""
    folder = paths.task_data(study.study, name)

    def make(split: int) -> Callable[[str], Dataset]:
        return lambda cache: encoded(tasks.examples(study.task(name))[split], tokenizer, study.corpus.max_length)

    return _once(folder / "train", make(0)), _once(folder / "dev", make(1))


def encoded(frame, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    texts = [list(frame[column]) for column in frame.columns if column != "label"]
    encoded = tokenizer(*texts, truncation=True, max_length=max_length, return_attention_mask=False)
    return Dataset.from_dict(
        {
            "input_ids": encoded["input_ids"],
            "token_type_ids": encoded["token_type_ids"],
            "labels": list(frame.label),
            "length": [len(ids) for ids in encoded["input_ids"]],
        }
    )
