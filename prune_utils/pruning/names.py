"""Names of prunable matrices: the kind and layer of each, and their order in the model."""

import re
from collections.abc import Iterable

ENCODER = "bert."  # prefix of the encoder's weights in a model with a head; names of masks omit it
WORDS = "embeddings.word_embeddings.weight"
ATTENTION = ".attention."  # in the names of a layer's four attention matrices, which heads divide
OUTPUT = ".attention.output."  # in the name of the one whose columns heads divide; in the others, heads divide rows
PARTS = ("self.query", "self.key", "self.value", "output.dense")  # the matrices of a layer's attention
KINDS = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention output",
    "intermediate.dense": "intermediate",
    "output.dense": "output",
    "pooler.dense": "pooler",
    "embeddings.word_embeddings": "word embeddings",
}


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of matrices as a model lists them: word embeddings, layers, pooler.

    The global criterion breaks ties between equal magnitudes in this order.
    """
    kinds = list(KINDS.values())

    def place(name: str) -> tuple:
        kind, layer = kind_and_layer(name)
        return (name != WORDS, layer is None, layer or 0, kinds.index(kind))

    return sorted(names, key=place)


def label(name: str) -> str:
    """Describe a matrix in words: "layer 1 query"."""
    kind, layer = kind_and_layer(name)
    return f"layer {layer} {kind}" if layer else kind


def kind_and_layer(matrix: str) -> tuple[str, int | None]:
    """Return the kind of a matrix in words, and its layer from 1 up (None for the pooler and the word embeddings)."""
    layer, part = re.fullmatch(r"(?:encoder\.layer\.(\d+)\.)?(.+)\.weight", matrix).groups()
    return KINDS[part], None if layer is None else int(layer) + 1
