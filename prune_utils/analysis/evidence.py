"""What a study has to offer an analysis: finished cells, what they could have been, and the frames of the others."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.analysis import replay, results
from prune_utils.analysis.estimates import RISK
from prune_utils.analysis.results import dev_correct
from prune_utils.analysis.uncertainty import Draws, accuracy_draws, loss_draws
from prune_utils.study import paths
from prune_utils.study.schema import Analysis, Replay, Study

PRUNABILITY = ("movement", "movement_by_rank", "mask_difference", "fine_tune_first")
INSIDE = ("similarity", "heads", "weights")


@dataclass(frozen=True)
class Evidence:
    """`cells` and `runs` as results.py has them; `accuracy` and `loss` their means with draws; `analyses` the frames
    of the notebooks on prunability and on the inside, by name, where they were made."""

    cells: pd.DataFrame
    runs: pd.DataFrame
    accuracy: Draws
    loss: Draws | None
    margins: Analysis
    analyses: dict[str, pd.DataFrame] = field(default_factory=dict)
    correct: dict[str, pd.DataFrame] | None = None  # by task, as predictions.dev_correct has it; None: not kept

    def over(self, tasks: Collection[str]) -> "Evidence":
        """The evidence of some of the tasks alone: means, and draws of them, over those."""
        cells = self.cells[self.cells.task.isin(tasks)]
        correct = self.correct and {task: rows for task, rows in self.correct.items() if task in tasks}
        return replace(self, cells=cells, accuracy=accuracy_draws(cells, correct), correct=correct)

    def within(self, ends: tuple[float, float], *arms: str) -> list[float]:
        """The sparsities measured from one end to the other at which all of some arms have cells."""
        every = sorted({s for _, s in self.accuracy.point.index})
        return [s for s in every if ends[0] <= s <= ends[1] and self.accuracy.has(*((arm, s) for arm in arms))]


def evidence_of(study: Study | Replay) -> Evidence:
    """The evidence of all that is finished of a study, or of the table that stands for one."""
    if isinstance(study, Replay):
        cells = replay.read_table(paths.given(study.table.cells))
        runs, correct = replay.losses(cells), None
        analyses = {"movement": replay.read_movement(paths.given(study.table.movement))} if study.table.movement else {}
    else:
        cells, runs = results.cells_frame(study), results.pretraining_frame(study)
        correct, analyses = dev_correct(study, cells[cells.selected]), _analyses(study)
    loss = loss_draws(runs) if len(runs) else None
    return Evidence(cells, runs, accuracy_draws(cells, correct), loss, study.analysis, analyses, correct)


def _analyses(study: Study) -> dict[str, pd.DataFrame]:
    folder = paths.results(study.study)
    files = {name: [folder / "inside" / f"{name}.csv"] for name in INSIDE}
    files |= {n: [folder / "prunability" / f"seed-{s}" / f"{n}.csv" for s in study.grid.seeds] for n in PRUNABILITY}
    there = {name: [path for path in paths if path.exists()] for name, paths in files.items()}
    return {name: pd.concat(map(pd.read_csv, found), ignore_index=True) for name, found in there.items() if found}


def unlearnt(cells: pd.DataFrame) -> list[str]:
    """The tasks on which the dense model, mean over seeds, does not beat the majority class of the dev set by more
    than its examples' chance (a one-sided test of a share). Empty where a table does not tell the majority."""
    if "dev_majority" not in cells:
        return []
    dense = cells[cells.selected & (cells.arm == "dense")]
    means = dense.groupby("task")[["dev_accuracy", "dev_majority", "dev_examples"]].mean()
    chance = np.sqrt(means.dev_majority * (1 - means.dev_majority) / means.dev_examples)
    beaten = means.dev_accuracy > means.dev_majority + stats.norm.ppf(1 - RISK) * chance
    return sorted(means.index[~beaten])
