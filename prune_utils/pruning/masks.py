"""Masks over weight matrices: 1 (True) keeps a weight, 0 (False) prunes it. Pure functions; nothing changes in place."""

import torch
from torch import Tensor


def pruned_count(size: int, sparsity: float) -> int:
    """Return the exact number of weights to prune out of `size`: round(s·n).

    Raises ValueError if `sparsity` is not in [0, 1].
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity must be between 0 and 1, got {sparsity}")
    return round(sparsity * size)


class Unrankable(ValueError):
    """A weight or a score is NaN or infinite: the training has diverged."""


def magnitudes(weight: Tensor) -> Tensor:
    """Return the absolute values by which weights are ranked: shape (n,), float32.

    Raises Unrankable if a weight is not finite, because it has no rank.
    """
    magnitude = weight.detach().abs().flatten().float()
    if not torch.isfinite(magnitude).all():
        raise Unrankable("a weight is NaN or infinite, so magnitudes cannot be ranked")
    return magnitude


def lowest_mask(scores: Tensor, sparsity: float) -> Tensor:
    """Prune the round(s·n) values of lowest score, by rank.

    `scores` has any shape; returns a bool tensor of that shape. Of equal scores, the one with the lower index is pruned
    first, so the count is exact under ties. Runs in O(n): the k-th smallest value is selected, not sorted.
    Raises ValueError if `sparsity` is not in [0, 1].
    """
    count = pruned_count(scores.numel(), sparsity)
    if count == 0:
        return torch.ones_like(scores, dtype=torch.bool)
    flat = scores.flatten()
    threshold = kth_smallest(flat, count)
    keep = flat > threshold
    # all values below the threshold are pruned, then those equal to it in index order, until the count is reached
    ties = (flat == threshold).nonzero().squeeze(1)
    missing = count - (flat < threshold).sum()
    keep[ties[missing:]] = True
    return keep.view_as(scores)


def kth_smallest(values: Tensor, k: int) -> Tensor:
    """The k-th smallest of `values`, shape (n,), counted from 1: a tensor without dimensions.

    On a GPU by sorting: `kthvalue` runs there in one block per slice, many times slower than a sort (PyTorch issue 75599).
    """
    return values.sort().values[k - 1] if values.is_cuda else values.kthvalue(k).values


def magnitude_mask(weight: Tensor, sparsity: float) -> Tensor:
    """Prune the round(s·n) weights of smallest magnitude in one matrix (paper §2.2); see `lowest_mask`.

    Raises ValueError if a weight is not finite or `sparsity` is not in [0, 1].
    """
    return lowest_mask(magnitudes(weight), sparsity).view_as(weight)


def magnitude_masks(matrices: dict[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Prune each matrix to the same sparsity by magnitude; see `magnitude_mask`."""
    return {name: magnitude_mask(weight, sparsity) for name, weight in matrices.items()}


def sparsity_of(masks: dict[str, Tensor]) -> float:
    """Return the share of zeros in all masks together; 0.0 if there are no masks."""
    total = sum(mask.numel() for mask in masks.values())
    return 1 - sum(int(mask.sum()) for mask in masks.values()) / total if total else 0.0
