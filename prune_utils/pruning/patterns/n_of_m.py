"""N:M: of every M neighbours in a row, N are kept, as sparse matrix products on GPUs require (2:4)."""

from functools import partial

import torch
from torch import Tensor

from prune_utils.pruning.patterns.pattern import Pattern, SparsityMismatch, Tensors
from prune_utils.study.sections.arms import share_of


def _groups(name: str, matrix: Tensor, m: int) -> Tensor:
    if matrix.shape[1] % m:
        raise ValueError(f"{name} has {matrix.shape[1]} columns; N:M pruning needs a multiple of {m}")
    return matrix.view(len(matrix), -1, m)


def choose(scores: Tensors, sparsity: float, heads: int, n: int, m: int) -> Tensors:
    """Keep the n highest scores of every m neighbours in a row; of equal ones, the later. All are kept at a sparsity of 0.

    Raises ValueError if the rows of a matrix do not divide into groups of m, or at a sparsity other than 0 and 1 − n/m.
    """
    if sparsity not in (0, own := share_of(f"{n}:{m}")):
        raise ValueError(f"sparsity is {sparsity}; {n}:{m} has {own}")
    masks = {}
    for name, score in scores.items():
        order = _groups(name, score, m).argsort(dim=2, stable=True)  # lowest first
        pruned = order[:, :, : round(m * sparsity)]
        keep = torch.ones_like(order, dtype=torch.bool).scatter_(2, pruned, False)
        masks[name] = keep.view(score.shape)
    return masks


def check(masks: Tensors, sparsity: float, heads: int, n: int, m: int) -> None:
    """Raise SparsityMismatch unless n of every m neighbours in a row are kept, or all at a sparsity of 0."""
    kept = m if sparsity == 0 else n
    for name, mask in masks.items():
        if not bool((_groups(name, mask, m).sum(2) == kept).all()):
            raise SparsityMismatch(f"{name} does not keep {kept} of every {m} weights in a row")


def pattern(n: int, m: int) -> Pattern:
    return Pattern(partial(choose, n=n, m=m), partial(check, n=n, m=m))
