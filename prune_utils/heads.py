"""How much of each attention head is pruned (paper Fig. 5)."""

import pandas as pd
from torch import Tensor

from prune_utils import paths, stored
from prune_utils.packed import MASKS, load_masks
from prune_utils.schema import Study

PROJECTIONS = ("query", "key", "value")


def head_shares(masks: dict[str, Tensor], heads: int) -> pd.DataFrame:
    """The share pruned of every attention head: columns layer, head (both counted from 1), pruned_share.

    `masks`: of all matrices, by name, 1 keeps; `heads`: of each layer. To a head of size d belong d rows of query,
    key and value, which make its vectors, and d columns of the attention output, which read what it says;
    the share is over these 4·d·width weights together.
    """
    layers = sum(name.endswith("attention.self.query.weight") for name in masks)
    rows = []
    for layer in range(layers):
        attention = f"encoder.layer.{layer}.attention"
        owned = [masks[f"{attention}.self.{name}.weight"] for name in PROJECTIONS]
        owned.append(masks[f"{attention}.output.dense.weight"].T)
        shares = sum((~mask).reshape(heads, -1).double().mean(1) for mask in owned) / len(owned)
        rows += [{"layer": layer + 1, "head": h, "pruned_share": share} for h, share in enumerate(shares.tolist(), 1)]
    return pd.DataFrame(rows)


def heads_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """The shares in the gradual runs: columns seed, sparsity, layer, head, pruned_share."""
    parts = []
    for seed in seeds:
        for sparsity in study.grid.sparsities:
            folder = paths.pretraining(study.study, "gradual", sparsity, seed) / paths.CHECKPOINT
            parts.append(
                head_shares(load_masks(folder / MASKS), stored.heads(folder)).assign(seed=seed, sparsity=sparsity)
            )
    return pd.concat(parts, ignore_index=True)[["seed", "sparsity", "layer", "head", "pruned_share"]]


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean, min and max of `heads_frame`'s shares over all heads and seeds, by sparsity."""
    return frame.groupby("sparsity").pruned_share.agg(["mean", "min", "max"])
