"""Each matrix by itself: the round(s·n) weights of lowest score in each are pruned (paper §2.2)."""

from prune_utils.pruning.masks import lowest_mask
from prune_utils.pruning.patterns.pattern import Pattern, Tensors, check_count


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·n) weights of lowest score in each matrix separately."""
    return {name: lowest_mask(score, sparsity) for name, score in scores.items()}


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·n) weights of every matrix are pruned."""
    for name, mask in masks.items():
        check_count(f"{name} has", "weights", mask, sparsity)


PATTERN = Pattern(choose, check)
