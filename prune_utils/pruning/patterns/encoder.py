"""Each matrix of the layers by itself; word embeddings and pooler stay whole.

So prune the sources of movement, uncertainty and Fisher scores. A score that is learnt on a task is 0 for words that its
examples do not have, so that a pattern with the embeddings deletes first what only pre-training has seen.
"""

import torch

from prune_utils.pruning.families import kind_and_layer
from prune_utils.pruning.patterns import matrix
from prune_utils.pruning.patterns.pattern import Pattern, SparsityMismatch, Tensors


def _layers(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if kind_and_layer(name)[1]}


def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
    """Prune the round(s·n) weights of lowest score in each matrix of a layer; `sparsity` is the share of these weights."""
    whole = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    return whole | matrix.choose(_layers(scores), sparsity, heads)


def check(masks: Tensors, sparsity: float, heads: int) -> None:
    """Raise SparsityMismatch unless round(s·n) weights of every matrix of a layer are pruned, and no others."""
    if cut := [name for name in masks.keys() - _layers(masks).keys() if not masks[name].all()]:
        raise SparsityMismatch(f"{cut[0]} has pruned weights, and lies outside of the layers")
    matrix.check(_layers(masks), sparsity, heads)


PATTERN = Pattern(choose, check)
