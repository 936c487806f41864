"""Movement as its authors train it: the score of a weight is a parameter with its own optimiser.

Source: Sanh, Wolf, Rush 2020 (arXiv:2005.07683), section 4 and appendix A.1: ∂L/∂S = W ∂L/∂W, as in `movement`, and S is trained
with Adam from 0, at a rate of 0.01. Adam divides every step by the usual size of that weight's steps, so a score measures how
steadily a weight moves, not how far.
"""

import torch
from torch import Tensor
from torch.optim.adam import adam

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score

RATE = 0.01


def trained(state: Tensors, slope: Tensor) -> Tensors:
    """The score and Adam's state after a step with the gradient `slope` of the score; an empty state is that before the first."""
    if not state:
        state = {name: torch.zeros_like(slope) for name in ("score", "mean", "square")}
        state["steps"] = torch.zeros((), device=slope.device)
    lists = [[state[name]] for name in ("score", "mean", "square", "steps")]
    score, mean, square, steps = lists
    options = {"amsgrad": False, "beta1": 0.9, "beta2": 0.999, "lr": RATE, "weight_decay": 0.0, "eps": 1e-8}
    adam(score, [slope], mean, square, [], steps, maximize=False, **options)
    return state


def update(state: Tensors, weight: Tensor, gradient: Tensor) -> Tensors:
    """One step of Adam along the product of weights and gradients."""
    return trained(state, weight * gradient)


def value(matrices: Tensors, states: dict[str, Tensors], seed: int) -> Tensors:
    """The trained scores."""
    return {name: states[name]["score"] for name in matrices}


SCORE = Score(value, update, seen="gradients")
