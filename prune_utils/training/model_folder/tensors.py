"""Tensors in the files of a model folder, read without executing anything."""

import zipfile
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor

from prune_utils.study.section import ParamsError
from prune_utils.training.model_folder.files import check_no_pointer, read_mapping, refused


def indexed(file: Path) -> dict[str, Tensor]:
    """The tensors that the index of a sharded file names."""
    index = read_mapping(file).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(shard, str) for shard in index.values()):
        raise refused(f"{file} has no weight_map of names to files")
    shards = {shard: tensors(file.parent / shard) for shard in sorted(set(index.values()))}
    return {name: shards[shard][name] for name, shard in index.items() if name in shards[shard]}


def tensors(file: Path) -> dict[str, Tensor]:
    """The tensors in a file, without reading their values where they can be mapped."""
    try:
        check_no_pointer(file)
        if file.suffix == ".safetensors":
            return load_file(file)
        # files of before PyTorch 1.6 are no archives, and cannot be mapped
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except ParamsError:
        raise
    except UnpicklingError:
        raise refused(f"{file} is damaged, or holds more than tensors, and was not executed") from None
    except Exception as error:  # readers of damaged files raise anything, from EOFError to KeyError
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise refused(f"{file} cannot be read as weights ({reason})") from None
    for name, tensor in content.items() if isinstance(content, dict) else [("its content", content)]:
        if not isinstance(tensor, Tensor):
            raise refused(f"{name!r} in {file} is {type(tensor).__name__}; allowed is a dictionary of tensors")
        if tensor.layout != torch.strided or tensor.is_meta:
            raise refused(f"{name} is {short(tensor.layout)} in {file}; allowed are dense tensors")
    return {str(name): tensor.detach() for name, tensor in content.items()}


def short(kind: torch.dtype | torch.layout) -> str:
    """The name of a type without its module."""
    return str(kind).removeprefix("torch.")
