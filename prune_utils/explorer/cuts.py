"""Thresholds on the magnitudes of a matrix: ranked per matrix, and over all matrices together."""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from prune_utils.pruning.masks import magnitude_mask, magnitudes, pruned_count


class Cut(NamedTuple):
    """`threshold`: the largest pruned magnitude, None if nothing is pruned; `mask`: 1 keeps."""

    threshold: float | None
    mask: Tensor

    @property
    def kept(self) -> int:
        return int(self.mask.sum())

    @property
    def pruned(self) -> int:
        return self.mask.numel() - self.kept


class Cuts:
    """The cuts of {name: matrix}, in the order of the model. Raises ValueError if a weight is not finite."""

    def __init__(self, matrices: dict[str, Tensor]):
        self.matrices = matrices
        # sorted once, so that moving a slider needs no new ranking of all weights
        self.ranked = np.concatenate([magnitudes(matrix).numpy() for matrix in matrices.values()])
        self.ranked.sort()

    def own(self, name: str, sparsity: float) -> Cut:
        """Cut one matrix by its own magnitudes, as `criteria.per_matrix` does."""
        matrix = self.matrices[name]
        mask = magnitude_mask(matrix, sparsity)
        return Cut(None if mask.all() else matrix[~mask].abs().max().item(), mask)

    def overall(self, name: str, sparsity: float) -> Cut:
        """Cut one matrix by the magnitudes of all matrices together, as `criteria.over_all` does."""
        count = pruned_count(len(self.ranked), sparsity)
        if not count:
            return self.own(name, 0)
        threshold, names = float(self.ranked[count - 1]), list(self.matrices)
        *before, ties = [int((self.matrices[n].abs() == threshold).sum()) for n in names[: names.index(name) + 1]]
        # weights equal to the threshold are pruned in the order of the matrices, until the count is reached
        missing = count - np.searchsorted(self.ranked, self.ranked[count - 1]) - sum(before)
        matrix = self.matrices[name]
        pruned = int((matrix.abs() < threshold).sum()) + np.clip(missing, 0, ties)
        return Cut(threshold, magnitude_mask(matrix, pruned / matrix.numel()))

    @cache  # noqa: B019 the cuts of one checkpoint are open per notebook, for as long as the notebook
    def histogram(self, name: str, bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
        """Histogram of the magnitudes in `bins` equal bins from 0 to the largest: counts and edges."""
        magnitude = magnitudes(self.matrices[name]).numpy()
        return np.histogram(magnitude, np.linspace(0, magnitude.max() or 1, bins + 1))


def numbers(cuts: dict[str, Cut]) -> pd.DataFrame:
    """Summary of several cuts of a matrix, one column per cut, formatted for display."""
    rows = {
        "cut at magnitude": ["none" if cut.threshold is None else f"{cut.threshold:.4g}" for cut in cuts.values()],
        "pruned": [f"{cut.pruned:,}" for cut in cuts.values()],
        "kept": [f"{cut.kept:,}" for cut in cuts.values()],
        "share pruned": [f"{100 * cut.pruned / cut.mask.numel():.2f} %" for cut in cuts.values()],
    }
    return pd.DataFrame.from_dict(rows, "index", columns=list(cuts))


def blocks(mask: Tensor, most: int = 160) -> np.ndarray:
    """A mask as an image of at most `most` × `most` pixels: the pruned share of each block of weights."""
    rows, columns = (np.linspace(0, size, min(most, size) + 1).astype(int) for size in mask.shape)
    sums = np.stack([(~mask[start:end]).sum(0).numpy() for start, end in pairwise(rows)])
    return np.add.reduceat(sums, columns[:-1], axis=1) / np.outer(np.diff(rows), np.diff(columns))
