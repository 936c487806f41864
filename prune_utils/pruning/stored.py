"""Masks and prunable matrices in a checkpoint's files, read without loading the model."""

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from prune_utils.pruning.families import FAMILIES, Family, in_order, words_of
from prune_utils.study.files import read_json
from prune_utils.study.paths import WEIGHTS

MASKS = "masks.safetensors"


def matrices(folder: Path) -> dict[str, Tensor]:
    """Load the prunable matrices of a checkpoint, {name inside the encoder: tensor}, in the model's order.

    These are the matrices for which the checkpoint has a mask.
    """
    prefix, names = encoder(folder), in_order(_masked(folder))
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        return {name: _tensor(file, prefix, name) for name in names}


def matrix(folder: Path, name: str) -> Tensor:
    """Load one matrix of a checkpoint by its name inside the encoder."""
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        return _tensor(file, encoder(folder), name)


def word_embeddings(folder: Path) -> Tensor:
    """Load the word embeddings of a checkpoint, shape (vocabulary, width)."""
    return matrix(folder, words_of(_masked(folder)))


def _masked(folder: Path) -> list[str]:
    with safe_open(folder / MASKS, framework="pt") as file:
        return list(file.metadata() or {})


def _tensor(file, prefix: str, name: str) -> Tensor:
    return file.get_tensor(prefix + name if prefix + name in set(file.keys()) else name)


def _family(config: dict) -> Family:
    return FAMILIES[config["model_type"]]


def encoder(folder: Path) -> str:
    """Return the prefix of the encoder's weights in a checkpoint, such as "bert."; names of masks omit it."""
    return f"{_family(read_json(folder / 'config.json')).encoder}."


def heads(folder: Path) -> int:
    """Return the number of attention heads per layer."""
    config = read_json(folder / "config.json")
    return config[_family(config).config_name("num_attention_heads")]


@cache
def words(folder: Path) -> list[str]:
    """Return the tokens of a checkpoint's vocabulary, in the order of their rows in the word embeddings."""
    known = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return sorted(known, key=known.get)


def packed(mask: Tensor) -> Tensor:
    """Pack a mask of any shape into bytes, eight weights each; the last byte is padded with zeros."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy().ravel()))


def packed_bytes(shape: list[int]) -> int:
    """Return the number of bytes of a packed mask of this shape."""
    return math.ceil(math.prod(shape) / 8)


def unpacked(bits: Tensor, shape: list[int]) -> Tensor:
    """Unpack a mask of this shape. Raises ValueError if the number of bytes does not match."""
    if len(bits) != packed_bytes(shape):  # numpy would silently pad with zeros
        raise ValueError(f"a mask of shape {list(shape)} takes {packed_bytes(shape)} bytes, got {len(bits)}")
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=math.prod(shape)).astype(bool)).view(shape)


def save_masks(masks: dict[str, Tensor], path: Path) -> None:
    """Write {name: bool mask}, packed; the shapes are in the file's metadata."""
    shapes = {name: json.dumps(list(mask.shape)) for name, mask in masks.items()}
    save_file({name: packed(mask) for name, mask in masks.items()}, path, metadata=shapes)


def load_masks(path: Path) -> dict[str, Tensor]:
    """Read the masks written by `save_masks`."""
    with safe_open(path, framework="pt") as file:
        shapes = sorted((file.metadata() or {}).items())
        return {name: unpacked(file.get_tensor(name), json.loads(shape)) for name, shape in shapes}
