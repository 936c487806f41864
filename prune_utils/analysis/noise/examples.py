"""Noise over dev examples: other examples would give other accuracies, the same for all seeds."""

import numpy as np
import pandas as pd

from prune_utils.analysis.noise.means import Part


def part(correct: dict[str, pd.DataFrame], conditions: pd.MultiIndex, tasks: int) -> Part:
    """The covariance of means over `tasks` tasks, of which those of `correct` have predictions.

    `correct`: see `predictions.dev_correct`. What an example answers differently in another seed is part of the spread over
    seeds already, so it is subtracted: the rest is the variance between the examples' probabilities of a right answer.
    """
    every = [_of_task(table, conditions) for table in correct.values()]
    examples = min(table.shape[1] for table in correct.values())
    return Part(sum(every) / tasks**2, max(examples - 1, 1), lasting=True)


def _of_task(table: pd.DataFrame, conditions: pd.MultiIndex) -> np.ndarray:
    """The covariance of the accuracies of one task, shape (conditions, conditions)."""
    keys = ["arm", "target_sparsity"]
    table = table.groupby(level=[*keys, "seed"]).mean()  # over fine-tunings of one pre-trained model
    means = table.groupby(level=keys).mean().reindex(conditions).to_numpy(float)
    examples = means.shape[1]
    deviations = table - table.groupby(level=keys).transform("mean")
    within = np.zeros((len(conditions),) * 2)
    for _, one in deviations.groupby(level="seed"):
        one = one.droplevel("seed").reindex(conditions).fillna(0)
        within += one.to_numpy(float) @ one.to_numpy(float).T / examples
    seeds = table.groupby(level=keys).size().reindex(conditions).to_numpy(float)
    pairs = np.sqrt(np.outer(seeds * (seeds - 1), seeds * (seeds - 1)))
    within = np.divide(within, pairs, out=np.zeros_like(within), where=pairs > 0)
    return (np.atleast_2d(np.cov(means)) - within) / examples
