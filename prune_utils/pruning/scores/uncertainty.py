"""Sensitivity with uncertainty: weights whose removal would surely change the loss little are pruned first (PLATON).

Source: Zhang et al. 2022 (arXiv:2206.12562), equations 5 to 9. The sensitivity of a weight at one step, I = |W ∂L/∂W|, is
smoothed, Ī ← β₁ Ī + (1 − β₁) I; so is its distance from what was expected, Ū ← β₂ Ū + (1 − β₂) |I − Ī|; the score is Ī · Ū.
β₁ and β₂ are those of the authors' code. Theirs keeps training pruned weights, from zero; here a pruned weight keeps its value.
"""

from torch import Tensor

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score

SENSITIVITY, UNCERTAINTY = 0.85, 0.95  # β₁ and β₂


def update(state: Tensors, weight: Tensor, gradient: Tensor) -> Tensors:
    """Add one step to both averages, which start at zero."""
    sensitivity = (weight * gradient).abs()
    smooth = SENSITIVITY * state.get("smooth", 0 * sensitivity) + (1 - SENSITIVITY) * sensitivity
    uncertain = UNCERTAINTY * state.get("uncertain", 0 * sensitivity) + (1 - UNCERTAINTY) * (sensitivity - smooth).abs()
    return {"smooth": smooth, "uncertain": uncertain}


def value(matrices: Tensors, states: dict[str, Tensors], seed: int) -> Tensors:
    """Products of smoothed sensitivity and uncertainty."""
    return {name: states[name]["smooth"] * states[name]["uncertain"] for name in matrices}


SCORE = Score(value, update, seen="gradients")
