"""Blocks: squares of SIDE × SIDE weights, smaller at the edges; in each matrix, the round(s·B) of lowest mean score are pruned."""

from torch import Tensor
from torch.nn.functional import avg_pool2d

from prune_utils.pruning.masks import lowest_mask
from prune_utils.pruning.patterns.pattern import Pattern, Tensors, check_count, check_whole

SIDE = 8


def _means(matrix: Tensor) -> Tensor:
    """Mean of every block, one row per row of blocks; a block at an edge is the mean of the weights that it has."""
    whole = avg_pool2d(matrix.float()[None], SIDE, ceil_mode=True, count_include_pad=False)
    return whole[0]


def _spread(blocks: Tensor, matrix: Tensor) -> Tensor:
    """One value per weight from one value per block."""
    rows, columns = matrix.shape
    return blocks.repeat_interleave(SIDE, 0)[:rows].repeat_interleave(SIDE, 1)[:, :columns]


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·B) blocks of lowest mean score in each matrix; `sparsity` is the share of blocks."""
    return {name: _spread(lowest_mask(_means(score), sparsity), score) for name, score in scores.items()}


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·B) blocks of every matrix are pruned entirely, and no other weights."""
    keep = {name: _means(mask) > 0 for name, mask in masks.items()}
    check_whole(masks, {name: _spread(keep[name], mask) for name, mask in masks.items()}, "blocks")
    for name, kept in keep.items():
        check_count(f"{name} has", "blocks", kept, sparsity)


PATTERN = Pattern(choose, check)
