"""Diagonal Fisher: weights whose removal is expected to raise the loss least are pruned first, each by itself.

Source: LeCun et al. 1990 (Optimal Brain Damage), with the Hessian's diagonal replaced by that of the empirical Fisher matrix,
F = mean of (∂L/∂W)² over examples: the expected rise is W² F / 2.
"""

from torch import Tensor

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score


def update(state: Tensors, weight: Tensor, gradient: Tensor) -> Tensors:
    """Add the squared gradient of one example."""
    if not state:
        return {"squares": gradient**2, "count": gradient.new_ones(())}
    return {"squares": state["squares"].addcmul_(gradient, gradient), "count": state["count"] + 1}


def value(matrices: Tensors, states: dict[str, Tensors], seed: int) -> Tensors:
    """W² F / 2."""
    return {name: w.detach() ** 2 * states[name]["squares"] / states[name]["count"] / 2 for name, w in matrices.items()}


SCORE = Score(value, update, seen="gradients")
