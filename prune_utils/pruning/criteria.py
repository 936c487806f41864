"""Criteria: which weights of a model are pruned, and the exact count that each promises. Pure functions.

All take every prunable matrix, {name: tensor}, the sparsity and the number of attention heads of a layer, at which
only `heads` looks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from prune_utils.pruning.masks import magnitude_mask, pruned_count
from prune_utils.pruning.names import ATTENTION, OUTPUT


class SparsityMismatch(RuntimeError):
    """A model's zeros are not those that its masks promise."""


def per_matrix(matrices: dict[str, Tensor], sparsity: float, heads: int) -> dict[str, Tensor]:
    """The round(s·n) weights of smallest magnitude of each matrix on its own (paper §2.2)."""
    return {name: magnitude_mask(matrix, sparsity) for name, matrix in matrices.items()}


def over_all(matrices: dict[str, Tensor], sparsity: float, heads: int) -> dict[str, Tensor]:
    """The round(s·N) weights of smallest magnitude of all matrices together; of equals the earlier matrix's first."""
    mask = magnitude_mask(torch.cat([m.detach().flatten() for m in matrices.values()]), sparsity)
    parts = mask.split([m.numel() for m in matrices.values()])
    return {name: part.view_as(m) for (name, m), part in zip(matrices.items(), parts, strict=True)}


def head_magnitudes(matrices: dict[str, Tensor], heads: int) -> dict[str, Tensor]:
    """By layer, the sum of absolute weights of each attention head, shape (heads,): its rows of query, key and value
    and its columns of the attention output."""
    sums: dict[str, Tensor] = {}
    for name, matrix in matrices.items():
        if ATTENTION in name:
            magnitude = matrix.detach().float().abs().sum(_across(name)).view(heads, -1).sum(1)
            layer = name.split(ATTENTION)[0]
            sums[layer] = sums[layer] + magnitude if layer in sums else magnitude
    return sums


def by_head(matrices: dict[str, Tensor], sparsity: float, heads: int) -> dict[str, Tensor]:
    """The round(s·H) attention heads of smallest magnitude of the model's H, whole; all other weights are kept.

    `sparsity` is the share of *heads*: that of the prunable matrices is smaller (a quarter of it in BERT-Base,
    where heads hold 28,311,552 of 108,965,376 weights). As in the authors' code heads rank by their absolute
    weights; its last version divides them by their layer's sum first, which is not done here.
    """
    magnitudes = head_magnitudes(matrices, heads)
    keep = dict(zip(magnitudes, magnitude_mask(torch.stack(list(magnitudes.values())), sparsity), strict=True))
    return _whole_heads(matrices, keep)


def _across(name: str) -> int:
    return 0 if OUTPUT in name else 1


def _whole_heads(matrices: dict[str, Tensor], keep: dict[str, Tensor]) -> dict[str, Tensor]:
    """Masks that keep the heads marked in `keep`, {layer: bool tensor (heads,)}, and every weight of no head."""
    masks = {name: torch.ones_like(matrix, dtype=torch.bool) for name, matrix in matrices.items()}
    for name, mask in masks.items():
        if ATTENTION in name:
            kept = keep[name.split(ATTENTION)[0]]
            units = kept.repeat_interleave(mask.shape[1 - _across(name)] // len(kept))
            mask &= units.unsqueeze(_across(name))
    return masks


def check_each(masks: dict[str, Tensor], sparsity: float, heads: int) -> None:
    """Raises SparsityMismatch unless round(s·n) weights of every matrix are pruned."""
    for name, mask in masks.items():
        _check(f"{name} has", "weights", int((~mask).sum()), mask.numel(), sparsity)


def check_total(masks: dict[str, Tensor], sparsity: float, heads: int) -> None:
    """Raises SparsityMismatch unless round(s·N) weights of all matrices together are pruned."""
    pruned = sum(int((~mask).sum()) for mask in masks.values())
    _check("the matrices have", "weights", pruned, sum(mask.numel() for mask in masks.values()), sparsity)


def check_heads(masks: dict[str, Tensor], sparsity: float, heads: int) -> None:
    """Raises SparsityMismatch unless round(s·H) heads are pruned, all their weights and no others."""
    keep = {layer: alive > 0 for layer, alive in head_magnitudes(masks, heads).items()}
    for name, whole in _whole_heads(masks, keep).items():
        if not torch.equal(masks[name], whole):
            raise SparsityMismatch(f"{name} has weights pruned that make no whole attention head")
    alive = torch.stack(list(keep.values()))
    _check("the model has", "attention heads", int((~alive).sum()), alive.numel(), sparsity)


def _check(what: str, units: str, pruned: int, size: int, sparsity: float) -> None:
    if pruned != pruned_count(size, sparsity):
        raise SparsityMismatch(f"{what} {pruned} of {size} {units} pruned, which is not {sparsity:.0%}")


@dataclass(frozen=True)
class Criterion:
    """`masks` chooses, `check` holds masks to what was promised."""

    masks: Callable[[dict[str, Tensor], float, int], dict[str, Tensor]] | None
    check: Callable[[dict[str, Tensor], float, int], None]


# by the method that a checkpoint was made with; no `masks` where magnitude does not choose
CRITERIA = {
    "dense": Criterion(None, check_each),
    "gradual": Criterion(per_matrix, check_each),
    "one_shot": Criterion(per_matrix, check_each),
    "random": Criterion(None, check_each),
    "global": Criterion(over_all, check_total),
    "heads": Criterion(by_head, check_heads),
}
