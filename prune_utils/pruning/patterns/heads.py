"""Whole attention heads: the round(s·H) heads of lowest summed score in the model are pruned, and no other weights."""

import torch
from torch import Tensor

from prune_utils.pruning.families import HEADS, in_heads, kind_and_layer
from prune_utils.pruning.masks import lowest_mask
from prune_utils.pruning.patterns.pattern import Pattern, Tensors, check_count, check_whole


def sums(scores: Tensors, heads: int) -> dict[int, Tensor]:
    """Return {layer: sum of the scores of each attention head, shape (heads,)}, with layers from 1 up.

    A head owns rows of the query, key and value matrices, fused or not, and columns of the attention output matrix.
    """
    found: dict[int, Tensor] = {}
    for name, score in filter(lambda item: in_heads(item[0]), scores.items()):
        kind, layer = kind_and_layer(name)
        dimension, blocks = HEADS[kind]
        units = score.float().sum(1 - dimension)
        found[layer] = found.get(layer, 0) + units.view(blocks, heads, -1).sum(2).sum(0)
    return found


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·H) attention heads of lowest summed score, of H in all layers.

    `sparsity` is the share of *heads*. The share of prunable weights is smaller, in BERT-Base by a
    factor of 0.26: heads hold 28,311,552 of 108,965,376 weights. Scored by magnitude, heads are ranked by the sum of
    their absolute weights, as in the authors' code, without the division by the layer's sum in its last version.
    """
    of_heads = sums(scores, heads)
    keep = dict(zip(of_heads, lowest_mask(torch.stack(list(of_heads.values())), sparsity), strict=True))
    return _whole_heads(scores, keep)


def _whole_heads(matrices: Tensors, keep: dict[int, Tensor]) -> Tensors:
    """Masks that keep the heads marked in `keep`, {layer: bool tensor (heads,)}, and all weights outside heads."""
    masks = {name: torch.ones_like(matrix, dtype=torch.bool) for name, matrix in matrices.items()}
    for name, mask in filter(lambda item: in_heads(item[0]), masks.items()):
        kind, layer = kind_and_layer(name)
        dimension, blocks = HEADS[kind]
        kept = keep[layer].repeat(blocks)
        mask &= kept.repeat_interleave(mask.shape[dimension] // len(kept)).unsqueeze(1 - dimension)
    return masks


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·H) heads are pruned entirely, and no other weights."""
    keep = {layer: alive > 0 for layer, alive in sums(masks, heads).items()}
    check_whole(masks, _whole_heads(masks, keep), "attention heads")
    check_count("the model has", "attention heads", torch.stack(list(keep.values())), sparsity)


PATTERN = Pattern(choose, check)
