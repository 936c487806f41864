"""The evidence of a study: its frames, and its means with their uncertainty."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.analysis import kept
from prune_utils.analysis.foreign.replay import frames
from prune_utils.analysis.noise.estimates import EQUAL, RISK
from prune_utils.analysis.noise.means import Condition, Means
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.analysis.predictions import dev_correct, first_correct
from prune_utils.analysis.results import UNIT, comparable
from prune_utils.study import paths
from prune_utils.study.record import read_csv
from prune_utils.study.schema import Analysis, Replay, Study
from prune_utils.study.section import ParamsError

MEASURED = (
    "similarity",
    "heads",
    "heads_one_shot",
    "heads_removed",
    "masked_words",
    "weights",
    "embeddings",
)  # the frames of paths.INSIDE that claims and figures use


@dataclass(frozen=True)
class Evidence:
    """Frames `cells` and `runs` (see analysis.results), means `accuracy` and `loss` with their noise, and further frames.

    `analyses`: frames of the notebooks on the encoder and on fine-tuning first, by name; only those that exist.
    `correct`, `first_correct`: see `predictions.dev_correct` and `predictions.first_correct`; None if no predictions were kept.
    """

    cells: pd.DataFrame
    runs: pd.DataFrame
    accuracy: Means
    loss: Means | None
    margins: Analysis
    analyses: dict[str, pd.DataFrame] = field(default_factory=dict)
    correct: dict[str, pd.DataFrame] | None = None
    first_correct: dict[str, pd.DataFrame] | None = None
    _found: dict[Hashable, object] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        if (
            self.loss and not self.accuracy.repeated
        ):  # neighbouring sparsities of one seed's losses decide nothing either
            object.__setattr__(self, "loss", replace(self.loss, parts=(), covers=()))

    def once(self, key: Hashable, find: Callable):
        """What `find` returns, computed once: claims and figures ask for the same means and lines many times."""
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def over(self, tasks: Collection[str]) -> "Evidence":
        """The evidence of a subset of the tasks."""
        return self.once(("over", *tasks), lambda: self._over(tasks))

    def _over(self, tasks: Collection[str]) -> "Evidence":
        cells = self.cells[self.cells.task.isin(tasks)]
        cells = comparable(cells) if "compared" in cells else cells
        correct = self.correct and {task: rows for task, rows in self.correct.items() if task in tasks}
        return replace(self, cells=cells, accuracy=accuracy_means(cells, correct), correct=correct)

    def within(self, ends: tuple[float, float], *arms: str) -> list[float]:
        """The measured sparsities from `ends[0]` to `ends[1]` at which all of `arms` have cells."""
        every = sorted({s for _, s in self.accuracy.point.index})
        return [s for s in every if ends[0] <= s <= ends[1] and self.accuracy.has(*((arm, s) for arm in arms))]


def evidence_of(study: Study | Replay) -> Evidence:
    """Read the evidence of a study from the frames that `results.collect` and the notebooks wrote, or that were kept.

    Raises ParamsError if they are missing.
    """
    folder, results = kept.folder_of(study.study), paths.results(study.study)
    if not (folder / paths.CELLS).exists():
        raise ParamsError(
            f"study '{study.study}' has no finished cell yet; run it with `make study PARAMS=params/{study.study}.yaml`"
        )
    cells = read_csv(folder / paths.CELLS)
    runs = _read([folder / paths.RUNS])
    files = {name: [folder / paths.inside(study.study).name / f"{name}.csv"] for name in MEASURED}
    seeds = sorted({int(seed) for seed in cells.seed})
    places = {n: [paths.prunability_frame(study.study, seed, n) for seed in seeds] for n in paths.PRUNABILITY}
    files |= {name: [folder / place.relative_to(results) for place in every] for name, every in places.items()}
    analyses = {name: frame for name, paths_ in files.items() if len(frame := _read(paths_))}
    first = analyses.get("fine_tune_first")
    if (folder / kept.RIGHT).exists():
        known = kept.right(folder)
    else:
        later = None if first is None or study.tables else first_correct(study, first)
        known = dev_correct(study, cells[cells.selected]), later
    return _evidence(cells, runs, study.analysis, analyses, *known)


def evidence_of_table(study: Replay) -> Evidence:
    """The evidence of a table, read directly: nothing is written."""
    cells, runs, analyses = frames(study)
    return _evidence(cells, runs, study.analysis, analyses)


def _evidence(cells, runs, margins: Analysis, analyses, correct=None, first_correct=None) -> Evidence:
    loss = loss_means(runs) if len(runs) else None
    return Evidence(cells, runs, accuracy_means(cells, correct), loss, margins, analyses, correct, first_correct)


def _read(files) -> pd.DataFrame:
    """The frames that exist, concatenated; an empty frame if none does."""
    found = [read_csv(file) for file in files if file.exists() and file.stat().st_size > 1]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def unlearnt(cells: pd.DataFrame) -> list[str]:
    """Tasks on which the dense model does not beat the majority class of the dev set (one-sided test of a proportion).

    For a regression: on which its correlation is not above 0 (one-sided, Fisher's z). Accuracies and correlations are
    means over seeds. Tasks without a majority share or correlations, as in most tables of results, are left out.
    """
    dense = _scores(cells[cells.selected & (cells.arm == "dense")])
    return sorted(task for task, scores in dense.groupby("task") if not _beats_chance(scores).all())


def above_majority(cells: pd.DataFrame, task: str, conditions: list[Condition]) -> list[bool]:
    """Whether the mean over seeds of each arm and sparsity beats the majority class, see `unlearnt`; true if unknown."""
    scores = _scores(cells[cells.selected & (cells.task == task)])
    beaten = _beats_chance(scores).droplevel("task")
    return [bool(beaten.get(condition, True)) for condition in conditions]


def _scores(cells: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of what is compared with chance, of cells for which that is known, by task, arm and sparsity."""
    columns = ["dev_accuracy", "dev_majority", "dev_pearson", "dev_examples"]
    means = (
        cells.reindex(columns=["task", *UNIT[:2], *columns]).groupby(["task", *UNIT[:2]], dropna=False)[columns].mean()
    )
    return means if "dev_pearson" in cells else means[means.dev_majority.notna()]


def _beats_chance(scores: pd.DataFrame) -> pd.Series:
    majority, examples = scores.dev_majority, scores.dev_examples.fillna(np.inf)
    level, chance = stats.norm.ppf(1 - RISK), np.sqrt(majority * (1 - majority) / examples)
    z = np.arctanh(scores.dev_pearson.clip(1e-12 - 1, 1 - 1e-12)) * np.sqrt((examples - 3).clip(lower=0))
    return (scores.dev_accuracy > majority + level * chance + EQUAL) | (z > level)
