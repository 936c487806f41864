"""Noise over seeds: means by additive least squares, variances by sparsity, and effects of arm and seed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.sparse.csgraph import connected_components

from prune_utils.analysis.noise import variances
from prune_utils.analysis.noise.estimates import ROUNDING
from prune_utils.analysis.noise.means import Part

WIDEST = 20.0  # largest ratio of two weights: no condition has the effects of seeds for itself, which would leave it no residual
STEPS = 50  # in which weights and variances settle; fewer than ten are needed


@dataclass(frozen=True)
class Units:
    """Mean over tasks of each seed (row) and condition (column), cells that are missing filled in.

    `number`, shape (conditions,): seeds behind each mean, averaged over tasks;
    `inverse`: the mean over tasks of 1 / seeds. `paired`: whether seeds have effects of their own, which all conditions share.
    """

    values: pd.DataFrame
    number: np.ndarray
    inverse: np.ndarray
    paired: bool


def units(cells: pd.DataFrame, value: str) -> Units:
    """The units of the conditions that have a seed on every task.

    `cells`: one row per task, arm, target_sparsity and seed. On each task, accuracy is the sum of an effect of the
    condition and one of the seed, fitted by least squares to the cells that exist. If seeds are not shared between
    conditions, they have no effect of their own.
    """
    wide = cells.pivot_table(index=["task", "seed"], columns=["arm", "target_sparsity"], values=value)
    if wide.empty:
        return Units(pd.DataFrame(columns=wide.columns, dtype=float), np.empty(0), np.empty(0), False)
    tables = [table.droplevel("task") for _, table in wide.groupby(level="task")]
    kept = np.logical_and.reduce([table.notna().any() for table in tables])
    seeds = sorted(set(wide.index.get_level_values("seed")))
    tables = [table.loc[:, kept].reindex(seeds) for table in tables]
    paired = bool(kept.any()) and all(_connected(table.notna().to_numpy()) for table in tables)
    values = sum(_filled(table.to_numpy(), paired) for table in tables) / len(tables)
    counts = np.array([table.notna().sum().to_numpy() for table in tables])
    return Units(
        pd.DataFrame(values, seeds, wide.columns[kept]), counts.mean(axis=0), (1 / counts).mean(axis=0), paired
    )


def _connected(known: np.ndarray) -> bool:
    """Whether conditions can be compared within seeds: shape (seeds, conditions)."""
    known = known[known.any(axis=1)]
    seeds, conditions = known.shape
    if (known.sum(axis=1) > 1).sum() < min(2, seeds):
        return False
    graph = np.zeros((seeds + conditions,) * 2)
    graph[:seeds, seeds:] = known
    return connected_components(graph, directed=False, return_labels=False) == 1


def _filled(values: np.ndarray, paired: bool) -> np.ndarray:
    """The table with missing cells replaced by the least-squares fit of condition and seed, or of the condition alone."""
    seed, condition = np.nonzero(~np.isnan(values))
    count, wide = values.shape
    if len(seed) == values.size:
        return values
    design = np.zeros((len(seed), wide + count))
    design[np.arange(len(seed)), condition] = 1
    design[np.arange(len(seed)), wide + seed] = paired
    fit = np.linalg.lstsq(design, values[seed, condition], rcond=None)[0]
    effects, there = fit[wide:] * paired, np.isin(np.arange(count), seed)
    effects = np.where(there, effects, effects[there].mean())  # a seed without any cell is an average one
    return np.where(np.isnan(values), fit[:wide] + effects[:, None], values)


def parts(found: Units, pooled: np.ndarray) -> list[Part]:
    """The components of the noise of the means over seeds; none if nothing was repeated.

    `pooled`: which conditions share one variance by sparsity, shape (conditions,); the others have their own by arm.
    """
    arms, sparsities = (found.values.columns.get_level_values(level).to_numpy() for level in (0, 1))
    families, values = np.where(pooled, "", arms), found.values.to_numpy()
    centred, least = values - values.mean(axis=0), (ROUNDING * np.abs(values).max(initial=0)) ** 2
    weights = pooled.astype(float) if pooled.any() else np.ones(len(pooled))
    for _ in range(STEPS if found.paired else 1):
        total = weights.sum()
        shift = centred @ weights / total * found.paired
        rest = centred - shift[:, None]
        share = weights / total * found.paired  # of a condition in the effect of a seed
        freedom = np.maximum(found.number - 1, 0) * (1 - share)
        variance, known = variances.by_family(families, sparsities, (rest**2).sum(axis=0), freedom, least)
        if np.isnan(variance).all():
            return []  # nothing was repeated, or seeds are copies of each other
        largest = variance[pooled].max(initial=0)
        if not largest > 0:  # nothing pooled was repeated, or it is one condition
            break
        renewed = np.where(pooled, 1 / np.maximum(variance, largest / WIDEST), 0)
        if np.allclose(renewed, weights, rtol=1e-3):
            break
        weights = renewed
    if found.paired and pooled.sum() == 1:  # all others are compared with it: their residuals hold its noise, too
        variance[pooled & (found.number > 1)] = 0
    effect = np.nanmean(variance) / np.isfinite(variance).sum()  # variance of the effect of a seed, see `_filled`
    spare = np.maximum(found.inverse - 1 / len(centred), 0) * found.paired * effect
    common, by_arm = _arm_by_seed(rest, arms, pooled, weights, variance, found)
    of_means = (variance - common) * found.inverse + spare
    most = {name: freedom[families == name].sum() or 1.0 for name in families}
    by_group = [
        Part(
            np.diag(np.where((families == name) & (sparsities == s), of_means, 0)),
            known[name, s],
            family=name,
            most=most[name],
        )
        for name, s in known
    ]
    return by_group + by_arm


def _arm_by_seed(rest, arms, pooled, weights, variance, found: Units) -> tuple[np.ndarray, list[Part]]:
    """What a seed does to an arm at all its sparsities: its share in each variance, and the covariance of the means.

    It is estimated from the products of residuals at different sparsities. That may be negative, and with few seeds is
    uncertain, so it is replaced by its mean given that it is not negative, under a flat prior. If seeds are not shared, what
    a seed does to all its cells is part of it; arms that do share some are then taken as independent, which is too wide.
    """
    names = [name for name in dict.fromkeys(arms[pooled]) if (arms[pooled] == name).sum() > 1]
    seeds, total = len(rest), weights.sum()
    if len(names) < 1 + found.paired or np.isnan(variance[pooled]).any():
        return np.zeros(len(arms)), []
    shares = {name: weights[arms == name].sum() / total * found.paired for name in dict.fromkeys(arms[pooled])}
    # the share of such an effect that is left once the seed's own effect, their weighted mean, is removed
    left = {name: 1 - 2 * share + sum(other**2 for other in shares.values()) for name, share in shares.items()}
    lasting = np.array([left.get(arm, 0.0) for arm in arms]) * pooled / (1 - weights / total * found.paired)
    products, scale, single, repeats = 0.0, 0.0, [], []
    for name in names:
        own = np.flatnonzero((arms == name) & pooled)
        pairs = len(own) * (len(own) - 1)
        products += (rest[:, own].sum(axis=1) ** 2 - (rest[:, own] ** 2).sum(axis=1)).sum()
        repeats.append(seeds - 1 if found.paired else max(found.number[own].mean() - 1, 0))
        # what the seed's effect, estimated from these residuals, takes away
        products += pairs * repeats[-1] / total * found.paired
        scale += pairs * repeats[-1] * left[name]
        single.append(variance[own].mean() / len(own))
    freedom = (len(names) - 1) * (seeds - 1) if found.paired else sum(repeats)
    estimate = products / scale if freedom else 0.0
    error = (max(estimate, 0) + np.mean(single)) * np.sqrt(2 / freedom) if freedom else 0.0
    if not error > 0:
        return np.zeros(len(arms)), []
    most = (variance[pooled] / lasting[pooled]).min()
    common = min(stats.truncnorm.mean(-estimate / error, np.inf, estimate, error), most)
    covariance = (arms[:, None] == arms) & pooled & pooled[:, None]
    each = 1 / seeds if found.paired else np.sqrt(np.outer(found.inverse, found.inverse))
    return common * lasting, [Part(covariance * common * each, freedom)]
