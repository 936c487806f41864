"""Scores: functions that say which weights of a model go first. Pure functions.

Each takes {matrix name: tensor} of every prunable matrix and a seed, which only random ones use, and returns {matrix name:
scores of the same shape}. The weights of lowest score are pruned first, in groups that a pattern defines.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from prune_utils.pruning.masks import magnitudes
from prune_utils.pruning.patterns import PATTERNS
from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.study.sections.arms import Zeros


def magnitude(matrices: Tensors, seed: int) -> Tensors:
    """Absolute values, float32. Raises ValueError if a weight is not finite."""
    return {name: magnitudes(matrix).view_as(matrix) for name, matrix in matrices.items()}


def random(matrices: Tensors, seed: int) -> Tensors:
    """The places of the weights of each matrix in a random order: the control of paper §3.2."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _places(matrix, generator) for name, matrix in matrices.items()}


def _places(matrix: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(matrix.numel(), generator=generator)
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order))
    return places.view(matrix.shape).to(matrix.device)


SCORES = {"magnitude": magnitude, "random": random}  # by the names in arms.yaml


def chooser(zeros: Zeros, heads: int, seed: int = 0) -> Callable[[Tensors, float], Tensors]:
    """A function of matrices and the sparsity that returns masks, as the row of an arm says."""
    score, pattern = SCORES[zeros.score], PATTERNS[zeros.pattern]
    return lambda matrices, sparsity: pattern.choose(score(matrices, seed), sparsity, heads)


def by_magnitude(pattern: str, matrices: Tensors, sparsity: float, heads: int = 0) -> Tensors:
    """Masks that prune what is smallest in a pattern of PATTERNS."""
    return chooser(Zeros("magnitude", pattern, "start"), heads)(matrices, sparsity)
