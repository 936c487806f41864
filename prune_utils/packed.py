"""Masks on disk: a bit a weight."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

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
