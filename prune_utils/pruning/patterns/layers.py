"""Whole layers: the round(s·L) layers of lowest mean score are pruned, and nothing outside of the layers."""

import torch
from torch import Tensor

from prune_utils.pruning.families import kind_and_layer
from prune_utils.pruning.masks import lowest_mask
from prune_utils.pruning.patterns.pattern import Pattern, Tensors, check_count, check_whole


def means(scores: Tensors) -> Tensor:
    """Mean score of the weights of each layer, in order."""
    parts: dict[int, list[Tensor]] = {}
    for name, score in scores.items():
        if layer := kind_and_layer(name)[1]:
            parts.setdefault(layer, []).append(score.float().flatten())
    return torch.stack([torch.cat(parts[layer]).mean() for layer in sorted(parts)])


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune all matrices of the round(s·L) layers of lowest mean score; `sparsity` is the share of layers.

    Such a layer passes its input on, with its biases and norms.
    """
    return _whole(scores, lowest_mask(means(scores), sparsity))


def _whole(matrices: Tensors, keep: Tensor) -> Tensors:
    def kept(name: str) -> bool:
        layer = kind_and_layer(name)[1]
        return not layer or bool(keep[layer - 1])

    return {name: torch.full_like(matrix, kept(name), dtype=torch.bool) for name, matrix in matrices.items()}


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·L) layers are pruned entirely, and no other weights."""
    keep = means(masks) > 0
    check_whole(masks, _whole(masks, keep), "layers")
    check_count("the model has", "layers", keep, sparsity)


PATTERN = Pattern(choose, check)
