"""A sparse file format for a checkpoint's weights that restores every bit."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from prune_utils.pruning.stored import MASKS, encoder, load_masks, packed, unpacked
from prune_utils.study.files import whole_file
from prune_utils.study.paths import WEIGHTS
from prune_utils.study.section import ParamsError

FORMAT = "bit mask and kept values"


def save_sparse(folder: Path, path: Path) -> None:
    """Write the weights of a checkpoint folder to one sparse safetensors file, completely or not at all.

    A pruned matrix `w` becomes `w#mask`, one bit per weight, and `w#kept`, the kept values in order; its shape is
    in the metadata. Matrices that would not become smaller, and all other tensors, are stored unchanged.
    Raises ParamsError if the weights or masks of the folder cannot be read.
    """
    weights, masks = _opened(load_file, folder / WEIGHTS), _opened(load_masks, folder / MASKS)
    prefix = encoder(folder)
    with whole_file(path) as unfinished:
        write_sparse(weights, {prefix + name: mask for name, mask in masks.items()}, unfinished)


def write_sparse(weights: dict[str, Tensor], masks: dict[str, Tensor], path: Path) -> None:
    """Write tensors to a sparse file; see `save_sparse`. `masks` may cover only some; others are ignored.

    A pruned weight with any value but +0.0 (such as -0.0) is kept as well, so that every bit can be restored.
    """
    tensors, shapes = {}, {}
    for name, weight in weights.items():
        parts = _parts(weight, masks[name]) if name in masks and weight.numel() else {}
        if parts and sum(part.nbytes for part in parts.values()) < weight.nbytes:
            tensors |= {f"{name}#{part}": values for part, values in parts.items()}
            shapes[name] = list(weight.shape)
        else:
            tensors[name] = weight.contiguous()
    save_file(tensors, path, metadata={"format": FORMAT, "shapes": json.dumps(shapes)})


def _parts(weight: Tensor, mask: Tensor) -> dict[str, Tensor]:
    flat = weight.contiguous().flatten()
    kept = mask.cpu().flatten() | (flat.view(torch.uint8).view(len(flat), -1) != 0).any(1)
    return {"mask": packed(kept), "kept": flat[kept]}


def load_sparse(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a sparse file by name, bit for bit. Raises ParamsError if the file is not valid."""
    metadata, tensors = _opened(_whole, path)
    if metadata.get("format") != FORMAT:
        raise ParamsError(f"{path} has format {metadata.get('format')!r}, expected {FORMAT!r}")
    if "shapes" not in metadata:
        raise ParamsError(f"{path} has no 'shapes' in its metadata, so sparse matrices cannot be restored")
    for name, shape in json.loads(metadata["shapes"]).items():
        parts = [f"{name}#{part}" for part in ("mask", "kept")]
        if missing := [part for part in parts if part not in tensors]:
            raise ParamsError(f"{path} has no tensor {missing[0]}")
        bits, kept = map(tensors.pop, parts)
        try:
            mask = unpacked(bits, shape)
        except ValueError as error:
            raise ParamsError(f"{path}: the mask of {name} does not match its shape: {error}") from None
        if int(mask.sum()) != len(kept):
            raise ParamsError(f"{path}: the mask of {name} keeps {int(mask.sum())} weights, but {len(kept)} are stored")
        tensors[name] = torch.zeros(shape, dtype=kept.dtype)
        tensors[name][mask] = kept
    return tensors


def _whole(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _opened(read: Callable, path: Path):
    try:
        return read(path)
    except (OSError, SafetensorError) as error:
        raise ParamsError(f"{path} cannot be read as a complete safetensors file: {error}") from None


def identical(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    """Return whether two models have the same tensors: names, dtypes, shapes, and every bit."""
    return ours.keys() == theirs.keys() and all(_same_bits(ours[name], theirs[name]) for name in ours)


def _same_bits(a: Tensor, b: Tensor) -> bool:
    alike = a.dtype == b.dtype and a.shape == b.shape
    return alike and torch.equal(*(t.contiguous().flatten().view(torch.uint8) for t in (a, b)))
