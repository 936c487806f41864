"""What a grid can decide before it is run: the smallest effects that its seeds, tasks and dev sets would show."""

import numpy as np
import pandas as pd

from prune_utils.analysis.claims import CLAIMS
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.study.grid import Run, all_cells, all_runs, delayed
from prune_utils.study.schema import Study
from prune_utils.study.words import POINTS

FEW = 3  # seeds for which the plan says what they would decide, if the grid has one
STUDIES = 20  # simulated, of which the median is taken
ACCURACY, GROWTH = 0.8, 3.0  # of the dense model; of the noise from 0 to 90 %
LOSS = 0.01  # nats: spread of a pre-training loss over seeds


def table(study: Study, examples: dict[str, int], seeds: int | None = None) -> pd.DataFrame:
    """One row per claim on accuracy that the grid measures: statement, limit, error and reach, in points.

    `reach`: how far the true value must lie from the limit for the claim to be decided in four of five studies.
    `examples`: dev examples by task; `seeds`: their number, by default the grid's. Assumed: over seeds a cell's accuracy varies as much as a share of its dev examples
    would, √(p (1 - p) / n) with p = ACCURACY, with half of the variance due to its pre-trained model; the spread grows linearly with
    sparsity, to GROWTH times that at 90 %.
    """
    random, found = np.random.default_rng(0), {}
    if seeds:
        study = study.model_copy(update={"grid": study.grid.model_copy(update={"seeds": list(range(seeds))})})
    for _ in range(STUDIES):
        evidence = _simulated(study, examples, random)
        for name, claim in CLAIMS.items():
            one = claim.find(evidence) if claim.of_accuracy else None
            if one and one.limit is not None and one.estimate.error:
                found.setdefault(name, []).append((abs(one.limit), one.estimate.error, one.estimate.reach()))
    rows = {name: [CLAIMS[name].statement, *np.median(values, axis=0)] for name, values in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["claim", "limit", "error", "reach"])


def _simulated(study: Study, examples: dict[str, int], random: np.random.Generator) -> Evidence:
    """The evidence of a study in which nothing has an effect."""
    rate, noise = (
        study.finetuning.learning_rates[0],
        {t: np.sqrt(ACCURACY * (1 - ACCURACY) / n) for t, n in examples.items()},
    )

    runs = {run: random.standard_normal() for run in all_runs(study)}

    def accuracy(task: str, sparsity: float, run: Run | None = None) -> float:
        drawn = (runs.get(run, random.standard_normal()) + random.standard_normal()) / np.sqrt(2)
        return ACCURACY + noise[task] * (1 + (GROWTH - 1) * sparsity / 0.9) * drawn

    cells = [cell for cell in all_cells(study) if cell.learning_rate == rate]
    first = [one for task in study.tasks for s in study.grid.seeds for one in delayed(study, task.name, s)]
    rows = [(c.task, c.arm, c.sparsity, c.seed, accuracy(c.task, c.sparsity, c.pretrained(study))) for c in cells]
    columns = ["task", "arm", "target_sparsity", "seed", "dev_accuracy"]
    frame = pd.DataFrame(rows, columns=columns).assign(selected=True, learning_rate=rate, pretrain_loss=np.nan)
    losses = [(r.method, r.sparsity, r.seed, 2 + LOSS * random.standard_normal()) for r in all_runs(study)]
    losses = pd.DataFrame(losses, columns=["method", "target_sparsity", "seed", "pretrain_loss"])
    tuned = [(d.task, d.seed, d.learning_rate, d.epochs, accuracy(d.task, d.sparsity), 1.0) for d in first]
    names = ["task", "seed", "learning_rate", "epochs", "dev_accuracy", "movement_mean"]
    analyses = {"fine_tune_first": pd.DataFrame(tuned, columns=names)}
    return Evidence(frame, losses, accuracy_means(frame), loss_means(losses), study.analysis, analyses)


def told(study: Study, examples: dict[str, int]) -> str:
    """The table with its assumptions, as text for a terminal."""
    more = FEW if len(study.grid.seeds) < 2 else None
    power = table(study, examples, more).round(2)
    spreads = [POINTS * np.sqrt(ACCURACY * (1 - ACCURACY) / n) for n in examples.values()]
    return (
        f"{f'one seed decides no claim; what {more} seeds would' if more else 'what the grid can'} decide, in points: `reach` is how far the true value must lie from the limit for a verdict in "
        f"four of five studies\n  (assumed: over seeds, an unpruned cell varies by {min(spreads):.2g} to {max(spreads):.2g} points, "
        f"as a share of its dev examples would, with half of the variance due to its pre-trained model; at 90 %, by {GROWTH:g} times that)\n{power.to_string()}"
    )
