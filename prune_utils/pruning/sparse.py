"""A checkpoint's weights stored sparse, read back bit for bit, and how much disk that saves."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from prune_utils.pruning.names import ENCODER
from prune_utils.pruning.stored import MASKS, load_masks, packed, packed_bytes, unpacked
from prune_utils.study.files import whole_file
from prune_utils.study.paths import WEIGHTS
from prune_utils.study.section import ParamsError

FORMAT = "bit mask and kept values"


def save_sparse(folder: Path, path: Path) -> None:
    """Writes the weights of a checkpoint folder sparse, in one safetensors file, whole or not at all.

    A pruned matrix `w` becomes `w#mask`, a bit a weight, and `w#kept`, the values under it in their order; its
    shape is in the metadata. All else stays as it is, and so does a matrix that would be no smaller.
    Raises ParamsError where the folder has no weights or masks that can be read.
    """
    weights, masks = _opened(load_file, folder / WEIGHTS), _opened(load_masks, folder / MASKS)
    with whole_file(path) as unfinished:
        write_sparse(weights, {ENCODER + name: mask for name, mask in masks.items()}, unfinished)


def write_sparse(weights: dict[str, Tensor], masks: dict[str, Tensor], path: Path) -> None:
    """The same for tensors and the masks of some of them, by the same names; a mask without its tensor is not used.

    A weight under the mask that is anything but +0.0, be it -0.0, is kept too: what is read back is the same bits.
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
    """The tensors that were stored, by name, bit for bit. Raises ParamsError for a file that is not of this format."""
    metadata, tensors = _opened(_whole, path)
    if metadata.get("format") != FORMAT:
        raise ParamsError(f"{path}: its format is {metadata.get('format')!r}; allowed is {FORMAT!r}")
    if "shapes" not in metadata:
        raise ParamsError(f"{path}: its metadata has no 'shapes', the shape of each matrix that is stored sparse")
    for name, shape in json.loads(metadata["shapes"]).items():
        bits, kept = (_part(path, tensors, f"{name}#{part}") for part in ("mask", "kept"))
        if len(bits) != packed_bytes(shape):
            raise ParamsError(
                f"{path}: the mask of {name} has {len(bits)} bytes, and its shape {shape} takes {packed_bytes(shape)}"
            )
        mask = unpacked(bits, shape)
        if int(mask.sum()) != len(kept):
            raise ParamsError(f"{path}: the mask of {name} keeps {int(mask.sum())} weights and {len(kept)} are stored")
        tensors[name] = torch.zeros(shape, dtype=kept.dtype)
        tensors[name][mask] = kept
    return tensors


def _part(path: Path, tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise ParamsError(f"{path}: {name} is not in it")
    return tensors.pop(name)


def _whole(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _opened(read, path: Path):
    try:
        return read(path)
    except (OSError, SafetensorError) as error:
        raise ParamsError(f"{path} cannot be read ({error}); it must be a whole safetensors file") from None


def identical(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    """Whether two models have the same tensors: names, types, shapes, and every bit."""
    return ours.keys() == theirs.keys() and all(_same_bits(ours[name], theirs[name]) for name in ours)


def _same_bits(a: Tensor, b: Tensor) -> bool:
    alike = a.dtype == b.dtype and a.shape == b.shape
    return alike and torch.equal(*(t.contiguous().flatten().view(torch.uint8) for t in (a, b)))
