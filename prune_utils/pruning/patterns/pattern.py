"""What every pattern has."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from prune_utils.pruning.masks import pruned_count
from prune_utils.study.words import percent

Tensors = dict[str, Tensor]  # by the name of a matrix


class SparsityMismatch(RuntimeError):
    """The zeros of a model, its masks and the requested sparsity do not agree."""


@dataclass(frozen=True)
class Pattern:
    """`choose(scores, sparsity, heads)` returns masks; `check(masks, sparsity, heads)` verifies their count.

    `heads` is the number of attention heads per layer, which most patterns ignore. `masks.lowest_mask` prunes the
    exact number of lowest scores; `check_count` refuses any other count.
    """

    choose: Callable[[Tensors, float, int], Tensors]
    check: Callable[[Tensors, float, int], None]


def check_whole(masks: Tensors, whole: Tensors, units: str) -> None:
    """Raise SparsityMismatch unless `masks` are `whole`, those that prune entire `units` and nothing else."""
    for name, mask in masks.items():
        if not torch.equal(mask, whole[name]):
            raise SparsityMismatch(f"{name} has pruned weights outside of entirely pruned {units}")


def check_count(what: str, units: str, mask: Tensor, sparsity: float) -> None:
    """Raise SparsityMismatch unless round(s·n) of the n values of `mask` are pruned; `what` has these `units`."""
    pruned, expected = int((~mask).sum()), pruned_count(mask.numel(), sparsity)
    if pruned != expected:
        raise SparsityMismatch(
            f"{what} {pruned} of {mask.numel()} {units} pruned; a sparsity of {percent(sparsity)} requires {expected}"
        )
