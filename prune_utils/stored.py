"""Prunable matrices as a checkpoint's file holds them, read without the seconds that a model takes."""

import json
from functools import cache
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from prune_utils.files import read_json
from prune_utils.packed import MASKS
from prune_utils.paths import WEIGHTS
from prune_utils.weights import KINDS, kind_and_layer

ENCODER = "bert."  # before the names of the encoder's weights in a model with a head; masks are named without
WORDS = "embeddings.word_embeddings.weight"


def in_order(names) -> list[str]:
    """Names of matrices as a model lists them, which decides between equal magnitudes: word embeddings, layers from
    the first, pooler."""
    kinds = list(KINDS.values())

    def place(name: str) -> tuple:
        kind, layer = kind_and_layer(name)
        return (name != WORDS, layer is None, layer or 0, kinds.index(kind))

    return sorted(names, key=place)


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


def label(name: str) -> str:
    """A matrix in words: "layer 1 query"."""
    kind, layer = kind_and_layer(name)
    return f"layer {layer} {kind}" if layer else kind
