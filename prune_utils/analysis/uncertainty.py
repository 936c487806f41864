"""Uncertainty of a study's means over seeds and over dev examples.

A seed determines the order of the data, the weights of the new head, dropout and, for new models and random masks, the
starting weights and masks. All arms of a seed share its pre-trained model. The draws hold the noise that remains after
the seed's common shift, which cancels in differences between arms or sparsities.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prune_utils.analysis.estimates import COUNT, LEVEL, Estimate
from prune_utils.analysis.results import UNIT, in_means, mean_over_tasks
from prune_utils.study.schema import ARMS

COMPARED = ("dense", "pretrain", "information_deletion", "downstream")  # arms whose spread is pooled
APART = set(ARMS) - set(COMPARED)  # those whose spread is not; the arms of a table's own are compared


@dataclass(frozen=True)
class Draws:
    """Means by condition (arm or method, sparsity) and draws of them, one row per draw, one column per condition.

    `covers`: the sources of noise in the draws, "seeds" and "dev examples", or those "of classification tasks" only.
    Draws of a condition whose spread is unknown, as in a table, are NaN.
    """

    point: pd.Series
    drawn: pd.DataFrame
    covers: tuple[str, ...]

    def has(self, *conditions: tuple[str, float]) -> bool:
        return all(condition in self.point.index for condition in conditions)

    def known(self, *conditions: tuple[str, float]) -> bool:
        """Whether the spread of all these conditions is known."""
        return bool(self.covers) and not self.drawn[list(conditions)].isna().any(axis=None)

    def ends(self) -> pd.DataFrame:
        """The interval of each mean: columns low and high, one row per condition; NaN without noise."""
        ends = self.drawn.quantile([(1 - LEVEL) / 2, (1 + LEVEL) / 2]).T.set_axis(["low", "high"], axis=1)
        return ends if self.covers else ends * np.nan

    def difference(self, one: tuple[str, float], other: tuple[str, float]) -> Estimate:
        """The paired difference of two conditions; without draws for a single seed, which must not give a verdict."""
        known = "seeds" in self.covers and self.known(one, other)
        drawn = self.drawn[one] - self.drawn[other] if known else np.empty(0)
        return Estimate(float(self.point[one] - self.point[other]), np.asarray(drawn))

    def mean_difference(self, one: str, other: str, sparsities: list[float]) -> Estimate:
        """The difference of two arms, averaged over sparsities."""
        parts = [self.difference((one, s), (other, s)) for s in sparsities]
        known = all(len(p.draws) for p in parts)
        drawn = np.mean([p.draws for p in parts], axis=0) if known else np.empty(0)
        return Estimate(float(np.mean([p.value for p in parts])), drawn)


def accuracy_draws(cells: pd.DataFrame, correct: dict[str, pd.DataFrame] | None = None, seed: int = 0) -> Draws:
    """Draws of mean dev accuracy over tasks.

    Seeds: normal noise with the spread pooled over the compared arms and sparsities; the spread itself is drawn from
    its chi-square distribution. In a table of means with standard deviations: Student t noise of each mean with the
    error std/√n and n - 1 degrees of freedom, tasks and conditions being independent. Dev examples: paired bootstrap, with the same examples for all cells of a task.
    `correct`: see `results.dev_correct`; None omits the bootstrap.
    """
    random = np.random.default_rng(seed)
    means = mean_over_tasks(cells)
    grouped = means.groupby(["arm", "target_sparsity"]).dev_accuracy.agg(["mean", "size"])
    noise, covers = np.zeros((COUNT, len(grouped))), []
    if {"std", "n"} <= set(cells):
        stated = _stated_noise(in_means(cells).merge(means[UNIT]), grouped.index, random)
        if not np.isnan(stated).all():
            covers.append("seeds")
            noise += stated
    elif (spread := seed_spread(cells)) is not None:
        covers.append("seeds")
        noise += _seed_noise(*spread, grouped["size"].to_numpy(), random)
    if correct:
        tasks = cells[cells.selected].task.nunique()  # of the means; those of regression are not redrawn
        covers.append("dev examples" if len(correct) == tasks else "dev examples of classification tasks")
        noise += sum(_example_noise(correct[task], grouped.index, random) for task in sorted(correct)) / tasks
    drawn = pd.DataFrame(grouped["mean"].to_numpy() + noise, columns=grouped.index)
    return Draws(grouped["mean"], drawn, tuple(covers))


def loss_draws(runs: pd.DataFrame, seed: int = 1) -> Draws:
    """Draws of held-out pre-training loss by (method, sparsity), with the spread of the gradual runs over seeds."""
    runs = runs[runs.method != "dense"].dropna(subset="pretrain_loss")
    grouped = runs.groupby(["method", "target_sparsity"]).pretrain_loss.agg(["mean", "size"])
    gradual = runs[runs.method == "gradual"]
    spread = _two_way(gradual.pivot_table(index="seed", columns="target_sparsity", values="pretrain_loss"))
    noise, covers = np.zeros((COUNT, len(grouped))), ()
    if spread is not None:
        noise, covers = _seed_noise(*spread, grouped["size"].to_numpy(), np.random.default_rng(seed)), ("seeds",)
    return Draws(grouped["mean"], pd.DataFrame(grouped["mean"].to_numpy() + noise, columns=grouped.index), covers)


def seed_spread(cells: pd.DataFrame) -> tuple[float, float] | None:
    """Standard deviation of one seed's mean over tasks, and its degrees of freedom; None for a single seed.

    If pruned arms were repeated: from the residuals after subtracting seed and condition means; if seeds differ between
    arms, after subtracting condition means. If only the dense model was repeated, as in the paper's 0 % rows: from its
    repetitions per task, with tasks treated as independent.
    """
    means = mean_over_tasks(cells)
    means = means[~means.arm.isin(APART)]
    if means[means.arm != "dense"].seed.nunique() > 1:
        table = means.pivot_table(index="seed", columns=["arm", "target_sparsity"], values="dev_accuracy")
        return _two_way(table) or _one_way(table)
    dense = in_means(cells)
    dense = dense[dense.arm == "dense"]
    repeated = dense.pivot_table(index="seed", columns="task", values="dev_accuracy").dropna()
    if len(repeated) < 2:
        return None
    variances, tasks = repeated.var(ddof=1), repeated.shape[1]
    if not variances.any():
        return None
    freedom = (
        variances.sum() ** 2 / (variances**2 / (len(repeated) - 1)).sum()
    )  # Satterthwaite: the noise differs between tasks
    return float(np.sqrt(variances.sum()) / tasks), float(freedom)


def _two_way(table: pd.DataFrame) -> tuple[float, float] | None:
    """Spread and degrees of freedom of the residuals of a table of seeds by conditions (two-way, no interaction)."""
    table = table.dropna(axis=1)
    seeds, conditions = table.shape
    if seeds < 2 or conditions < 2:
        return None
    rest = table.sub(table.mean(axis=1), axis=0).sub(table.mean(axis=0), axis=1) + table.to_numpy().mean()
    freedom = (seeds - 1) * (conditions - 1)
    return float(np.sqrt((rest.to_numpy() ** 2).sum() / freedom)), freedom


def _one_way(table: pd.DataFrame) -> tuple[float, float] | None:
    """Spread and degrees of freedom within the conditions of a table of seeds by conditions."""
    freedom = int((table.count() - 1).clip(lower=0).sum())
    squares = table.sub(table.mean(axis=0), axis=1).pow(2).to_numpy()
    return (float(np.sqrt(np.nansum(squares) / freedom)), freedom) if freedom else None


def _stated_noise(rows: pd.DataFrame, conditions: pd.MultiIndex, random: np.random.Generator) -> np.ndarray:
    """Noise of the mean of each condition from the `std` and `n` of its rows: shape (COUNT, conditions), NaN if unknown."""
    error = (rows["std"] / np.sqrt(rows.n)).where(rows.n > 1).to_numpy()
    drawn = error * random.standard_t(np.maximum(rows.n.fillna(2) - 1, 1), (COUNT, len(rows)))
    place = conditions.get_indexer(pd.MultiIndex.from_frame(rows[UNIT[:2]]))
    return np.column_stack([drawn[:, place == at].mean(axis=1) for at in range(len(conditions))])


def _seed_noise(spread: float, freedom: float, sizes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Noise of shape (COUNT, conditions); `sizes` is the number of seeds of each condition."""
    drawn_spread = spread * np.sqrt(freedom / random.chisquare(freedom, (COUNT, 1)))
    return drawn_spread * random.standard_normal((COUNT, len(sizes))) / np.sqrt(sizes)


def _example_noise(correct: pd.DataFrame, conditions: pd.MultiIndex, random: np.random.Generator) -> np.ndarray:
    """Change of each condition's accuracy on one task under the bootstrap: shape (COUNT, conditions)."""
    by_condition = correct.groupby(level=["arm", "target_sparsity"]).mean().reindex(conditions).to_numpy(float)
    examples = by_condition.shape[1]
    times = random.multinomial(examples, np.full(examples, 1 / examples), COUNT)
    return times @ (by_condition - by_condition.mean(1, keepdims=True)).T / examples
