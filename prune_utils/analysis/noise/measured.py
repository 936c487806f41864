"""Means of dev accuracy and of pre-training loss with their noise, for a study or a table."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from prune_utils.analysis.noise import examples, seeds, tables
from prune_utils.analysis.noise.means import DENSE, REPEATED, Means, Part
from prune_utils.analysis.results import UNIT, comparable, in_means, with_own_zero

COMPARED = ("dense", "pretrain", "information_deletion", "downstream")  # arms whose variance is pooled
# those that have their own, in a table too. All of `frozen` starts from the run of `dense`: pooled, its
# cells would take that run for the shift that all conditions of a seed share, and other intervals would be too narrow
APART = {"scratch", "frozen", "random"}
# the dense model, trained as long as `downstream`: it, too, shares a run with the dense model
TUNED_ON = ("downstream", 0.0)


def apart(cells: pd.DataFrame) -> set[str]:
    """The arms of a frame that have a variance of their own: in a study, all that are not compared; a table's own arms are."""
    trained = set(cells.arm) if "commit" in cells else set()
    return (APART | trained) - set(COMPARED)


def accuracy_means(cells: pd.DataFrame, correct: dict[str, pd.DataFrame] | None = None) -> Means:
    """Mean dev accuracy over tasks by arm and sparsity, equal weights.

    Noise over seeds: see `seeds`; in a table of means with standard deviations, see `tables.stated`; in a table of
    single runs in which each arm has its own 0 % row, see `tables.within_arms`. Noise over dev examples: see `examples`;
    `correct` is that of `predictions.dev_correct`, and None leaves it out.
    """
    chosen = in_means(cells).dropna(subset="dev_accuracy")
    if {"std", "n"} <= set(cells):
        rows = with_own_zero(chosen)
        point = _complete(rows)
        stated = rows[pd.MultiIndex.from_frame(rows[UNIT[:2]]).isin(point.index)]
        found = Means(point, tuple(tables.stated(stated, point.index)), own_zero=_own_zero(chosen, point))
    elif "of" in chosen and chosen.of.notna().any():
        found = _single_runs(chosen)
    else:
        found = _repeated(seeds.units(chosen, "dev_accuracy"), apart=apart(chosen))
    source = REPEATED[bool(found.own_zero) and "std" not in cells]
    covers = [source] if any(np.isfinite(part.covariance.diagonal()).any() for part in found.parts) else []
    parts = list(found.parts) if covers else []
    if correct:
        every = cells[cells.selected].task.nunique()  # of the means; those of regression have no share of examples
        covers.append("dev examples" if len(correct) == every else "dev examples of classification tasks")
        parts.append(examples.part(correct, found.point.index, every))
    return Means(found.point, tuple(parts), tuple(covers), found.own_zero)


def train_loss_means(cells: pd.DataFrame, *arms: str) -> Means:
    """Mean train loss over tasks of some arms, nats, with its noise as in `accuracy_means`.

    A variance that is pooled over all arms would be too small for those that are pruned and trained no longer. What a
    table states of spreads concerns its accuracies.
    """
    own = cells[cells.arm.isin(arms)].drop(columns=["std", "n"], errors="ignore").dropna(subset="train_loss")
    own = comparable(own) if "compared" in own else own
    return accuracy_means(own.assign(dev_accuracy=own.train_loss))


def loss_means(runs: pd.DataFrame) -> Means:
    """Held-out pre-training loss by method and sparsity; the variance of each method is its own.

    Of single runs, the noise is that of `tables.within_arms`.
    """
    runs = runs[runs.method != "dense"].dropna(subset="pretrain_loss")
    cells = runs.rename(columns={"method": "arm"}).assign(task="")
    found = _repeated(seeds.units(cells, "pretrain_loss"), ("gradual",))
    if found.parts or runs.empty:
        return replace(found, covers=REPEATED[:1] if found.parts else ())
    parts = _known(tables.within_arms(found.point, {method: method for method in runs.method}))
    return Means(found.point, tuple(parts), REPEATED[1:] if parts else ())


def _repeated(units: seeds.Units, pooled: tuple[str, ...] = (), apart: Collection[str] = ()) -> Means:
    """`pooled`: arms that share one variance by sparsity; (): all but those in `apart`, and TUNED_ON."""
    conditions = units.values.columns
    arms = conditions.get_level_values(0)
    together = arms.isin(pooled) if pooled else ~arms.isin(list(apart)) & ~conditions.isin([TUNED_ON])
    return Means(units.values.mean(), tuple(seeds.parts(units, together)) if len(arms) else ())


def _complete(chosen: pd.DataFrame) -> pd.Series:
    """Means over tasks and seeds of the conditions that have all tasks."""
    by_task = chosen.groupby(["task", *UNIT[:2]]).dev_accuracy.mean().unstack("task").dropna()
    return by_task.mean(axis=1)


def _single_runs(chosen: pd.DataFrame) -> Means:
    """Means of a table of single runs in which each arm has a 0 % row, see `results.with_own_zero`."""
    point = _complete(with_own_zero(chosen)).drop(DENSE)
    arms = _own_zero(chosen, point)
    families = {arm: arm if arm in apart(chosen) else "" for arm in dict.fromkeys(point.index.get_level_values(0))}
    parts = _known(tables.within_arms(point, families))
    zeros = np.array([s == 0 and arm in arms for arm, s in point.index])
    point[DENSE] = point[zeros].mean()
    return Means(point, tuple(_with_dense(part, zeros) for part in parts), own_zero=arms)


def _own_zero(chosen: pd.DataFrame, point: pd.Series) -> frozenset[str]:
    """The arms with a 0 % row of their own: not those that are measured at 0 % only, such as `scratch`."""
    return frozenset(chosen.of.dropna()) & {arm for arm, s in point.index if s == 0} if "of" in chosen else frozenset()


def _known(parts: list[Part]) -> list[Part]:
    return parts if any(np.isfinite(part.covariance.diagonal()).all() for part in parts) else []


def _with_dense(part: Part, zeros: np.ndarray) -> Part:
    """A part with the dense model as a last condition: the mean of the 0 % rows, with which it is not compared."""
    covariance = np.pad(part.covariance, (0, 1))
    covariance[-1, -1] = part.covariance.diagonal()[zeros].sum() / zeros.sum() ** 2
    return Part(covariance, part.freedom)
