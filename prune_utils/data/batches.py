"""Examples in batches: the order in which they are read, and their padding."""

import numpy as np
import torch
from datasets import Dataset

from prune_utils.data.pairs import IGNORED


def padded(examples: list[dict], padding: int) -> dict[str, torch.Tensor]:
    """Examples as one batch, lists padded to the longest (on a GPU to a multiple of 8, which its matrix units like).

    transformers' collators do the same by way of its tokenizer, in a time that a small model's step would feel.
    """
    longest = max(len(example["input_ids"]) for example in examples)
    width = -(-longest // 8) * 8 if torch.cuda.is_available() else longest
    fill = {"input_ids": padding, "labels": IGNORED}
    batch = {"attention_mask": np.zeros((len(examples), width), dtype=np.int64)}
    for row, example in enumerate(examples):
        batch["attention_mask"][row, : len(example["input_ids"])] = 1
    for name in examples[0]:
        values = [example[name] for example in examples]
        if isinstance(values[0], list):
            rows = np.full((len(values), width), fill.get(name, 0), dtype=np.int64)
            for row, value in zip(rows, values, strict=True):
                row[: len(value)] = value
            values = rows
        batch[name] = np.asarray(values)
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def lengths_of(data: Dataset) -> np.ndarray:
    """The tokens of each example, shape (examples,)."""
    return data.select_columns("length").with_format("numpy")[:]["length"]


def training_order(lengths: np.ndarray, batch_size: int, examples: int, seed: int) -> np.ndarray:
    """The order in which a training reads its examples: shape (examples,), passes over the data laid end to end.

    Each pass is a fresh permutation. Within stretches of 50 batches the examples are sorted by length, so that
    a batch holds like lengths and little padding, and the batches shuffled. One list for the whole training
    makes resuming exact: to go on from step t is to read on from t · batch_size.
    """
    random = np.random.default_rng(seed)
    passes = -(-examples // len(lengths))
    order = np.concatenate([random.permutation(len(lengths)) for _ in range(passes)])[:examples]
    stretch = 50 * batch_size
    for start in range(0, examples, stretch):
        part = order[start : start + stretch]
        part = part[np.argsort(lengths[part], kind="stable")]
        whole = len(part) // batch_size * batch_size
        batches = part[:whole].reshape(-1, batch_size)
        order[start : start + len(part)] = np.concatenate([random.permutation(batches).ravel(), part[whole:]])
    return order
