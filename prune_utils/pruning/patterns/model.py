"""All matrices together: the round(s·N) weights of lowest score in the model are pruned."""

import torch

from prune_utils.pruning.masks import lowest_mask
from prune_utils.pruning.patterns.pattern import Pattern, Tensors, check_count


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·N) weights of lowest score in all matrices together. Ties are broken in matrix order."""
    mask = lowest_mask(torch.cat([score.flatten() for score in scores.values()]), sparsity)
    parts = mask.split([score.numel() for score in scores.values()])
    return {name: part.view_as(score) for (name, score), part in zip(scores.items(), parts, strict=True)}


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·N) weights of all matrices together are pruned."""
    check_count("the matrices have", "weights", torch.cat([mask.flatten() for mask in masks.values()]), sparsity)


PATTERN = Pattern(choose, check)
