"""Any pattern inside the layers, by default each matrix by itself; word embeddings and pooler are not pruned.

The sources of movement, uncertainty and Fisher scores prune in this way. A score that is learnt on a task is 0 for words that do
not occur in its examples, so a pattern with the embeddings would first delete what only pre-training has seen.
"""

import torch

from prune_utils.pruning.families import kind_and_layer
from prune_utils.pruning.patterns import matrix
from prune_utils.pruning.patterns.pattern import Pattern, SparsityMismatch, Tensors


def _layers(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if kind_and_layer(name)[1]}


def inside(pattern: Pattern) -> Pattern:
    """`pattern` among the matrices of the layers; its sparsity is the share of their weights."""

    def choose(scores: Tensors, sparsity: float, heads: int) -> Tensors:
        whole = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
        return whole | pattern.choose(_layers(scores), sparsity, heads)

    def check(masks: Tensors, sparsity: float, heads: int) -> None:
        """Raise SparsityMismatch also if weights outside of the layers are pruned."""
        if cut := [name for name in masks.keys() - _layers(masks).keys() if not masks[name].all()]:
            raise SparsityMismatch(f"{cut[0]} has pruned weights, and lies outside of the layers")
        pattern.check(_layers(masks), sparsity, heads)

    return Pattern(choose, check)


PATTERN = inside(matrix.PATTERN)
