"""config.json of a pre-trained model: the fields that training uses, and those that it cannot follow."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from prune_utils.data.inputs import place
from prune_utils.pruning.families import FAMILIES, REFUSED, Family
from prune_utils.study.schema import Study
from prune_utils.study.section import Dropout, Positive, Section
from prune_utils.training.model_folder.files import contents, first, read_mapping, refused

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

CONFIGS = ("config.json", "bert_config.json")
Size = Annotated[int, Field(ge=1, le=2**24)]  # more would overflow a tensor
SPECIAL_IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
ALLOWED = ", ".join(map(repr, FAMILIES))
ACTIVATIONS = Literal[
    "gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "swish", "tanh"
]
# fields that change what an encoder computes, each with the values that do not; the last one is named in messages
PLAIN: dict[str, tuple] = {
    "position_embedding_type": (None, "absolute"),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "is_encoder_decoder": (None, False),
    "quantization_config": (None,),
    "pruned_heads": (None, [], {}),
}


class Common(Section, extra="ignore"):
    """The fields of config.json that training uses and most families have, under BERT's names."""

    vocab_size: Size
    hidden_size: Size
    num_hidden_layers: Size
    num_attention_heads: Size
    intermediate_size: Size
    max_position_embeddings: Size = 512
    type_vocab_size: Size = 2
    hidden_act: ACTIVATIONS = "gelu"
    layer_norm_eps: Positive = 1e-12
    hidden_dropout_prob: Dropout = 0.1
    attention_probs_dropout_prob: Dropout = 0.1
    initializer_range: Positive = 0.02
    embedding_size: Size | None = None  # where word embeddings are factorised


class Fields(Common):
    """The fields of a model's config that training uses; any other is a leftover of the model's last use."""

    kind: str = "bert"  # one of FAMILIES
    also: dict[str, Any] = {}  # fields that only this family has
    padding: int | None = None  # the id of the padding token, where positions are counted from it

    @property
    def family(self) -> Family:
        return FAMILIES[self.kind]

    def configuration(self, **more: Any) -> "PreTrainedConfig":
        """The config of transformers with these fields and no others, but for `more`."""
        from transformers import AutoConfig  # imported here because it takes seconds

        own = {self.family.config_name(name): getattr(self, name) for name in Common.model_fields}
        own.pop(None, None)
        return AutoConfig.for_model(self.kind, **own | self.also | more)


def new_fields(study: Study, tokenizer: "PreTrainedTokenizerBase") -> Fields:
    """The fields of a new model of the shape that the params give."""
    shape, kind = study.model, study.model.family or "bert"
    family, width = FAMILIES[kind], shape.hidden_size
    padding = tokenizer.pad_token_id if family.offset else None
    found = Fields(
        kind=kind,
        padding=padding,
        vocab_size=len(tokenizer),
        max_position_embeddings=positions(study) + (padding + 1 if family.offset else 0),
        hidden_size=width,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        intermediate_size=shape.intermediate_size,
        type_vocab_size=2 if family.segments else 1,
        embedding_size=(shape.embedding_size or width) if family.factorised else None,
    )
    _check_shape(found, "the section", "model")
    return found


def folder_of(study: Study) -> Path | None:
    """The folder of `model.pretrained`, also in the hub's cache; None for a new model, and for one that is not here.

    Raises ParamsError for a file.
    """
    path = place(study, "model.pretrained")
    if path is None:
        return None
    if not path.is_dir():
        raise refused(f"{path} is a file; allowed is the folder of a model")
    if not os.access(path, os.R_OK | os.X_OK):
        raise refused(f"{path} may not be read by this user")
    return path


def positions(study: Study) -> int:
    """Tokens of the longest sequence: batches on a GPU are padded to a multiple of 8."""
    return -(-study.corpus.max_length // 8) * 8


def written(folder: Path) -> dict[str, Any]:
    """The content of a folder's config.json. Raises ParamsError if there is none, or none that can be read."""
    file = first(folder, CONFIGS)
    if file is None:
        raise refused(f"{folder} has no config.json; found: {contents(folder)}")
    return read_mapping(file)


def fields(content: dict[str, Any], where: Path | str) -> Fields:
    """The fields that training uses, from the content of a config.json.

    Without `model_type`, it is taken for that of a BERT if its fields are. Raises ParamsError for a family that is not
    supported, and for fields that change what its encoder computes or cannot be right. `where` is named in the message.
    """
    kind, made, of = content.get("model_type"), content.get("architectures"), f"the config of {where}"
    named = [str(name) for name in (made if isinstance(made, list) else [made]) if name]
    if kind is None and not all(name.startswith("Bert") for name in named):
        raise refused(f"{of} is of architecture {', '.join(named)}; allowed is model_type {ALLOWED}")
    if kind not in (None, *FAMILIES):
        reason = f", which is refused because {REFUSED[kind]}" if isinstance(kind, str) and kind in REFUSED else ""
        raise refused(f"{of} is of type {kind!r}{reason}; allowed is type {ALLOWED}")
    for name, values in PLAIN.items():
        if content.get(name) not in values:
            raise refused(f"{of} has {name} {content[name]!r}; allowed is {values[-1]!r}")
    family = FAMILIES[kind or "bert"]
    own = {name: family.config_name(name) for name in Common.model_fields}
    given: dict[str, Any] = {name: content[key] for name, key in own.items() if key in content}
    given |= {"kind": kind or "bert", "also": {name: content[name] for name in family.also if name in content}}
    if family.offset:
        given["padding"] = content.get("pad_token_id", 1)
    try:
        found = Fields.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(_fault(fault, own | {"padding": "pad_token_id"}) for fault in error.errors())
        raise refused(f"{of} is not that of {family.one}: {faults}") from None
    _check_shape(found, of)
    return found


def _check_shape(found: Fields, of: str, key: str = "model.pretrained") -> None:
    family, width, heads = found.family, found.hidden_size, found.num_attention_heads
    if width % heads:
        own = family.config_name
        allowed = f"allowed is a multiple of {own('num_attention_heads')}, {heads}"
        raise refused(f"{of} has {own('hidden_size')} {width}; {allowed}", key)
    if family.rotary and width // heads % 2:
        raise refused(f"{of} has heads of {width // heads} dimensions; allowed in {family.one} is an even number", key)
    if family.segments and found.type_vocab_size < 2:
        raise refused(
            f"{of} says type_vocab_size is {found.type_vocab_size}; allowed are 2, the segments of a pair", key
        )
    if family.factorised and found.embedding_size is None:
        raise refused(f"{of} is not that of {family.one}: embedding_size is missing", key)


def _fault(fault: dict, own: dict[str, str | None]) -> str:
    name, said = ".".join(own.get(part) or str(part) for part in fault["loc"]), fault["msg"]
    said = said[:1].lower() + said[1:]
    return f"{name} is missing" if fault["type"] == "missing" else f"{name} is {fault['input']!r}, {said}"
