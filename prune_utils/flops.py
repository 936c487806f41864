"""Floating-point operations (FLOP) of a BERT, by formula, and what accelerators do of them in a second."""

from dataclasses import dataclass

from prune_utils.section import ParamsError
from prune_utils.sizes import Shape

TRAINING = 3  # a backward pass is two products for each of the forward one: by the input and by the weights


def forward(shape: Shape, tokens: float, predicted: float = 0) -> float:
    """FLOP to read one sequence of `tokens`, with vocabulary logits for `predicted` masked ones of them.

    2 for each weight of a matrix and token that meets it (a product and a sum); attention's two products of tokens
    with tokens, 4 · tokens² · width a layer; the pooler once a sequence. Training takes three times as much, so
    about 6 · weights · tokens. What is not a matrix product (norms, GELU, optimiser) is not counted: a few percent.
    """
    layer = 2 * tokens * shape.layer_weights + 4 * tokens**2 * shape.width
    head = 2 * predicted * shape.width * (shape.width + shape.vocabulary)
    return shape.layers * layer + 2 * shape.width**2 + head


@dataclass(frozen=True)
class Accelerator:
    """`product`: FLOP a second of a large bfloat16 matrix product; `source`: who says so."""

    product: float
    source: str


ACCELERATORS = {
    "H200": Accelerator(790e12, "a large bf16 product, measured on one H200"),
    "A100": Accelerator(312e12, "NVIDIA's data sheet, dense bf16"),
}
ACHIEVED = 0.4  # share of such a product that training reaches: assumed
# a step of this package in eager PyTorch cannot be shorter than the launch of its kernels, however few their FLOP:
# assumed, in seconds a step and a layer of it; jobs side by side launch side by side
STEP, LAYER = 5e-3, 1e-3


def accelerator(name: str) -> Accelerator:
    if name not in ACCELERATORS:
        raise ParamsError(f"accelerator is {name!r}; allowed: {', '.join(ACCELERATORS)}")
    return ACCELERATORS[name]


def launching(shape: Shape) -> float:
    """The seconds below which no training step comes on an accelerator."""
    return STEP + LAYER * shape.layers
