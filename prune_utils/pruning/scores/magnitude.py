"""Magnitude: the smallest weights are pruned first (paper §2.2)."""

from prune_utils.pruning.masks import magnitudes
from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score


def value(matrices: Tensors, states: dict, seed: int) -> Tensors:
    """Absolute values, float32. Raises ValueError if a weight is not finite."""
    return {name: magnitudes(matrix).view_as(matrix) for name, matrix in matrices.items()}


SCORE = Score(value)
