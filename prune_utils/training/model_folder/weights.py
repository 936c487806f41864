"""Weights of a model folder under today's names, for any file, wrapper or version of transformers."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from prune_utils.data.rows.lines import shown
from prune_utils.pruning.families import Family
from prune_utils.training.model_folder.config import SPECIAL_IDS, Fields
from prune_utils.training.model_folder.files import contents, first, refused
from prune_utils.training.model_folder.tensors import indexed, short, tensors

FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
# parts of names that wrap a model: DataParallel, Lightning, compile, FSDP, activation checkpoints, transformers
WRAPPERS = ("module", "model", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
OLD = {"gamma": "weight", "beta": "bias"}  # a LayerNorm's weights in old files
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
POOLER = "pooler"


class Fitting(NamedTuple):
    """The tensors of a folder that fit a model, by its names, the parts that it lacks, and the tensors it does not use."""

    file: Path
    tied: dict[str, str]  # names of tensors that are others' twins, such as the decoder's
    parts: dict[str, Tensor]  # mapped into memory where the format allows it, so read on demand
    new: list[str]
    unused: list[str]
    masked: int  # tensors to which a mask of torch.nn.utils.prune was applied


def fitting(folder: Path, fields: Fields) -> Fitting:
    """Fit the tensors of a folder to the model of its config, by headers alone.

    Raises ParamsError if they cannot be read, or a tensor of the encoder is missing, of another shape, not of floats,
    or unknown to a model of this shape. Only the pooler and the heads may be missing, and each as a whole.
    """
    file = first(folder, FILES)
    if file is None:
        raise refused(f"{folder} has no weights; allowed are {', '.join(FILES)}; found: {contents(folder)}")
    family = fields.family
    stored = _renamed(indexed(file) if file.suffix == ".json" else tensors(file), file, family)
    masked = _unmask(stored, file)
    layer = f"{family.encoder}.{family.layers}."
    layers = len({name.removeprefix(layer).split(".")[0] for name in stored if name.startswith(layer)})
    if layers != fields.num_hidden_layers:
        said = f"its config says {fields.num_hidden_layers}; it has {some(stored)}"
        raise refused(f"{file} has {layers} layers named {layer}0..., {said}")
    model = skeleton(fields)
    wanted, tied = model.state_dict(), dict(model.all_tied_weights_keys)
    for twin, name in tied.items():
        if name.endswith("bias") and name not in stored and twin in stored:
            stored[name] = stored[twin]
    new = new_parts(wanted, tied, stored, file, family)
    parts = {name: stored[name] for name in wanted if name in stored and not name.startswith(tuple(new))}
    for name, part in parts.items():
        shape, theirs = tuple(part.shape), tuple(wanted[name].shape)
        if shape != theirs:
            raise refused(f"{name} has shape {shape} in {file}; its config makes it {theirs}")
        if part.dtype not in FLOATS:
            raise refused(f"{name} is {short(part.dtype)} in {file}; allowed: {', '.join(map(short, FLOATS))}")
    unused = sorted(stored.keys() - parts.keys() - buffers(family))
    return Fitting(file, tied, parts, [part.strip(".") for part in new], unused, masked)


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
        twin = found.parts.get(found.tied.get(name))
        if twin is None:
            yield name, tensor
        elif not torch.equal(tensor, twin.float()):
            allowed = "allowed is a decoder tied to the word embeddings, or none"
            raise refused(f"{name} in {found.file} differs from {found.tied[name]}; {allowed}")
    if not trained:
        raise refused(
            f"all matrices in {found.file} have one value throughout; allowed are the weights of a trained model"
        )


def new_parts(
    wanted: Collection[str], tied: Collection[str], found: Collection[str], where: Path | str, family: Family
) -> list[str]:
    """The prefixes of the parts of a model with tensors `wanted` that one with tensors `found` lacks: pooler or heads.

    A head without its last module is new as a whole: in a classifier, modules of its name have another purpose.
    Raises ParamsError if it lacks anything else, or has more in these parts or the encoder.
    """
    encoder = f"{family.encoder}."
    heads = [tuple(f"{module}." for module in family.head)]
    heads += [(f"{family.next_sentence}.",)] if family.next_sentence else []
    heads += [(f"{encoder}{POOLER}.",)] if POOLER in family.outside else []
    own = {name for name in wanted if name not in tied}
    missing, new = {name for name in own if name not in found}, []
    for head in heads:
        last = next(names for module in reversed(head) if (names := {name for name in own if name.startswith(module)}))
        new += head if last <= missing else []
    if lost := sorted(name for name in missing if not name.startswith(tuple(new))):
        raise refused(f"{where} lacks weights of {family.one}: {some(lost)}; it has {some(found)}")
    parts = tuple(module for head in heads for module in head if module not in new)
    known = {*wanted, *buffers(family)}
    if POOLER not in family.outside:
        known |= {name for name in found if name.startswith(f"{encoder}{POOLER}.")}
    if strange := sorted({name for name in found if name.startswith((encoder, *parts))} - known):
        raise refused(f"{where} has weights that {family.one} of its config does not have: {some(strange)}")
    return [part for part in new if any(name.startswith(part) for name in wanted)]


def buffers(family: Family) -> set[str]:
    """Tensors of old files that are no weights."""
    return {f"{family.encoder}.{name}" for name in BUFFERS}


def skeleton(fields: Fields) -> PreTrainedModel:
    """The model of a config, without memory for its weights. Raises ParamsError if there can be none."""
    try:
        with torch.device("meta"):
            return getattr(transformers, fields.family.trained)(fields.configuration(**dict.fromkeys(SPECIAL_IDS, 0)))
    except Exception as error:  # transformers raises anything for fields that only one family has
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise refused(f"the config makes no {fields.family.title} ({reason})") from None


def some(names: Iterable[str]) -> str:
    """The first names and the number of the others, for a message."""
    return shown(sorted(names), 3) or "no tensors"


def _renamed(stored: dict[str, Tensor], file: Path, family: Family) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, part in stored.items():
        if (new := own_name(name, family)) in found:
            raise refused(f"{file} has two tensors for {new}, one of them {name}")
        found[new] = part
    return found


def own_name(name: str, family: Family) -> str:
    """The name of a tensor in today's model of a family: without wrappers, the encoder under its prefix."""
    words = [word for word in name.split(".") if word not in (*WRAPPERS, family.encoder)] or [name]
    if words[-1] in OLD and words[-2:-1] == ["LayerNorm"]:
        words[-1] = OLD[words[-1]]
    return ".".join([family.encoder, *words] if words[0] in family.modules else words)


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
