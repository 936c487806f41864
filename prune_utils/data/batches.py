"""Batches of examples: the order in which training reads them, and their padding."""

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset

from prune_utils.data.masked_tokens import IGNORED

STRETCH = 50  # number of batches within which examples are sorted by length


class Rows(torch.utils.data.Dataset):
    """Examples of a data set in a given order, as dicts of arrays and numbers.

    Lists are slices of the buffers that `datasets` maps from the disk: several times as fast as its own rows, and nothing is
    copied. `order`: indices, shape (examples,).
    """

    def __init__(self, data: Dataset, order: np.ndarray):
        self.order, self.columns = np.asarray(order), {}
        table = data.with_format("arrow")[:]
        for name, column in zip(table.column_names, table.columns, strict=True):
            if not pa.types.is_list(column.type):
                self.columns[name] = column.to_numpy()
                continue
            starts = np.cumsum([0, *map(len, column.chunks)])
            # an empty list of no type cannot be had without a copy
            parts = [(part.values.to_numpy(zero_copy_only=False), part.offsets.to_numpy()) for part in column.chunks]
            self.columns[name] = (starts, parts)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, position: int) -> dict:
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: list[int]) -> list[dict]:
        """The examples of a batch; a DataLoader asks for them so."""
        indices = self.order[positions]
        columns = {
            name: _lists(*column, indices) if isinstance(column, tuple) else column[indices]
            for name, column in self.columns.items()
        }
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _lists(starts: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]], indices: np.ndarray) -> list[np.ndarray]:
    """The lists at `indices` of a column in chunks, each with its values and offsets; `starts`: the first index of each."""
    chunks = np.searchsorted(starts, indices, side="right") - 1
    places = indices - starts[chunks]
    return [
        values[offsets[place] : offsets[place + 1]]
        for (values, offsets), place in zip((parts[chunk] for chunk in chunks), places, strict=True)
    ]


def padded(examples: list[dict], padding: int) -> dict[str, torch.Tensor]:
    """Collate examples into one batch of int64 tensors, with an attention mask; scores of a regression are float32.

    Lists are padded to the longest example, on a GPU to a multiple of 8 for its matrix units: shape
    (examples, tokens). Much faster than transformers' collators, which matters for small models.
    """
    columns = {"attention_mask": [[1] * len(example["input_ids"]) for example in examples]}
    columns |= {name: [example[name] for example in examples] for name in examples[0]}
    longest = max(map(len, columns["input_ids"]))
    width = -(-longest // 8) * 8 if torch.cuda.is_available() else longest
    fill = {"input_ids": padding, "labels": IGNORED}
    for name, values in columns.items():
        if isinstance(values[0], list | np.ndarray):
            columns[name] = np.full((len(values), width), fill.get(name, 0), dtype=np.int64)
            for row, value in zip(columns[name], values, strict=True):
                row[: len(value)] = value
        elif isinstance(values[0], float | np.floating):
            columns[name] = np.asarray(values, dtype=np.float32)
    return {name: torch.from_numpy(np.asarray(values)) for name, values in columns.items()}


def lengths_of(data: Dataset) -> np.ndarray:
    """Return the number of tokens of each example, shape (examples,)."""
    return data.select_columns("length").with_format("numpy")[:]["length"]


def training_order(lengths: np.ndarray, batch_size: int, examples: int, seed: int) -> np.ndarray:
    """Return the indices of the examples in the order in which a training run reads them, shape (examples,).

    Each pass over the data is a fresh permutation. The examples of every 50 batches are sorted by length,
    then these batches are shuffled, so that each holds examples of similar length and little padding. One list for
    the whole run makes resuming exact: step t starts at position t · batch_size.
    """
    random = np.random.default_rng(seed)
    passes = -(-examples // len(lengths))
    order = np.concatenate([random.permutation(len(lengths)) for _ in range(passes)])[:examples]
    for start in range(0, examples, STRETCH * batch_size):
        part = order[start : start + STRETCH * batch_size]
        part = part[np.argsort(lengths[part], kind="stable")]
        whole = len(part) // batch_size * batch_size
        batches = random.permutation(part[:whole].reshape(-1, batch_size))
        order[start : start + len(part)] = np.concatenate([batches.ravel(), part[whole:]])
    return order
