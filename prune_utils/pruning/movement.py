"""How far fine-tuning moves weights in the pruning order, and how much masks differ (paper §5). Pure functions."""

from dataclasses import dataclass

import torch
from torch import Tensor

from prune_utils.pruning.masks import magnitude_masks, magnitudes

BINS = 10  # deciles


@dataclass(frozen=True)
class Movement:
    """Sort-order movement of all weights of a model, each as a fraction of the size of its matrix.

    `mean` and (population) `std` are those of paper Table 2. `by_starting_rank` is the mean in each bin of
    starting rank, smallest magnitudes first, NaN in an empty bin, as in paper Fig. 6 (but the authors' code
    bins by the rank after fine-tuning).
    """

    mean: float
    std: float
    by_starting_rank: tuple[float, ...]


def ranks(weight: Tensor) -> Tensor:
    """Return the rank by magnitude of every weight in its matrix: shape (n,), 0 is the smallest.

    This is the order in which `magnitude_mask` prunes; ties are broken by index. O(n log n).
    Raises ValueError if a weight is not finite.
    """
    order = magnitudes(weight).argsort(stable=True)
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))


def sort_order_movement(before: Tensor, after: Tensor) -> Tensor:
    """Return |Δrank| / n of every weight of a matrix between its values `before` and `after` (paper §5, Table 2).

    Both tensors have the same shape; returns a float64 tensor of that shape with values in [0, 1).
    Raises ValueError if the shapes differ or a weight is not finite.
    """
    return _moved(before, after)[1].view_as(before)


def movement(before: dict[str, Tensor], after: dict[str, Tensor], bins: int = BINS) -> Movement:
    """Measure the movement of all weights of a model, {name: matrix} before and after; weights count equally.

    Raises ValueError if names or shapes differ.
    """
    _check_names(before, after)
    size, total, squares = 0, 0.0, 0.0
    binned = torch.zeros(2, bins, dtype=torch.float64)
    for name, weight in before.items():
        start, moved = _moved(weight, after[name])
        size, total, squares = size + len(moved), total + moved.sum().item(), squares + moved.square().sum().item()
        bin_of = start * bins // len(start)
        sums, counts = torch.bincount(bin_of, moved, bins), torch.bincount(bin_of, minlength=bins).double()
        binned += torch.stack((sums, counts)).cpu()
    mean = total / size
    return Movement(mean, max(0.0, squares / size - mean**2) ** 0.5, tuple((binned[0] / binned[1]).tolist()))


def mask_difference(masks: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    """Return the share of entries that differ, over all masks together (paper Fig. 3 left).

    Two masks of sparsity s differ by 0 to 2 min(s, 1 - s); two random masks by 2 s (1 - s) on average.
    Raises ValueError if names or shapes differ.
    """
    _check_names(masks, others)
    different = sum(int((mask != others[name]).sum()) for name, mask in masks.items())
    return different / sum(mask.numel() for mask in masks.values())


def mask_differences(
    pruned: dict[str, Tensor], before: dict[str, Tensor], after: dict[str, Tensor], sparsity: float
) -> dict[str, float]:
    """Compare the one-shot masks of a fine-tuned model (matrices `after`) at a sparsity, as shares of entries.

    `difference` is the distance to the masks `pruned` during pre-training (paper Fig. 3).
    `difference_fine_tuning_alone` is the distance to the one-shot masks of the matrices `before` fine-tuning.
    """
    masks = magnitude_masks(after, sparsity)
    return {
        "difference": mask_difference(pruned, masks),
        "difference_fine_tuning_alone": mask_difference(magnitude_masks(before, sparsity), masks),
    }


def _moved(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Starting ranks and movement, each of shape (n,)."""
    if before.shape != after.shape:
        raise ValueError(
            f"before and after must have the same shape, got {tuple(before.shape)} and {tuple(after.shape)}"
        )
    start = ranks(before)
    return start, (ranks(after) - start).abs().double() / before.numel()


def _check_names(before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    shapes, others = ({name: tensor.shape for name, tensor in part.items()} for part in (before, after))
    if wrong := {name for name, _ in shapes.items() ^ others.items()}:
        raise ValueError(f"both models must have the same matrices; they differ in {', '.join(sorted(wrong))}")
