"""Random: weights are pruned in a random order, the control of paper §3.2."""

import torch
from torch import Tensor

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score


def value(matrices: Tensors, states: dict, seed: int) -> Tensors:
    """The positions of the weights of each matrix in a random order."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _places(matrix, generator) for name, matrix in matrices.items()}


def _places(matrix: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(matrix.numel(), generator=generator)
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order))
    return places.view(matrix.shape).to(matrix.device)


SCORE = Score(value)
