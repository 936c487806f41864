"""How far fine-tuning moves weights in the order by which they are pruned (paper §5). Pure functions on tensors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from prune_utils.pruning.masks import magnitude_masks, magnitudes

BINS = 10  # deciles


@dataclass(frozen=True)
class Movement:
    """Sort-order movement of all weights of a model together, in fractions of the size of each one's matrix.

    `mean` and `std` (population) are paper Table 2; `by_starting_rank` is the mean by decile, smallest first.
    """

    mean: float
    std: float
    by_starting_rank: tuple[float, ...]


def ranks(weight: Tensor) -> Tensor:
    """The rank of every weight by magnitude in its matrix: shape (n,), 0 is the smallest, of equals the earlier index.

    In this order `magnitude_mask` prunes. O(n log n). Raises ValueError where a weight is not finite.
    """
    order = magnitudes(weight).argsort(stable=True)
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))


def sort_order_movement(before: Tensor, after: Tensor) -> Tensor:
    """|Δrank| / n of every weight of one matrix, between its values `before` and `after` (paper §5, Table 2).

    Two tensors of one shape; returns a float64 tensor of that shape, in [0, 1). Raises ValueError where the
    shapes differ or a weight is not finite.
    """
    return _moved(before, after)[1].view_as(before)


def by_starting_rank(before: Tensor, after: Tensor, bins: int = BINS) -> Tensor:
    """Mean movement in one matrix by starting rank: shape (bins,), smallest magnitudes first; NaN in an empty bin.

    Paper Fig. 6 has this on its axis; the authors' code bins by the rank a weight ends at.
    """
    sums, counts = _binned(*_moved(before, after), bins)
    return sums / counts


def movement(before: dict[str, Tensor], after: dict[str, Tensor], bins: int = BINS) -> Movement:
    """The movement of all weights of a model, {name: matrix} before and after: every weight counts once.

    Raises ValueError where names or shapes differ.
    """
    _check_names(before, after)
    size, total, squares = 0, 0.0, 0.0
    binned = torch.zeros(2, bins, dtype=torch.float64)
    for name, weight in before.items():
        start, moved = _moved(weight, after[name])
        size, total, squares = size + len(moved), total + moved.sum().item(), squares + moved.square().sum().item()
        binned += torch.stack(_binned(start, moved, bins)).cpu()
    mean = total / size
    return Movement(mean, max(0.0, squares / size - mean**2) ** 0.5, tuple((binned[0] / binned[1]).tolist()))


def mask_difference(masks: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    """The share of entries that differ, over all masks together (paper Fig. 3 left).

    Two masks of one sparsity s differ by 0 to 2 min(s, 1 - s); two random ones by 2 s (1 - s).
    Raises ValueError where names or shapes differ.
    """
    _check_names(masks, others)
    different = sum(int((mask != others[name]).sum()) for name, mask in masks.items())
    return different / sum(mask.numel() for mask in masks.values())


def mask_differences(
    pruned: dict[str, Tensor], before: dict[str, Tensor], after: dict[str, Tensor], sparsity: float
) -> dict[str, float]:
    """How the one-shot masks of a fine-tuned model (matrices `after`) differ at a sparsity, as shares of entries.

    `difference`: from the masks `pruned` in pre-training (paper Fig. 3). `difference_fine_tuning_alone`: from the
    one-shot masks of the model as it was `before`, in which only fine-tuning has a part.
    """
    masks = magnitude_masks(after, sparsity)
    return {
        "difference": mask_difference(pruned, masks),
        "difference_fine_tuning_alone": mask_difference(magnitude_masks(before, sparsity), masks),
    }


def _moved(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Starting ranks and movement, each of shape (n,)."""
    if before.shape != after.shape:
        raise ValueError(f"shapes are {tuple(before.shape)} and {tuple(after.shape)}; allowed is one shape")
    start = ranks(before)
    return start, (ranks(after) - start).abs().double() / before.numel()


def _binned(start: Tensor, moved: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Sums of movement and counts of weights by bin of starting rank, each of shape (bins,)."""
    bin_of = start * bins // len(start)
    return torch.bincount(bin_of, weights=moved, minlength=bins), torch.bincount(bin_of, minlength=bins).double()


def _check_names(before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    wrong = sorted(n for n in before.keys() | after.keys() if n not in before or n not in after)
    wrong = wrong or [n for n in before if before[n].shape != after[n].shape]
    if wrong:
        raise ValueError(f"the two models differ in {', '.join(wrong)}; allowed are the same matrices in both")
