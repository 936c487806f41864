"""Names of prunable matrices: which part of which layer each is, and their order in the model."""

import re

ATTENTION = ".attention."  # in the names of the four matrices that are cut into heads


OUTPUT = ".attention.output."  # the one of them that takes heads in, by columns; the others give them, by rows

PARTS = ("self.query", "self.key", "self.value", "output.dense")  # of the attention of a layer

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


def label(name: str) -> str:
    """A matrix in words: "layer 1 query"."""
    kind, layer = kind_and_layer(name)
    return f"layer {layer} {kind}" if layer else kind


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


def kind_and_layer(matrix: str) -> tuple[str, int | None]:
    """What a matrix is, in words, and its layer counted from 1; None for the pooler and the word embeddings."""
    layer, part = re.fullmatch(r"(?:encoder\.layer\.(\d+)\.)?(.+)\.weight", matrix).groups()
    return KINDS[part], None if layer is None else int(layer) + 1
