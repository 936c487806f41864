"""The evidence of a study: its frames, and its means with their uncertainty."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.analysis.estimates import RISK
from prune_utils.analysis.replay import frames
from prune_utils.analysis.results import comparable, dev_correct
from prune_utils.analysis.uncertainty import Draws, accuracy_draws, loss_draws
from prune_utils.study import paths
from prune_utils.study.record import read_csv
from prune_utils.study.schema import Analysis, Replay, Study
from prune_utils.study.section import ParamsError

MEASURED = ("similarity", "heads", "weights")  # the frames of paths.INSIDE that claims and figures use


@dataclass(frozen=True)
class Evidence:
    """Frames `cells` and `runs` (see analysis.results), means `accuracy` and `loss` with draws, and further frames.

    `analyses`: frames of the notebooks on the encoder and on fine-tuning first, by name; only those that exist.
    `correct`: see `results.dev_correct`; None if no predictions were kept.
    """

    cells: pd.DataFrame
    runs: pd.DataFrame
    accuracy: Draws
    loss: Draws | None
    margins: Analysis
    analyses: dict[str, pd.DataFrame] = field(default_factory=dict)
    correct: dict[str, pd.DataFrame] | None = None

    def over(self, tasks: Collection[str]) -> "Evidence":
        """The evidence of a subset of the tasks."""
        cells = self.cells[self.cells.task.isin(tasks)]
        cells = comparable(cells) if "compared" in cells else cells
        correct = self.correct and {task: rows for task, rows in self.correct.items() if task in tasks}
        return replace(self, cells=cells, accuracy=accuracy_draws(cells, correct), correct=correct)

    def within(self, ends: tuple[float, float], *arms: str) -> list[float]:
        """The measured sparsities from `ends[0]` to `ends[1]` at which all of `arms` have cells."""
        every = sorted({s for _, s in self.accuracy.point.index})
        return [s for s in every if ends[0] <= s <= ends[1] and self.accuracy.has(*((arm, s) for arm in arms))]


def evidence_of(study: Study | Replay) -> Evidence:
    """Read the evidence of a study from the frames that `results.collect` and the notebooks wrote.

    Raises ParamsError if they are missing.
    """
    folder = paths.results(study.study)
    if not (folder / paths.CELLS).exists():
        raise ParamsError(
            f"study '{study.study}' has no finished cell yet; run it with `make study PARAMS=params/{study.study}.yaml`"
        )
    cells = read_csv(folder / paths.CELLS)
    runs = _read([folder / paths.RUNS])
    files = {name: [paths.inside(study.study) / f"{name}.csv"] for name in MEASURED}
    seeds = sorted({int(seed) for seed in cells.seed})
    files |= {n: [paths.prunability_frame(study.study, seed, n) for seed in seeds] for n in paths.PRUNABILITY}
    analyses = {name: frame for name, paths_ in files.items() if len(frame := _read(paths_))}
    return _evidence(cells, runs, study.analysis, analyses, dev_correct(study, cells[cells.selected]))


def evidence_of_table(study: Replay) -> Evidence:
    """The evidence of a table, read directly: nothing is written."""
    cells, runs, analyses = frames(study)
    return _evidence(cells, runs, study.analysis, analyses, None)


def _evidence(cells, runs, margins: Analysis, analyses, correct) -> Evidence:
    loss = loss_draws(runs) if len(runs) else None
    return Evidence(cells, runs, accuracy_draws(cells, correct), loss, margins, analyses, correct)


def _read(files) -> pd.DataFrame:
    """The frames that exist, concatenated; an empty frame if none does."""
    found = [read_csv(file) for file in files if file.exists() and file.stat().st_size > 1]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def unlearnt(cells: pd.DataFrame) -> list[str]:
    """Tasks on which the dense model does not beat the majority class of the dev set (one-sided test of a proportion).

    Of a regression: on which its correlation is not above 0 (one-sided, Fisher's z). Accuracies and correlations are
    means over seeds. Empty if the frame has neither a majority share nor correlations, as in a table of results.
    """
    if not {"dev_majority", "dev_pearson"} & {*cells}:
        return []
    dense = cells[cells.selected & (cells.arm == "dense")]
    columns = ["dev_accuracy", "dev_majority", "dev_pearson", "dev_examples"]
    means = dense.reindex(columns=["task", *columns]).groupby("task")[columns].mean()
    chance, level = (
        np.sqrt(means.dev_majority * (1 - means.dev_majority) / means.dev_examples),
        stats.norm.ppf(1 - RISK),
    )
    z = np.arctanh(means.dev_pearson.clip(1e-12 - 1, 1 - 1e-12)) * np.sqrt((means.dev_examples - 3).clip(lower=0))
    beaten = (means.dev_accuracy > means.dev_majority + level * chance) | (z > level)
    return sorted(means.index[~beaten])
