"""Movement: weights that training moves towards zero are pruned first.

Source: Sanh, Wolf, Rush 2020 (arXiv:2005.07683), equation 5 and Table 1 ("hard" movement, first order): the score S of a
weight W falls at every step by the product of W and the gradient of the loss, S ← S − η W ∂L/∂W, from 0. The gradient is that
of the pruned network, of pruned weights too, with the value that they had. A constant η does not change the order; it is 1.
The authors train S with Adam at a separate rate, which rescales steps by the size of the gradients; this is the plain sum.
"""

from torch import Tensor

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score


def update(state: Tensors, weight: Tensor, gradient: Tensor) -> Tensors:
    """Subtract the product of weights and gradients of one step."""
    step = weight * gradient
    return {"moved": state["moved"].sub_(step) if state else -step}


def value(matrices: Tensors, states: dict[str, Tensors], seed: int) -> Tensors:
    """The sums, negative where a weight has moved towards zero."""
    return {name: states[name]["moved"] for name in matrices}


SCORE = Score(value, update, seen="gradients")
