"""Whole feed-forward units: in each layer, the round(s·U) intermediate units of lowest summed score are pruned."""

import torch
from torch import Tensor

from prune_utils.pruning.families import kind_and_layer
from prune_utils.pruning.masks import lowest_mask
from prune_utils.pruning.patterns.pattern import Pattern, Tensors, check_count, check_whole

KINDS = ("intermediate", "output")


def of_layers(matrices: Tensors) -> dict[int, tuple[str, str]]:
    """The names of the intermediate and the output matrix of each layer."""
    found = {kind_and_layer(name)[::-1]: name for name in matrices}
    layers = sorted({layer for layer, kind in found if kind == "intermediate"})
    return {layer: tuple(found[layer, kind] for kind in KINDS) for layer in layers}


def sums(scores: Tensors) -> dict[int, Tensor]:
    """Return {layer: sum of the scores of each unit}: of its row of the intermediate matrix, or its two rows where a half
    gates the other, and of its column of the output matrix."""
    found = {}
    for layer, (rows, columns) in of_layers(scores).items():
        units = scores[columns].shape[1]
        found[layer] = scores[rows].float().sum(1).view(-1, units).sum(0) + scores[columns].float().sum(0)
    return found


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·U) units of lowest summed score in each layer; `sparsity` is the share of units."""
    return _whole(scores, {layer: lowest_mask(units, sparsity) for layer, units in sums(scores).items()})


def _whole(matrices: Tensors, keep: dict[int, Tensor]) -> Tensors:
    """Masks that keep the units marked in `keep`, and all weights outside of the two matrices."""
    masks = {name: torch.ones_like(matrix, dtype=torch.bool) for name, matrix in matrices.items()}
    for layer, (rows, columns) in of_layers(matrices).items():
        masks[columns] &= keep[layer]
        masks[rows] &= keep[layer].repeat(len(masks[rows]) // len(keep[layer])).unsqueeze(1)
    return masks


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·U) units of every layer are pruned entirely, and no other weights."""
    keep = {layer: alive > 0 for layer, alive in sums(masks).items()}
    check_whole(masks, _whole(masks, keep), "feed-forward units")
    for layer, kept in keep.items():
        check_count(f"layer {layer} has", "feed-forward units", kept, sparsity)


PATTERN = Pattern(choose, check)
