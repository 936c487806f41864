"""Weights of a model folder under BERT's names, whatever file, wrapper or version of transformers they are from."""

import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import BertConfig, BertForPreTraining

from prune_utils.study.section import ParamsError
from prune_utils.training.model_folder.config import Fields, check_no_pointer, contents, first, read_mapping, refused

FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
FLOATS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}  # safetensors' names, torch's
# parts of names that wrap a model: DataParallel, Lightning, compile, FSDP, activation checkpoints, transformers
WRAPPERS = ("module", "model", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "bert")
OLD = {"gamma": "weight", "beta": "bias"}  # a LayerNorm's weights in old files
BUFFERS = ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids")
OPTIONAL = ("bert.pooler.", "cls.predictions.", "cls.seq_relationship.")  # each may be missing, as a whole
LAYER = "bert.encoder.layer."
BIAS, DECODER_BIAS = "cls.predictions.bias", "cls.predictions.decoder.bias"
TIED = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight", DECODER_BIAS: BIAS}


class Stored(NamedTuple):
    """A tensor in a file, read on demand; `masked` if a mask of torch.nn.utils.prune applies to it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Tensor]
    masked: bool = False


class Fitting(NamedTuple):
    """The tensors of a folder that fit a BERT, by its names, the parts that it lacks, and the tensors it does not use."""

    file: Path
    parts: dict[str, Stored]
    new: list[str]
    unused: list[str]


def fitting(folder: Path, fields: Fields) -> Fitting:
    """Fit the tensors of a folder to the BERT of its config, by headers alone.

    Raises ParamsError if they cannot be read, or a tensor of the encoder is missing, of another shape, not of floats,
    or unknown to a BERT of this shape. Only the pooler and the heads may be missing, and each as a whole.
    """
    file = first(folder, FILES)
    if file is None:
        raise refused(f"{folder} has no weights; allowed are {', '.join(FILES)}; found: {contents(folder)}")
    stored = _unmasked(_renamed(_indexed(file) if file.suffix == ".json" else _headers(file), file), file)
    if BIAS not in stored and DECODER_BIAS in stored:
        stored[BIAS] = stored[DECODER_BIAS]
    layers = len({name.split(".")[3] for name in stored if name.startswith(LAYER)})
    if layers != (said := fields.num_hidden_layers):
        raise refused(
            f"{file} has {layers} layers named {LAYER}0..., its config says {said}; it has {some(sorted(stored))}"
        )
    wanted = {name: tuple(tensor.shape) for name, tensor in skeleton(fields).state_dict().items()}
    new = new_parts(wanted, stored, file)
    parts = {name: stored[name] for name in wanted if name in stored}
    for name, part in parts.items():
        if part.shape != wanted[name]:
            raise refused(f"{name} has shape {part.shape} in {file}; its config makes it {wanted[name]}")
        if part.dtype not in FLOATS.values():
            raise refused(f"{name} is {part.dtype} in {file}; allowed: {', '.join(FLOATS.values())}, not quantised")
    return Fitting(file, parts, new, unused=sorted(stored.keys() - wanted.keys() - {*BUFFERS}))


def weights(found: Fitting) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights that fit, one at a time, as float32. The decoder's are those of the embeddings, to be tied.

    Raises ParamsError if a weight is not finite, or the decoder differs from the word embeddings: pruning prunes the
    decoder with them.
    """
    for name, part in found.parts.items():
        tensor = part.read().float()
        if not torch.isfinite(tensor).all():
            raise refused(f"{name} in {found.file} has values that are not finite as float32")
        twin = found.parts.get(TIED.get(name))
        if twin is None:
            yield name, tensor
        elif not torch.equal(tensor, twin.read().float()):
            raise refused(
                f"{name} in {found.file} differs from {TIED[name]}; allowed is a decoder tied to the word embeddings, or none"
            )


def new_parts(wanted: Collection[str], found: Collection[str], where: Path | str) -> list[str]:
    """The parts of a BERT with tensors `wanted` that a model with tensors `found` lacks: pooler or heads.

    Raises ParamsError if it lacks anything else, or has more in these parts or the encoder.
    """
    missing = {name for name in wanted if name not in found and name not in TIED}
    whole = {part: {name for name in wanted if name.startswith(part)} - TIED.keys() for part in OPTIONAL}
    new = [part for part, names in whole.items() if names <= missing]
    if lost := sorted(name for name in missing if not name.startswith(tuple(new))):
        raise refused(f"{where} lacks weights of a BERT: {some(lost)}; it has {some(sorted(found))}")
    own = {name for name in found if name.startswith(("bert.", *OPTIONAL))}
    if strange := sorted(own - {*wanted, *BUFFERS}):
        raise refused(f"{where} has weights that a BERT of its config has not: {some(strange)}")
    return [part.strip(".") for part in new]


def skeleton(fields: Fields) -> BertForPreTraining:
    """The BERT of a config, without memory for its weights."""
    with torch.device("meta"):
        return BertForPreTraining(BertConfig(**fields.model_dump()))


def some(names: list[str], most: int = 3) -> str:
    """The first names and the number of the others, for a message."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "no tensors"


def _indexed(file: Path) -> dict[str, Stored]:
    """The tensors that the index of a sharded file names."""
    index = read_mapping(file).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(shard, str) for shard in index.values()):
        raise refused(f"{file} has no weight_map of names to files")
    shards = {name: _headers(file.parent / name) for name in sorted(set(index.values()))}
    for name, shard in index.items():
        if name not in shards[shard]:
            raise refused(f"{file} says that {name} is in {shard}, which has {some(sorted(shards[shard]))}")
    return {name: shards[shard][name] for name, shard in index.items()}


def _headers(file: Path) -> dict[str, Stored]:
    """Name, shape and type of every tensor in a file, without reading their values."""
    try:
        check_no_pointer(file)
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as opened:
                return {name: _slice(opened.get_slice(name)) for name in opened.keys()}  # noqa: SIM118 (not a dict)
        # files of before PyTorch 1.6 are no archives, and cannot be mapped
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
        entries = content.items() if isinstance(content, dict) else [("its content", content)]
        for name, tensor in entries:
            if not isinstance(tensor, Tensor):
                raise refused(f"{name!r} in {file} is {type(tensor).__name__}; allowed is a dictionary of tensors")
        return {str(name): _tensor(tensor.detach()) for name, tensor in entries}
    except ParamsError:
        raise
    except UnpicklingError:
        raise refused(f"{file} is damaged, or holds more than tensors, and was not executed") from None
    except Exception as error:  # readers of damaged files raise anything, from EOFError to KeyError
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise refused(f"{file} cannot be read as weights ({reason})") from None


def _slice(part) -> Stored:
    return Stored(tuple(part.get_shape()), FLOATS.get(part.get_dtype(), part.get_dtype()), lambda: part[...])


def _tensor(tensor: Tensor) -> Stored:
    plain = tensor.layout == torch.strided and not tensor.is_meta
    dtype = str(tensor.dtype if plain else tensor.layout).removeprefix("torch.")
    return Stored(tuple(tensor.shape), dtype, lambda: tensor)


def _renamed(stored: dict[str, Stored], file: Path) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
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


def _unmasked(stored: dict[str, Stored], file: Path) -> dict[str, Stored]:
    """The tensors with the masks of torch.nn.utils.prune applied, which keeps `weight_orig` and `weight_mask`."""
    found = dict(stored)
    for name in [name for name in stored if name.endswith("_orig")]:
        plain = name.removesuffix("_orig")
        values, mask = found.pop(name), found.pop(f"{plain}_mask", None)
        if mask is None or mask.shape != values.shape or plain in found:
            raise refused(f"{name} in {file} needs {plain}_mask of its shape, and no {plain} beside it")

        def read(values: Stored = values, mask: Stored = mask, name: str = plain) -> Tensor:
            kept = mask.read().float()
            if not ((kept == 0) | (kept == 1)).all():
                raise refused(f"{name}_mask in {file} has values other than 0 and 1")
            return values.read() * kept

        found[plain] = Stored(values.shape, values.dtype, read, masked=True)
    return found
