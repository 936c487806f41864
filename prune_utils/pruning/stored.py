"""Prunable matrices as a checkpoint's file holds them, read without the seconds that a model takes."""

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from prune_utils.pruning.names import ENCODER, in_order
from prune_utils.study.files import read_json
from prune_utils.study.paths import WEIGHTS


def matrices(folder: Path) -> dict[str, Tensor]:
    """The prunable matrices of a checkpoint, {name inside the encoder: tensor}, in the model's order: those that have
    a mask beside them."""
    with safe_open(folder / MASKS, framework="pt") as file:
        names = in_order(file.metadata() or {})
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        there = set(file.keys())
        return {n: file.get_tensor(ENCODER + n if ENCODER + n in there else n) for n in names}


def matrix(folder: Path, name: str) -> Tensor:
    """One of them."""
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        return file.get_tensor(ENCODER + name if ENCODER + name in set(file.keys()) else name)


def heads(folder: Path) -> int:
    """Attention heads of each layer."""
    return read_json(folder / "config.json")["num_attention_heads"]


@cache
def words(folder: Path) -> list[str]:
    """The tokens of a checkpoint's vocabulary, by their row in the word embeddings."""
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    known = content["model"]["vocab"] | {token["content"]: token["id"] for token in content["added_tokens"]}
    return sorted(known, key=known.get)


MASKS = "masks.safetensors"


def packed(mask: Tensor) -> Tensor:
    """A mask of any shape as bytes, eight weights each, the last one filled up with zeros."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy().ravel()))


def packed_bytes(shape: list[int]) -> int:
    """That a mask of a `shape` takes."""
    return math.ceil(math.prod(shape) / 8)


def unpacked(bits: Tensor, shape: list[int]) -> Tensor:
    """The mask of a `shape` that was `packed`. Raises ValueError for bytes that are more or fewer than it takes."""
    if len(bits) != packed_bytes(shape):  # numpy would fill it up with zeros
        raise ValueError(f"a mask of shape {list(shape)} takes {packed_bytes(shape)} bytes, not {len(bits)}")
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=int(np.prod(shape))).astype(bool)).view(shape)


def save_masks(masks: dict[str, Tensor], path: Path) -> None:
    """Writes {name: bool mask}; the shapes are in the file's metadata."""
    shapes = {name: json.dumps(list(mask.shape)) for name, mask in masks.items()}
    save_file({name: packed(mask) for name, mask in masks.items()}, path, metadata=shapes)


def load_masks(path: Path) -> dict[str, Tensor]:
    """The masks that `save_masks` wrote."""
    with safe_open(path, framework="pt") as file:
        shapes = sorted((file.metadata() or {}).items())
        return {name: unpacked(file.get_tensor(name), json.loads(shape)) for name, shape in shapes}
