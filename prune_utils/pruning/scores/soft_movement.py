"""Soft movement: trained scores that a regulariser pulls down, with one threshold for all matrices.

Source: Sanh, Wolf, Rush 2020 (arXiv:2005.07683), section 4: the mask is σ(S) > τ, and the loss has λ times the mean of σ(S). There,
τ is fixed and λ decides how many weights are pruned. Here the schedule sets the number, and τ is the threshold with that many below
it; λ is the authors' 400 for BERT-Base, per weight of its layers. σ does not change the order, so S itself is ranked.
"""

import torch
from torch import Tensor

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score
from prune_utils.pruning.scores.trained_movement import trained, value

PULL = 400 / 84_934_656  # λ / N: 12 layers of 4 × 768² and 2 × 768 × 3072 weights


def update(state: Tensors, weight: Tensor, gradient: Tensor) -> Tensors:
    """One step of Adam along the product of weights and gradients, and the slope of the regulariser."""
    kept = torch.sigmoid(state["score"]) if state else torch.full_like(weight, 0.5)
    return trained(state, weight * gradient + PULL * kept * (1 - kept))


SCORE = Score(value, update, seen="gradients")
