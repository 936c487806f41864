"""Activation: small weights whose inputs are small are pruned first (Wanda).

Source: Sun et al. 2024 (arXiv:2306.11695), equation 1: |W| ‖X‖, where ‖X‖ is the Euclidean norm of an input over all tokens
of the examples. Word embeddings have no inputs; within a word, the authors' comparison, their score is the magnitude.
"""

from torch import Tensor

from prune_utils.pruning.masks import magnitudes
from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score


def update(state: Tensors, weight: Tensor, inputs: Tensor) -> Tensors:
    """Add the squares of the inputs of one batch, shape (tokens, columns)."""
    squares = inputs.double().square().sum(0)
    return {"squares": state["squares"] + squares if state else squares}


def value(matrices: Tensors, states: dict[str, Tensors], seed: int) -> Tensors:
    """|W| ‖X‖, column by column."""
    found = {name: magnitudes(matrix).view_as(matrix) for name, matrix in matrices.items()}
    return {
        name: score * states[name]["squares"].sqrt().to(score) if name in states else score
        for name, score in found.items()
    }


SCORE = Score(value, update, seen="inputs")
