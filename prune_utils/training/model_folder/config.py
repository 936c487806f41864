"""config.json of a pre-trained model: the fields that training uses, and those that it cannot follow."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from prune_utils.data.inputs import place
from prune_utils.data.rows.lines import shown
from prune_utils.study.schema import Study
from prune_utils.study.section import Dropout, ParamsError, Positive, Section

CONFIGS = ("config.json", "bert_config.json")
Size = Annotated[int, Field(ge=1, le=2**24)]  # more would overflow a tensor
POINTER = b"version https://git-lfs"
ACTIVATIONS = Literal[
    "gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "swish", "tanh"
]
# fields that change what a BERT computes, each with the values that do not; the last one is named in messages
PLAIN: dict[str, tuple] = {
    "position_embedding_type": (None, "absolute"),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "is_encoder_decoder": (None, False),
    "quantization_config": (None,),
    "pruned_heads": (None, [], {}),
}


class Fields(Section, extra="ignore"):
    """The fields of config.json that training uses; any other is a leftover of the model's last use."""

    vocab_size: Size
    hidden_size: Size
    num_hidden_layers: Size
    num_attention_heads: Size
    intermediate_size: Size
    max_position_embeddings: Size = 512
    type_vocab_size: Annotated[Size, Field(ge=2)] = 2  # the segments of a pair
    hidden_act: ACTIVATIONS = "gelu"
    layer_norm_eps: Positive = 1e-12
    hidden_dropout_prob: Dropout = 0.1
    attention_probs_dropout_prob: Dropout = 0.1
    initializer_range: Positive = 0.02


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
    """Positions that the model of a study needs: batches on a GPU are padded to a multiple of 8."""
    return -(-study.corpus.max_length // 8) * 8


def written(folder: Path) -> dict[str, Any]:
    """The content of a folder's config.json. Raises ParamsError if there is none, or none that can be read."""
    file = first(folder, CONFIGS)
    if file is None:
        raise refused(f"{folder} has no config.json; found: {contents(folder)}")
    return read_mapping(file)


def fields(content: dict[str, Any], where: Path | str) -> Fields:
    """The fields that training uses, from the content of a config.json.

    Without `model_type`, it is taken for that of a BERT if its fields are. Raises ParamsError for another family, and
    for fields that change what a BERT computes or cannot be right. `where` is named in the message.
    """
    kind, made, of = content.get("model_type"), content.get("architectures"), f"the config of {where}"
    named = [str(name) for name in (made if isinstance(made, list) else [made]) if name]
    if kind is None and not all(name.startswith("Bert") for name in named):
        raise refused(f"{of} is of architecture {', '.join(named)}; allowed is model_type 'bert'")
    if kind not in (None, "bert"):
        raise refused(f"{of} is of type {kind!r}; allowed is type 'bert'")
    for name, values in PLAIN.items():
        if content.get(name) not in values:
            raise refused(f"{of} has {name} {content[name]!r}; allowed is {values[-1]!r}")
    try:
        found = Fields.model_validate(content)
    except ValidationError as error:
        raise refused(f"{of} is not that of a BERT: {'; '.join(map(_fault, error.errors()))}") from None
    width, heads = found.hidden_size, found.num_attention_heads
    if width % heads:
        raise refused(f"{of} has hidden_size {width}; allowed is a multiple of num_attention_heads, {heads}")
    return found


def _fault(fault: dict) -> str:
    name, said = ".".join(map(str, fault["loc"])), fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{name} is missing" if fault["type"] == "missing" else f"{name} is {fault['input']!r}, {said}"


def refused(sentence: str) -> ParamsError:
    """The error for a model that cannot be used."""
    return ParamsError(f"model.pretrained: {sentence}")


def first(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of the named files that a folder has; a broken link counts, and fails when it is read."""
    return next((folder / name for name in names if (folder / name).exists() or (folder / name).is_symlink()), None)


def contents(folder: Path) -> str:
    """The first names in a folder, for a message."""
    return shown(sorted(path.name for path in folder.iterdir()), 8) or "nothing"


def check_no_pointer(file: Path) -> None:
    """Raise ParamsError if a file is the pointer that Git LFS leaves in place of a large one."""
    with file.open("rb") as opened:
        if opened.read(len(POINTER)) == POINTER:
            raise refused(f"{file} is a Git LFS pointer, not the file itself; `git lfs pull` fetches it")


def read_mapping(file: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping. Raises ParamsError if it does not."""
    try:
        check_no_pointer(file)
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except ParamsError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise refused(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise refused(f"{file} holds {type(content).__name__}; allowed is a mapping")
    return content
