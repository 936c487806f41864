"""Pruned share of each attention head (paper Fig. 5)."""

from collections.abc import Callable
from functools import lru_cache

import pandas as pd
import torch
from torch import Tensor

from prune_utils.pruning import stored
from prune_utils.pruning.families import HEADS, in_heads, kind_and_layer
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.patterns.heads import sums
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study.grid import Run, gradual_runs
from prune_utils.study.schema import Study


def matrix_shares(name: str, mask: Tensor, heads: int) -> pd.Series | None:
    """Pruned share of each head's part of an attention matrix, with heads numbered from 1.

    A head owns rows of query, key and value, fused or not, and columns of the attention output. None for other matrices.
    """
    if not in_heads(name):
        return None
    dimension, blocks = HEADS[kind_and_layer(name)[0]]
    owned = (mask.T if dimension else mask).reshape(blocks, heads, -1).transpose(0, 1)
    shares = (~owned).reshape(heads, -1).double().mean(1)
    return pd.Series(shares.numpy(), index=pd.RangeIndex(1, heads + 1, name="head"))


def head_shares(masks: dict[str, Tensor], heads: int) -> pd.DataFrame:
    """Pruned share of every attention head: columns layer, head (both numbered from 1), pruned_share.

    `masks`: {matrix name: mask, 1 keeps}; `heads`: heads per layer. A head of size d owns d rows of query, key and
    value and d columns of the attention output; the share is over these 4·d·width weights.
    """
    pruned = sums({name: ~mask for name, mask in masks.items()}, heads)
    whole = sums({name: torch.ones_like(mask) for name, mask in masks.items()}, heads)
    rows = [
        {"layer": layer, "head": head, "pruned_share": share}
        for layer in sorted(whole)
        for head, share in enumerate((pruned[layer].double() / whole[layer]).tolist(), start=1)
    ]
    return pd.DataFrame(rows)


def heads_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """Pruned shares in the gradual runs: columns seed, sparsity, layer, head, pruned_share."""
    return _frame(study, seeds, lambda run: load_masks(run.checkpoint(study.study) / MASKS))


def one_shot_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """As `heads_frame`, for the 0 % run of each seed cut at every sparsity in one shot, as in the paper's figure."""

    @lru_cache(maxsize=1)
    def dense(seed: int) -> dict[str, Tensor]:
        return stored.matrices(Run("gradual", 0.0, seed).checkpoint(study.study))

    return _frame(study, seeds, lambda run: magnitude_masks(dense(run.seed), run.sparsity))


def _frame(study: Study, seeds: list[int], masks: Callable[[Run], dict[str, Tensor]]) -> pd.DataFrame:
    parts = []
    for run in gradual_runs(study, seeds):
        shares = head_shares(masks(run), stored.heads(run.checkpoint(study.study)))
        parts.append(shares.assign(seed=run.seed, sparsity=run.sparsity))
    return pd.concat(parts, ignore_index=True)[["seed", "sparsity", "layer", "head", "pruned_share"]]
