"""What a study's means could have been with other seeds and other dev examples.

Two seeds of a cell differ in the order of the data, the drawn head, the masked tokens' dropout and, where a model is
made from nothing or masks are random, in starting weights and masks: all that `seed` seeds. All arms of a seed share
its pre-trained model, so what is drawn here is what is left after the seed's own shift: of differences between arms
and sparsities the shift is no part.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prune_utils.analysis.estimates import COUNT, LEVEL, Estimate
from prune_utils.analysis.results import mean_over_tasks

COMPARED = ("dense", "pretrain", "information_deletion", "downstream")  # the arms whose spread is pooled


@dataclass(frozen=True)
class Draws:
    """`point`: a mean for every condition (arm or method, sparsity); `drawn`: a row a draw, a column a condition;
    `covers`: what varies between draws, of "seeds" and "dev examples"."""

    point: pd.Series
    drawn: pd.DataFrame
    covers: tuple[str, ...]

    def has(self, *conditions: tuple[str, float]) -> bool:
        return all(condition in self.point.index for condition in conditions)

    def ends(self) -> pd.DataFrame:
        """The interval of each mean, columns low and high, a row a condition; NaN where nothing varies."""
        ends = self.drawn.quantile([(1 - LEVEL) / 2, (1 + LEVEL) / 2]).T.set_axis(["low", "high"], axis=1)
        return ends if self.covers else ends * np.nan

    def difference(self, one: tuple[str, float], other: tuple[str, float]) -> Estimate:
        """Of two conditions, paired. Without several seeds it has no draws: one seed is no ground for a verdict."""
        drawn = self.drawn[one] - self.drawn[other] if "seeds" in self.covers else np.empty(0)
        return Estimate(float(self.point[one] - self.point[other]), np.asarray(drawn))

    def mean_difference(self, one: str, other: str, sparsities: list[float]) -> Estimate:
        """The mean over some sparsities of the difference of two arms."""
        parts = [self.difference((one, s), (other, s)) for s in sparsities]
        return Estimate(float(np.mean([p.value for p in parts])), np.mean([p.draws for p in parts], axis=0))


def accuracy_draws(cells: pd.DataFrame, correct: dict[str, pd.DataFrame] | None = None, seed: int = 0) -> Draws:
    """Draws of mean dev accuracy over tasks.

    `correct`, where predictions were kept: by task, a row a selected cell (indexed by arm, target_sparsity, seed) and
    a column a dev example, True where it was answered right. Seeds: normal noise of the spread pooled over the
    compared arms and sparsities, itself drawn with its degrees of freedom. Dev examples: the paired bootstrap, the
    same examples redrawn for all cells of a task.
    """
    random = np.random.default_rng(seed)
    means = mean_over_tasks(cells)
    grouped = means.groupby(["arm", "target_sparsity"]).dev_accuracy.agg(["mean", "size"])
    noise, covers = np.zeros((COUNT, len(grouped))), []
    if (spread := seed_spread(cells)) is not None:
        covers.append("seeds")
        noise += _seed_noise(*spread, grouped["size"].to_numpy(), random)
    if correct:
        covers.append("dev examples")
        noise += sum(_example_noise(correct[task], grouped.index, random) for task in sorted(correct)) / len(correct)
    drawn = pd.DataFrame(grouped["mean"].to_numpy() + noise, columns=grouped.index)
    return Draws(grouped["mean"], drawn, tuple(covers))


def loss_draws(runs: pd.DataFrame, seed: int = 1) -> Draws:
    """Draws of held-out pre-training loss by (method, sparsity), with the spread over seeds of the gradual runs."""
    runs = runs[runs.method != "dense"].dropna(subset="pretrain_loss")
    grouped = runs.groupby(["method", "target_sparsity"]).pretrain_loss.agg(["mean", "size"])
    gradual = runs[runs.method == "gradual"]
    spread = _two_way(gradual.pivot_table(index="seed", columns="target_sparsity", values="pretrain_loss"))
    noise, covers = np.zeros((COUNT, len(grouped))), ()
    if spread is not None:
        noise, covers = _seed_noise(*spread, grouped["size"].to_numpy(), np.random.default_rng(seed)), ("seeds",)
    return Draws(grouped["mean"], pd.DataFrame(grouped["mean"].to_numpy() + noise, columns=grouped.index), covers)


def seed_spread(cells: pd.DataFrame) -> tuple[float, float] | None:
    """The standard deviation of one seed's mean over tasks, and its degrees of freedom; None from a single seed.

    Where every arm has the same seeds, what is left after seed and condition are taken out. Where only the dense
    model was repeated (the paper's 0 % rows), its repetitions task by task, tasks taken as independent.
    """
    means = mean_over_tasks(cells)
    means = means[means.arm.isin(COMPARED)]
    if means[means.arm != "dense"].seed.nunique() > 1:
        return _two_way(means.pivot_table(index="seed", columns=["arm", "target_sparsity"], values="dev_accuracy"))
    dense = cells[cells.selected & (cells.arm == "dense")]
    repeated = dense.pivot_table(index="seed", columns="task", values="dev_accuracy").dropna()
    if len(repeated) < 2:
        return None
    variances, tasks = repeated.var(ddof=1), repeated.shape[1]
    freedom = variances.sum() ** 2 / (variances**2 / (len(repeated) - 1)).sum()  # Satterthwaite: tasks differ in noise
    return float(np.sqrt(variances.sum()) / tasks), float(freedom)


def _two_way(table: pd.DataFrame) -> tuple[float, float] | None:
    """Spread and degrees of freedom of a table of seeds by conditions after both means are taken out."""
    table = table.dropna(axis=1)
    seeds, conditions = table.shape
    if seeds < 2 or conditions < 2:
        return None
    rest = table.sub(table.mean(axis=1), axis=0).sub(table.mean(axis=0), axis=1) + table.to_numpy().mean()
    freedom = (seeds - 1) * (conditions - 1)
    return float(np.sqrt((rest.to_numpy() ** 2).sum() / freedom)), freedom


def _seed_noise(spread: float, freedom: float, sizes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shape (COUNT, conditions); `sizes` are the seeds that each condition is a mean of."""
    drawn_spread = spread * np.sqrt(freedom / random.chisquare(freedom, (COUNT, 1)))
    return drawn_spread * random.standard_normal((COUNT, len(sizes))) / np.sqrt(sizes)


def _example_noise(correct: pd.DataFrame, conditions: pd.MultiIndex, random: np.random.Generator) -> np.ndarray:
    """How far each condition's accuracy on one task moves when its dev examples are redrawn: (COUNT, conditions)."""
    by_condition = correct.groupby(level=["arm", "target_sparsity"]).mean().reindex(conditions).to_numpy(float)
    examples = by_condition.shape[1]
    times = random.multinomial(examples, np.full(examples, 1 / examples), COUNT)
    return times @ (by_condition - by_condition.mean(1, keepdims=True)).T / examples
