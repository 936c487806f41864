"""Masks over weight matrices: 1 (True) keeps a weight, 0 (False) prunes it. Pure functions; nothing is changed in place."""

import torch
from torch import Tensor


def pruned_count(size: int, sparsity: float) -> int:
    """The exact number of weights to prune of `size`: round(s·n).

    Raises ValueError where `sparsity` is not a fraction in [0, 1].
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}; allowed is a fraction of zeros from 0 to 1")
    return round(sparsity * size)


def magnitudes(weight: Tensor) -> Tensor:
    """What a matrix's weights are ranked by: shape (n,), float32.

    Raises ValueError where a weight is not finite, since such a weight has no rank.
    """
    magnitude = weight.detach().abs().flatten().float()
    if not torch.isfinite(magnitude).all():
        raise ValueError("a weight is NaN or infinite, so magnitudes cannot be ranked")
    return magnitude


def magnitude_mask(weight: Tensor, sparsity: float) -> Tensor:
    """Prunes the round(s·n) weights of smallest magnitude in one matrix, by rank (paper §2.2).

    `weight`: any shape; returns a bool tensor of that shape. Among equal magnitudes the earlier index goes
    first, so the count is exact under ties. The k-th value is selected in O(n): nothing is sorted.
    Raises ValueError where a weight is not finite, since such a weight has no rank.
    """
    count = pruned_count(weight.numel(), sparsity)
    magnitude = magnitudes(weight)
    if count == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    threshold = magnitude.kthvalue(count).values
    keep = magnitude > threshold
    # below the threshold everything goes; at it, as many as are still missing, in index order
    ties = (magnitude == threshold).nonzero().squeeze(1)
    missing = count - (magnitude < threshold).sum()
    keep[ties[missing:]] = True
    return keep.view_as(weight)


def magnitude_masks(matrices: dict[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """The magnitude mask of every matrix, each at the same sparsity."""
    return {name: magnitude_mask(weight, sparsity) for name, weight in matrices.items()}


def random_mask(weight: Tensor, sparsity: float, generator: torch.Generator) -> Tensor:
    """Prunes round(s·n) weights drawn uniformly without replacement: the control of paper §3.2."""
    count = pruned_count(weight.numel(), sparsity)
    keep = torch.ones(weight.numel(), dtype=torch.bool)
    keep[torch.randperm(weight.numel(), generator=generator)[:count]] = False
    return keep.view(weight.shape).to(weight.device)


def sparsity_of(masks: dict[str, Tensor]) -> float:
    """The share of zeros in all masks together; 0.0 where there is no mask."""
    total = sum(mask.numel() for mask in masks.values())
    return 1 - sum(int(mask.sum()) for mask in masks.values()) / total if total else 0.0
