"""Weights of a model folder under BERT's names, whatever file, wrapper or version of transformers they are from."""

import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import BertConfig, BertForPreTraining

from prune_utils.data.rows.lines import shown
from prune_utils.study.section import ParamsError
from prune_utils.training.model_folder.config import Fields, check_no_pointer, contents, first, read_mapping, refused

FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
# parts of names that wrap a model: DataParallel, Lightning, compile, FSDP, activation checkpoints, transformers
WRAPPERS = ("module", "model", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "bert")
OLD = {"gamma": "weight", "beta": "bias"}  # a LayerNorm's weights in old files
BUFFERS = ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids")
OPTIONAL = ("bert.pooler.", "cls.predictions.", "cls.seq_relationship.")  # each may be missing, as a whole
LAYER = "bert.encoder.layer."
BIAS, DECODER_BIAS = "cls.predictions.bias", "cls.predictions.decoder.bias"
TIED = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight", DECODER_BIAS: BIAS}


class Fitting(NamedTuple):
    """The tensors of a folder that fit a BERT, by its names, the parts that it lacks, and the tensors it does not use."""

    file: Path
    parts: dict[str, Tensor]  # mapped into memory where the format allows it, so read on demand
    new: list[str]
    unused: list[str]
    masked: int  # tensors to which a mask of torch.nn.utils.prune was applied


def fitting(folder: Path, fields: Fields) -> Fitting:
    """Fit the tensors of a folder to the BERT of its config, by headers alone.

    Raises ParamsError if they cannot be read, or a tensor of the encoder is missing, of another shape, not of floats,
    or unknown to a BERT of this shape. Only the pooler and the heads may be missing, and each as a whole.
    """
    file = first(folder, FILES)
    if file is None:
        raise refused(f"{folder} has no weights; allowed are {', '.join(FILES)}; found: {contents(folder)}")
    stored = _renamed(_indexed(file) if file.suffix == ".json" else _tensors(file), file)
    masked = _unmask(stored, file)
    if BIAS not in stored and DECODER_BIAS in stored:
        stored[BIAS] = stored[DECODER_BIAS]
    layers, said = len({name.split(".")[3] for name in stored if name.startswith(LAYER)}), fields.num_hidden_layers
    if layers != said:
        raise refused(f"{file} has {layers} layers named {LAYER}0..., its config says {said}; it has {some(stored)}")
    wanted = skeleton(fields).state_dict()
    new = new_parts(wanted, stored, file)
    parts = {name: stored[name] for name in wanted if name in stored}
    for name, part in parts.items():
        shape, theirs = tuple(part.shape), tuple(wanted[name].shape)
        if shape != theirs:
            raise refused(f"{name} has shape {shape} in {file}; its config makes it {theirs}")
        if part.dtype not in FLOATS:
            raise refused(f"{name} is {short(part.dtype)} in {file}; allowed: {', '.join(map(short, FLOATS))}")
    return Fitting(file, parts, new, sorted(stored.keys() - wanted.keys() - {*BUFFERS}), masked)


def weights(found: Fitting) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights that fit, one at a time, as float32. The decoder's are those of the embeddings, to be tied.

    Raises ParamsError if a weight is not finite, or the decoder differs from the word embeddings: pruning prunes the
    decoder with them. Raises it after the last one if no matrix has two values.
    """
    trained = False
    for name, part in found.parts.items():
        tensor = part.float()
        if not torch.isfinite(tensor).all():
            raise refused(f"{name} in {found.file} has values that are not finite as float32")
        trained = trained or tensor.dim() == 2 and bool(tensor.min() < tensor.max())
        twin = found.parts.get(TIED.get(name))
        if twin is None:
            yield name, tensor
        elif not torch.equal(tensor, twin.float()):
            allowed = "allowed is a decoder tied to the word embeddings, or none"
            raise refused(f"{name} in {found.file} differs from {TIED[name]}; {allowed}")
    if not trained:
        raise refused(
            f"all matrices in {found.file} have one value throughout; allowed are the weights of a trained model"
        )


def new_parts(wanted: Collection[str], found: Collection[str], where: Path | str) -> list[str]:
    """The parts of a BERT with tensors `wanted` that a model with tensors `found` lacks: pooler or heads.

    Raises ParamsError if it lacks anything else, or has more in these parts or the encoder.
    """
    missing = {name for name in wanted if name not in found and name not in TIED}
    whole = {part: {name for name in wanted if name.startswith(part)} - TIED.keys() for part in OPTIONAL}
    new = [part for part, names in whole.items() if names <= missing]
    if lost := sorted(name for name in missing if not name.startswith(tuple(new))):
        raise refused(f"{where} lacks weights of a BERT: {some(lost)}; it has {some(found)}")
    own = {name for name in found if name.startswith(("bert.", *OPTIONAL))}
    if strange := sorted(own - {*wanted, *BUFFERS}):
        raise refused(f"{where} has weights that a BERT of its config has not: {some(strange)}")
    return [part.strip(".") for part in new]


def skeleton(fields: Fields) -> BertForPreTraining:
    """The BERT of a config, without memory for its weights."""
    with torch.device("meta"):
        return BertForPreTraining(BertConfig(**fields.model_dump()))


def some(names: Iterable[str]) -> str:
    """The first names and the number of the others, for a message."""
    return shown(sorted(names), 3) or "no tensors"


def _indexed(file: Path) -> dict[str, Tensor]:
    """The tensors that the index of a sharded file names."""
    index = read_mapping(file).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(shard, str) for shard in index.values()):
        raise refused(f"{file} has no weight_map of names to files")
    shards = {shard: _tensors(file.parent / shard) for shard in sorted(set(index.values()))}
    return {name: shards[shard][name] for name, shard in index.items() if name in shards[shard]}


def _tensors(file: Path) -> dict[str, Tensor]:
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


def _renamed(stored: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, part in stored.items():
        if (new := bert_name(name)) in found:
            raise refused(f"{file} has two tensors for {new}, one of them {name}")
        found[new] = part
    return found


def bert_name(name: str) -> str:
    """The name of a tensor in today's BertForPreTraining: without wrappers, the encoder under `bert`."""
    words = [word for word in name.split(".") if word not in WRAPPERS] or [name]
    if words[-1] in OLD and words[-2:-1] == ["LayerNorm"]:
        words[-1] = OLD[words[-1]]
    return ".".join(["bert", *words] if words[0] in ("embeddings", "encoder", "pooler") else words)


def _unmask(stored: dict[str, Tensor], file: Path) -> int:
    """Apply the masks of torch.nn.utils.prune, which keeps `weight_orig` and `weight_mask`; return their number."""
    originals = [name for name in stored if name.endswith("_orig")]
    for name in originals:
        plain = name.removesuffix("_orig")
        values, mask = stored.pop(name), stored.pop(f"{plain}_mask", None)
        if mask is None or mask.shape != values.shape or plain in stored:
            raise refused(f"{name} in {file} needs {plain}_mask of its shape, and no {plain} beside it")
        if not ((mask.float() == 0) | (mask.float() == 1)).all():
            raise refused(f"{plain}_mask in {file} has values other than 0 and 1")
        stored[plain] = values * mask.to(values.dtype) if values.dtype in FLOATS else values
    return len(originals)
