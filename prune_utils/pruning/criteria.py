"""Criteria: functions that choose which weights of a model to prune, and checks of the exact count. Pure functions.

All take {matrix name: tensor} for every prunable matrix, the sparsity, and the number of attention heads per layer,
which only the `heads` criterion uses.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from prune_utils.pruning.families import HEADS, in_heads, kind_and_layer
from prune_utils.pruning.masks import magnitude_mask, magnitude_masks, pruned_count
from prune_utils.study.words import percent


class SparsityMismatch(RuntimeError):
    """The zeros of a model, its masks and the requested sparsity do not agree."""


def per_matrix(matrices: dict[str, Tensor], sparsity: float, heads: int) -> dict[str, Tensor]:
    """Prune the round(s·n) weights of smallest magnitude in each matrix separately (paper §2.2)."""
    return magnitude_masks(matrices, sparsity)


def over_all(matrices: dict[str, Tensor], sparsity: float, heads: int) -> dict[str, Tensor]:
    """Prune the round(s·N) weights of smallest magnitude in all matrices together. Ties are broken in matrix order."""
    mask = magnitude_mask(torch.cat([m.detach().flatten() for m in matrices.values()]), sparsity)
    parts = mask.split([m.numel() for m in matrices.values()])
    return {name: part.view_as(m) for (name, m), part in zip(matrices.items(), parts, strict=True)}


def head_magnitudes(matrices: dict[str, Tensor], heads: int) -> dict[int, Tensor]:
    """Return {layer: sum of absolute weights of each attention head, shape (heads,)}, with layers from 1 up.

    A head owns rows of the query, key and value matrices, fused or not, and columns of the attention output matrix.
    """
    sums: dict[int, Tensor] = {}
    for name, matrix in filter(lambda item: in_heads(item[0]), matrices.items()):
        kind, layer = kind_and_layer(name)
        dimension, blocks = HEADS[kind]
        units = matrix.detach().float().abs().sum(1 - dimension)
        sums[layer] = sums.get(layer, 0) + units.view(blocks, heads, -1).sum(2).sum(0)
    return sums


def by_head(matrices: dict[str, Tensor], sparsity: float, heads: int) -> dict[str, Tensor]:
    """Prune the round(s·H) attention heads of smallest magnitude, of H in all layers; keep all other weights.

    `sparsity` is the share of *heads*. The share of prunable weights is smaller, in BERT-Base by a
    factor of 0.26: heads hold 28,311,552 of 108,965,376 weights. Heads are ranked by the sum of their absolute
    weights, as in the authors' code, without the division by the layer's sum in its last version.
    """
    magnitudes = head_magnitudes(matrices, heads)
    keep = dict(zip(magnitudes, magnitude_mask(torch.stack(list(magnitudes.values())), sparsity), strict=True))
    return _whole_heads(matrices, keep)


def _whole_heads(matrices: dict[str, Tensor], keep: dict[int, Tensor]) -> dict[str, Tensor]:
    """Masks that keep the heads marked in `keep`, {layer: bool tensor (heads,)}, and all weights outside heads."""
    masks = {name: torch.ones_like(matrix, dtype=torch.bool) for name, matrix in matrices.items()}
    for name, mask in filter(lambda item: in_heads(item[0]), masks.items()):
        kind, layer = kind_and_layer(name)
        dimension, blocks = HEADS[kind]
        kept = keep[layer].repeat(blocks)
        mask &= kept.repeat_interleave(mask.shape[dimension] // len(kept)).unsqueeze(1 - dimension)
    return masks


def check_each(masks: dict[str, Tensor], sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·n) weights of every matrix are pruned."""
    for name, mask in masks.items():
        _check(f"{name} has", "weights", mask, sparsity)


def check_total(masks: dict[str, Tensor], sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·N) weights of all matrices together are pruned."""
    _check("the matrices have", "weights", torch.cat([mask.flatten() for mask in masks.values()]), sparsity)


def check_heads(masks: dict[str, Tensor], sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·H) heads are pruned entirely, and no other weights."""
    keep = {layer: alive > 0 for layer, alive in head_magnitudes(masks, heads).items()}
    for name, whole in _whole_heads(masks, keep).items():
        if not torch.equal(masks[name], whole):
            raise SparsityMismatch(f"{name} has pruned weights outside of entirely pruned attention heads")
    _check("the model has", "attention heads", torch.stack(list(keep.values())), sparsity)


def _check(what: str, units: str, mask: Tensor, sparsity: float) -> None:
    pruned, expected = int((~mask).sum()), pruned_count(mask.numel(), sparsity)
    if pruned != expected:
        raise SparsityMismatch(
            f"{what} {pruned} of {mask.numel()} {units} pruned; a sparsity of {percent(sparsity)} requires {expected}"
        )


@dataclass(frozen=True)
class Criterion:
    """A pruning criterion: `masks` chooses weights (None for dense and random), `check` verifies their number."""

    masks: Callable[[dict[str, Tensor], float, int], dict[str, Tensor]] | None
    check: Callable[[dict[str, Tensor], float, int], None]


# by the pruning method of a checkpoint
CRITERIA = {
    "dense": Criterion(None, check_each),
    "gradual": Criterion(per_matrix, check_each),
    "one_shot": Criterion(per_matrix, check_each),
    "random": Criterion(None, check_each),
    "global": Criterion(over_all, check_total),
    "heads": Criterion(by_head, check_heads),
}
