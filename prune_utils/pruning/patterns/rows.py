"""Each row of a matrix by itself, that is, each output: the round(s·columns) weights of lowest score are pruned.

In word embeddings, a row is a word. Source: Sun et al. 2024 (arXiv:2306.11695), which compare scores within outputs.
"""

import torch

from prune_utils.pruning.masks import pruned_count
from prune_utils.pruning.patterns.pattern import Pattern, SparsityMismatch, Tensors


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·columns) weights of lowest score in each row; among equal scores, the earlier weights first."""
    masks = {}
    for name, score in scores.items():
        pruned = score.argsort(dim=1, stable=True)[:, : pruned_count(score.shape[1], sparsity)]
        masks[name] = torch.ones_like(score, dtype=torch.bool).scatter_(1, pruned, False)
    return masks


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·columns) weights of every row are pruned."""
    for name, mask in masks.items():
        wanted = pruned_count(mask.shape[1], sparsity)
        if not bool(((~mask).sum(1) == wanted).all()):
            raise SparsityMismatch(f"{name} has rows that do not have {wanted} of {mask.shape[1]} weights pruned")


PATTERN = Pattern(choose, check)
