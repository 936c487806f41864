"""Scores: the weights of a model with the lowest score are pruned first. Pure functions.

A score of arms.yaml is the `SCORE` of the file of its name. `chooser` joins a score and a pattern into a function that prunes a model.
May import `masks` and `patterns`.
"""

from importlib import import_module

from prune_utils.pruning.patterns import pattern_of
from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Chooser, Score
from prune_utils.study.sections.arms import Zeros


def score_of(name: str) -> Score:
    """The score of a name of arms.yaml."""
    return import_module(f"{__name__}.{name}").SCORE


def chooser(zeros: Zeros, heads: int, seed: int = 0) -> Chooser:
    """A chooser that prunes as the row of an arm says. `heads`: attention heads per layer; `seed`: of random scores."""
    return Chooser(score_of(zeros.score), pattern_of(zeros.pattern), heads, seed)


def by_magnitude(pattern: str, matrices: Tensors, sparsity: float, heads: int = 0) -> Tensors:
    """Masks that prune the smallest magnitudes in a pattern."""
    return chooser(Zeros("magnitude", pattern, "start"), heads)(matrices, sparsity)


__all__ = ["Chooser", "Score", "by_magnitude", "chooser", "score_of"]
