"""Thresholds on the magnitudes of a matrix: ranked per matrix, and over all matrices together.

Counts and ties are those of `criteria.per_matrix` and `criteria.over_all`. Magnitudes are sorted once, so that moving
a slider needs no new ranking.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from prune_utils.pruning.masks import magnitudes, pruned_count


@dataclass(frozen=True)
class Cut:
    """`threshold`: the largest pruned magnitude, None if nothing is pruned; `mask`: 1 keeps."""

    threshold: float | None
    mask: Tensor

    @property
    def pruned(self) -> int:
        return self.mask.numel() - self.kept

    @cached_property
    def kept(self) -> int:
        return int(self.mask.sum())


class Cuts:
    """The cuts of {name: matrix}, in the order of the model. Raises ValueError if a weight is not finite."""

    def __init__(self, matrices: dict[str, Tensor]):
        self.matrices = matrices
        self.sorted = {name: np.sort(magnitudes(matrix).numpy()) for name, matrix in matrices.items()}
        self._last: tuple[str, Tensor] | None = None  # cache: magnitudes of the last matrix

    def own(self, name: str, sparsity: float) -> Cut:
        """Cut one matrix by its own magnitudes: round(s·n) weights are pruned."""
        ranked = self.sorted[name]
        count = pruned_count(len(ranked), sparsity)
        if count == 0:
            return self._cut(name, None, 0)
        threshold = ranked[count - 1]
        return self._cut(name, threshold, count - int(np.searchsorted(ranked, threshold, "left")))

    def overall(self, name: str, sparsity: float) -> Cut:
        """Cut one matrix when all matrices are ranked together and round(s·N) weights are pruned."""
        count = pruned_count(sum(map(len, self.sorted.values())), sparsity)
        if count == 0:
            return self._cut(name, None, 0)
        threshold = self._kth(count)
        below = sum(int(np.searchsorted(ranked, threshold, "left")) for ranked in self.sorted.values())
        # ties are broken in the order of the matrices
        missing = count - below - sum(self._equal(n, threshold) for n in list(self.sorted)[: self._place(name)])
        return self._cut(name, threshold, max(missing, 0))

    def _place(self, name: str) -> int:
        return list(self.sorted).index(name)

    def _equal(self, name: str, threshold: np.float32) -> int:
        left, right = (np.searchsorted(self.sorted[name], threshold, side) for side in ("left", "right"))
        return int(right - left)

    def _kth(self, count: int) -> np.float32:
        """The count-th smallest magnitude of all, by bisection over the bits of non-negative floats, which sort alike."""
        low, high = 0, int(np.float32(np.inf).view(np.int32))
        while low < high:
            middle = (low + high) // 2
            value = np.int32(middle).view(np.float32)
            if sum(int(np.searchsorted(ranked, value, "right")) for ranked in self.sorted.values()) >= count:
                high = middle
            else:
                low = middle + 1
        return np.int32(low).view(np.float32)

    def _cut(self, name: str, threshold: np.float32 | None, ties: int) -> Cut:
        """Prune everything below the threshold, and the first `ties` weights that equal it."""
        matrix = self.matrices[name]
        if threshold is None:
            return Cut(None, torch.ones(matrix.shape, dtype=torch.bool))
        if self._last is None or self._last[0] != name:
            self._last = name, magnitudes(matrix)
        magnitude = self._last[1]
        keep = magnitude > float(threshold)
        keep[(magnitude == float(threshold)).nonzero().squeeze(1)[ties:]] = True
        return Cut(float(threshold), keep.view(matrix.shape))

    def histogram(self, name: str, bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
        """Histogram of the magnitudes in `bins` equal bins from 0 to the largest: counts and edges."""
        ranked = self.sorted[name]
        edges = np.linspace(0, ranked[-1] or 1, bins + 1)
        below = np.searchsorted(ranked, edges[1:-1], "left")
        return np.diff([0, *below, len(ranked)]), edges


def numbers(cuts: dict[str, Cut]) -> pd.DataFrame:
    """Summary of several cuts of a matrix, one column per cut, formatted for display."""
    return pd.DataFrame(
        {
            way: {
                "cut at magnitude": "none" if cut.threshold is None else f"{cut.threshold:.4g}",
                "pruned": f"{cut.pruned:,}",
                "kept": f"{cut.kept:,}",
                "share pruned": f"{100 * cut.pruned / cut.mask.numel():.2f} %",
            }
            for way, cut in cuts.items()
        }
    )


def blocks(mask: Tensor, most: int = 160) -> np.ndarray:
    """A mask as an image of at most `most` × `most` pixels: the pruned share of each block of weights."""
    pruned = (~mask).numpy()
    rows, columns = (np.linspace(0, size, min(most, size) + 1).astype(int) for size in mask.shape)
    sums = np.stack([pruned[start:end].sum(axis=0) for start, end in pairwise(rows)])
    sums = np.add.reduceat(sums, columns[:-1], axis=1)
    return sums / np.outer(np.diff(rows), np.diff(columns))
