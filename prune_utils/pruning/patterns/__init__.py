"""Patterns: what is chosen together when a model is pruned. Pure functions of scores.

A pattern of arms.yaml is the `PATTERN` of the file of its name. `choose` takes {matrix name: tensor of scores} of every
prunable matrix, the sparsity, and the number of attention heads per layer, and returns {matrix name: bool mask}; the lowest
scores are pruned. `check` raises SparsityMismatch unless masks have the exact count.
May import `masks` and `families`.
"""

from importlib import import_module

from prune_utils.pruning.patterns import encoder, n_of_m
from prune_utils.pruning.patterns.pattern import Pattern, SparsityMismatch
from prune_utils.study.sections.arms import ENCODER, PATTERNS


def pattern_of(name: str) -> Pattern:
    """The pattern of a name: one of arms.yaml, N:M, or `encoder:` and one of these. Raises ValueError for others."""
    if name.startswith(ENCODER):
        return encoder.inside(pattern_of(name.removeprefix(ENCODER)))
    if ":" in name:
        return n_of_m.pattern(*map(int, name.split(":")))
    if name not in PATTERNS:
        raise ValueError(
            f"pattern is {name!r}; allowed are {', '.join(PATTERNS)}, N:M, and {ENCODER} with one of these"
        )
    return import_module(f"{__name__}.{name}").PATTERN


__all__ = ["Pattern", "SparsityMismatch", "pattern_of"]
