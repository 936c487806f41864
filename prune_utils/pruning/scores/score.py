"""What every score has, and how it is joined with a pattern."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from prune_utils.pruning.masks import Unrankable
from prune_utils.pruning.patterns.pattern import Pattern, Tensors


@dataclass(frozen=True)
class Score:
    """`value(matrices, states, seed)` returns {matrix name: scores of its shape}; the lowest scores are pruned first.

    A score that reads more than weights has `update(state, weight, seen)`, which returns the state of one matrix after one
    more batch: {name: tensor}, at first empty. `seen` is the gradient of the loss of that batch, of the shape of `weight` (a batch is one example where gradients are measured), or
    the inputs of the matrix, shape (tokens, columns). `weight` holds, for a pruned weight, its value when it was pruned.
    """

    value: Callable[[Tensors, dict[str, Tensors], int], Tensors]
    update: Callable[[Tensors, Tensor, Tensor], Tensors] | None = None
    seen: Literal["gradients", "inputs"] | None = None


@dataclass
class Chooser:
    """A score and a pattern: maps matrices and a sparsity to masks. `states` has what the score has seen, by matrix."""

    score: Score
    pattern: Pattern
    heads: int  # attention heads per layer
    seed: int = 0
    states: dict[str, Tensors] = field(default_factory=dict)

    def see(self, name: str, weight: Tensor, seen: Tensor) -> None:
        """Add one batch to the state of a matrix."""
        self.states[name] = self.score.update(self.states.get(name, {}), weight, seen)

    def __call__(self, matrices: Tensors, sparsity: float) -> Tensors:
        """Masks of all matrices. Raises Unrankable if a weight or score is not finite, and ValueError
        if the score has seen nothing yet."""
        if self.score.update and not self.states:
            if sparsity == 0:  # a ramp begins before the first batch
                return {name: torch.ones_like(matrix, dtype=torch.bool) for name, matrix in matrices.items()}
            raise ValueError(f"a score that reads {self.score.seen} has seen none, so weights cannot be ranked")
        values = self.score.value(matrices, self.states, self.seed)
        if self.score.update and not all(bool(value.isfinite().all()) for value in values.values()):
            raise Unrankable("a score is NaN or infinite, so weights cannot be ranked")
        return self.pattern.choose(values, sparsity, self.heads)
