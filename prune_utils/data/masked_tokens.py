"""Masked tokens: how they are labelled, and the text as it was before masking. Imports neither models nor data sets, which take seconds."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

IGNORED = -100  # label of a token that is not predicted, as in transformers


def unmasked(pair: dict) -> list[int]:
    """The token ids of an example of `pairs.masked` as they were before masking."""
    return [old if new == IGNORED else new for old, new in zip(pair["input_ids"], pair["labels"], strict=True)]


def frequencies(pairs: "Dataset", least: int = 0) -> np.ndarray:
    """How often each token id is in the text of pairs, before masking; shape (ids,), at least `least` of them.

    Reads chunk by chunk, since the pairs of a large corpus do not fit in memory.
    """
    table, counts = pairs.with_format("arrow")[:], np.zeros(least, dtype=np.int64)
    for ids, labels in zip(table["input_ids"].chunks, table["labels"].chunks, strict=True):
        ids, labels = ids.flatten().to_numpy(), labels.flatten().to_numpy()
        found = np.bincount(np.where(labels == IGNORED, ids, labels), minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return counts
