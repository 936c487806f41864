"""How often intervals hold the truth and verdicts err, on simulated studies whose truth is known.

    python benchmarks/verdicts.py                 the table of docs/statistics.md, in minutes
    python benchmarks/verdicts.py --studies 50 --only "2 seeds"
    python benchmarks/verdicts.py --tasks         its second table: C12, C14 and C15, which compare tasks or train losses

Every row of the table is a world: a noise and a number of seeds, tasks and dev examples. In each world many studies are
drawn and analysed as real ones are. Columns, in percent: how often the 95 % interval of a quantity holds its true value,
and the larger of the two shares in which a one-sided test at 5 % would call it above or below what it is.
"""

import argparse
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import accuracy, fitting
from prune_utils.analysis.findings.lines import different
from prune_utils.analysis.linearity import lines
from prune_utils.analysis.noise.estimates import Estimate, Verdict
from prune_utils.analysis.noise.means import DENSE
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.regimes import find
from prune_utils.study.schema import Analysis

ARMS = ("dense", "pretrain", "information_deletion", "downstream", "random")
SPARSITIES = (0.3, 0.5, 0.7, 0.9)
FALL = {0.3: 0.2, 0.5: 1.0, 0.7: 3.0, 0.9: 8.0}  # points that `pretrain` lies below dense
GAIN = {0.3: 0.0, 0.5: 0.2, 0.7: 1.0, 0.9: 3.0}  # and information deletion above `pretrain`
LOSSES = {0.0: 2.0, 0.3: 2.1, 0.5: 2.4, 0.7: 2.9, 0.9: 4.0}
MARGINS = Analysis(accuracy_margin=0.5, loss_margin=0.05)
QUANTITIES = ("fall, 30 and 50 %", "fall, 90 %", "C3", "C5", "C9", "bend (C4)", "low", "high")
OF_TASKS = ("trend (C12)", "slopes (C14)", "train loss (C15)")
COVERED = ("low", "high", "slopes (C14)")  # of which only the interval is judged
LEAST, FALSE = 92, 7  # percent: what is asked of coverage, and of false verdicts


@dataclass(frozen=True)
class World:
    """The noise of a study. Standard deviations are points of one seed's accuracy on one task."""

    seeds: int = 3
    tasks: int = 3
    noise: float = 0.5
    growth: float = 3.0  # of the noise, from 0 to 90 %
    step: bool = False  # the growth comes at once above 50 %
    shared: float = 0.5  # of a seed and task, common to all arms
    run: float = 0.0  # of a pre-training run, common to tasks and to the two arms that start from it
    arm: float = 0.0  # of an arm and seed, common to tasks and sparsities
    random: float = 1.0  # noise of `random` against that of the other arms
    missing: float = 0.0  # share of cells without a result
    failing: bool = False  # one seed has no result on one task
    disjoint: bool = False  # every arm has seeds of its own
    arms: tuple[str, ...] = ARMS
    between: float = 0.0  # of what a task recovers at 90 %, the same for all seeds
    examples: tuple[int, ...] = ()  # dev examples by task; (): an endless dev set


WORLDS = {f"{n} seeds": World(n) for n in (2, 3, 5, 8)}
WORLDS |= {f"{n} tasks": World(tasks=n) for n in (2, 5)}
WORLDS |= {"equal noise": World(growth=1), "noise in a step, 2 seeds": World(2, step=True)}
WORLDS |= {"noise in a step, 5 seeds": World(5, step=True)}
WORLDS |= {f"arm × seed, {n} seeds": World(n, growth=1, arm=0.3) for n in (2, 3, 5, 8)}
WORLDS |= {"shared pre-training": World(run=0.4), "calm random": World(random=0.3), "wild random": World(random=3.0)}
WORLDS |= {"3 % missing": World(missing=0.03), "3 % missing, 5 tasks": World(5, 5, missing=0.03)}
WORLDS |= {"a seed fails a task, 2 seeds": World(2, failing=True), "a seed fails a task": World(failing=True)}
WORLDS |= {f"{n} dev examples": World(examples=(n,) * 3) for n in (300, 1000, 5000)}
WORLDS |= {
    "unequal dev sets, 2 seeds": World(2, examples=(300, 1000, 5000)),
    "unequal dev sets": World(examples=(300, 1000, 5000)),
}
WORLDS |= {f"seeds that arms do not share, {n}": World(n, disjoint=True) for n in (2, 5)}
WORLDS |= {f"dense and pretrain alone, {n} seeds": World(n, arms=("dense", "pretrain")) for n in (2, 3)}
WORLDS |= {
    "everything": World(5, 5, arm=0.2, run=0.2, missing=0.03, failing=True, examples=(300, 500, 1000, 2000, 5000))
}

TASKS = {f"{s} seeds, {n} tasks": World(s, n) for s, n in ((2, 3), (2, 5), (3, 5))}
TASKS |= {f"tasks that differ, 2 seeds, {n} tasks": World(2, n, between=2.0) for n in (3, 5)}
TASKS |= {"shared pre-training, 3 seeds, 5 tasks": World(tasks=5, run=0.4)}


def truth() -> dict[tuple[str, float], float]:
    """True accuracy by condition, points."""
    means = {DENSE: 85.0}
    for s in SPARSITIES:
        means |= {("pretrain", s): 85 - FALL[s], ("information_deletion", s): 85 - FALL[s] + GAIN[s]}
        means |= {("downstream", s): 85 - FALL[s] - 0.3, ("random", s): 80 - 2 * FALL[s]}
    return means


def draw(world: World, random: np.random.Generator) -> tuple[pd.DataFrame, dict[str, pd.DataFrame] | None]:
    """A study's cells, and its answers by task if dev sets are finite."""
    conditions = list(truth())
    sparsity = np.array([s for _, s in conditions])
    arms = [arm for arm, _ in conditions]
    grown = np.where(sparsity > 0.5, world.growth, 1.0) if world.step else 1 + (world.growth - 1) * sparsity / 0.9
    spread = world.noise * grown * np.where(np.array(arms) == "random", world.random, 1.0)
    shape = (world.tasks, world.seeds, len(conditions))
    values = np.array([*truth().values()]) + spread * random.standard_normal(shape)
    place = [ARMS.index(arm) for arm in arms]
    shared = world.shared * random.standard_normal((world.tasks, world.seeds, len(ARMS) if world.disjoint else 1))
    values += shared[..., place] if world.disjoint else shared
    values += (world.arm * random.standard_normal((world.seeds, len(ARMS))))[:, place]
    origin = [s if arm in ("pretrain", "information_deletion") else -place for place, (arm, s) in enumerate(conditions)]
    runs = world.run * random.standard_normal((world.seeds, len(set(origin))))
    values += runs[:, [sorted(set(origin)).index(one) for one in origin]]
    if world.between:
        recovered = world.between * random.standard_normal((world.tasks, 1))
        values[..., conditions.index(("information_deletion", 0.9))] += recovered
    there = random.random(shape) >= world.missing
    if world.failing:
        there[0, -1] = False
    correct = _answers(world, values, there, conditions, random) if world.examples else None
    index = pd.MultiIndex.from_product(
        [[f"task {t}" for t in range(world.tasks)], range(world.seeds), range(len(conditions))]
    )
    frame = index.to_frame(index=False, name=["task", "seed", "place"])
    if correct:
        values = np.array([correct[f"task {t}"][1] for t in range(world.tasks)]) * 100
    frame["dev_accuracy"] = values.ravel() / 100
    frame["arm"], frame["target_sparsity"] = [arms[p] for p in frame.place], sparsity[frame.place]
    frame = frame[there.ravel() & frame.arm.isin(world.arms)].assign(selected=True, learning_rate=1e-3)
    if world.disjoint:
        frame["seed"] += world.seeds * frame.arm.map(ARMS.index)
    return frame, correct and {task: table for task, (table, _) in correct.items()}


def _answers(world, values, there, conditions, random) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Right answers: an example's own difficulty and chance decide, so that the share right is the accuracy given."""
    found = {}
    for task, examples in enumerate(world.examples):
        hard = random.standard_normal(examples)
        chance = random.standard_normal((*values.shape[1:], examples))
        right = (
            np.sqrt(0.8) * hard + np.sqrt(0.2) * chance
            < stats.norm.ppf(np.clip(values[task] / 100, 0.01, 0.99))[..., None]
        )
        rows = [
            (*conditions[c], r, 1e-3) for r in range(world.seeds) for c in range(len(conditions)) if there[task, r, c]
        ]
        index = pd.MultiIndex.from_tuples(rows, names=["arm", "target_sparsity", "seed", "learning_rate"])
        found[f"task {task}"] = pd.DataFrame(right[there[task]], index=index), right.mean(axis=-1)
    return found


def quantities(evidence: Evidence) -> dict[str, list[tuple[Estimate, float]]]:
    """Estimates by kind, each with its true value in points."""
    means, true = evidence.accuracy, truth()

    def pair(one, other):
        there = means.has(one, other)
        return [(means.difference(one, other).scaled(100), true[one] - true[other])] if there else []

    def average(one, other, sparsities):
        at = [s for s in sparsities if means.has((one, s), (other, s))]
        if not at:
            return []
        real = np.mean([true[one, s] - true[other, s] for s in at])
        return [(means.mean_difference(one, other, at).scaled(100), real)]

    found = lines(evidence).values()
    return {
        "fall, 30 and 50 %": pair(("pretrain", 0.3), DENSE) + pair(("pretrain", 0.5), DENSE),
        "fall, 90 %": pair(("pretrain", 0.9), DENSE),
        "C3": pair(("information_deletion", 0.9), ("pretrain", 0.9)),
        "C5": average("downstream", "pretrain", SPARSITIES[1:]),
        "C9": pair(("pretrain", 0.5), ("random", 0.5)),
        "bend (C4)": [
            (line.bend, true_bend()) for line in found if line.points == len(LOSSES) and line.bend.error is not None
        ],
    }


def of_tasks(evidence: Evidence, world: World) -> dict[str, list[tuple[Estimate, float]]]:
    """As `quantities`, for claims on tasks and train losses. Recovery does not depend on the size of a training set,
    slopes are equal unless tasks differ, and train losses are one minus accuracies."""
    cells = evidence.cells.assign(train_examples=1000 * 4 ** evidence.cells.task.str[-1].astype(int))
    evidence = replace(evidence, cells=cells.assign(train_loss=1 - cells.dev_accuracy))
    alike = fitting.downstream_fits_alike(evidence).estimate.scaled(100)
    return {
        "trend (C12)": [(accuracy.recovery_grows_with_examples(evidence).estimate, 0.0)],
        "slopes (C14)": [] if world.between else [(different(lines(evidence), 0.5)[2], 0.0)],
        "train loss (C15)": [(alike, 0.3)],
    }


@cache
def true_bend() -> float:
    """The bend of the true accuracies over pre-training loss, points; it is the same for all tasks."""
    frame = (pd.Series(truth()) / 100).rename_axis(["arm", "target_sparsity"]).rename("dev_accuracy").reset_index()
    return lines(studied(frame.assign(task="task", seed=0, selected=True), None))["task"].bend.value


def studied(cells: pd.DataFrame, correct) -> Evidence:
    losses = cells.target_sparsity.map(LOSSES).where(cells.arm.isin(["dense", "information_deletion"]))
    cells = cells.assign(pretrain_loss=losses)
    return Evidence(cells, pd.DataFrame(), accuracy_means(cells, correct), None, MARGINS, {}, correct)


def shares(world: World, studies: int, seed: int = 0, tasks: bool = False) -> dict[str, tuple[float, float, float]]:
    """By quantity: how often the interval holds the truth, and how often the truth is called too low and too high.

    "low" and "high" are the borders of the regimes; nothing is called of them. `tasks`: quantities of `of_tasks` instead.
    """
    random, kept = np.random.default_rng(seed), {}
    for _ in range(studies):
        evidence = studied(*draw(world, random))
        for name, pairs in (of_tasks(evidence, world) if tasks else quantities(evidence)).items():
            for estimate, real in pairs:
                low, high = estimate.interval()
                below, above = estimate.at_least(real), estimate.at_most(real)
                shown = Verdict.SUPPORTED
                kept.setdefault(name, []).append((low <= real <= high, above is shown, below is shown))
        if tasks:
            continue
        found = find(evidence.accuracy, None, MARGINS)
        first, last = (2.0 if end is None else end for end in found.high.interval or (0, None))
        kept.setdefault("low", []).append((found.low.interval[0] <= 0.3 <= found.low.interval[1], False, False))
        if "information_deletion" in world.arms:
            kept.setdefault("high", []).append((first <= 0.7 <= last, False, False))
    return {name: tuple(np.mean(hits, axis=0)) for name, hits in kept.items() if hits}


def row(world: World, studies: int, tasks: bool = False) -> dict[str, str]:
    """One row of the table; a star marks what is outside of what is asked."""
    table = {}
    for name, hits in shares(world, studies, tasks=tasks).items():
        held, wrong = 100 * hits[0], 100 * max(hits[1:])
        outside = round(held) < LEAST or (round(wrong) > FALSE and name not in COVERED)
        table[name] = f"{held:.0f}" + (f" ({wrong:.0f})" if name not in COVERED else "") + "*" * bool(outside)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="simulated studies per row (400)")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--tasks", action="store_true", help="the table of claims on tasks and train losses")
    args = parser.parse_args()
    worlds, titles = (TASKS, OF_TASKS) if args.tasks else (WORLDS, QUANTITIES)
    wide = max(map(len, worlds))
    print(f"{'':{wide}}", *titles, sep="   ")
    for name in (name for name in worlds if args.only in name):
        found = row(worlds[name], args.studies, args.tasks)
        cells = (f"{found.get(title, '-'):>{len(title)}}" for title in titles)
        print(f"{name:{wide}}", *cells, sep="   ", flush=True)


if __name__ == "__main__":
    main()
