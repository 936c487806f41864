"""The grid of a study: its pre-training runs and fine-tuned cells, and where each result lies."""

from dataclasses import dataclass
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.schema import FINE_TUNINGS_APART, Replay, Study
from prune_utils.study.sections.arms import METHODS, TABLE, has, method_of

TRAINED = ["burn-in", "pre-training", "fine-tuning"]  # stages whose results hold their training time
HOUR = 3600  # seconds


@dataclass(frozen=True)
class Run:
    """One pre-training run; `method` is one of arms.METHODS."""

    method: str
    sparsity: float
    seed: int

    def folder(self, study: str) -> Path:
        return paths.pretraining(study, self.method, self.sparsity, self.seed)

    def checkpoint(self, study: str) -> Path:
        return self.folder(study) / paths.CHECKPOINT

    def dense(self) -> "Run":
        """The burn-in of the same seed, from which every other run starts."""
        return Run("dense", 0.0, self.seed)


@dataclass(frozen=True)
class Cell:
    """One fine-tuned model; `arm` is one of arms.ARMS.

    `seed`: that of its pre-training; `repeat`: which fine-tuning of that model it is, from 0.
    """

    task: str
    arm: str
    sparsity: float
    learning_rate: float
    seed: int
    repeat: int = 0

    def folder(self, study: str) -> Path:
        arm, rate = paths.finetuning(study, self.task, self.seed) / self.arm, f"learning-rate-{self.learning_rate:g}"
        return arm / paths.percent(self.sparsity) / (f"{rate}-repeat-{self.repeat}" if self.repeat else rate)

    @property
    def training_seed(self) -> int:
        """The seed of the new head, the order of the data, and dropout."""
        return self.seed + FINE_TUNINGS_APART * self.repeat

    def checkpoint(self, study: str) -> Path:
        """Kept for dense cells only: the other arms need no fine-tuned weights."""
        return self.folder(study) / paths.CHECKPOINT

    @property
    def method(self) -> str:
        """Method that chose the pruned weights; "none" for an un-pruned cell."""
        return method_of(self.arm)

    def pretrained(self) -> Run | None:
        """The pre-training run that the cell starts from; None for `scratch`."""
        if self.arm == "scratch":
            return None
        row = TABLE.get(self.arm)
        dense = row is None or row.when == "fine-tuned" or row.fate == "frozen"
        return Run("gradual", 0.0, self.seed) if dense else Run(self.method, self.sparsity, self.seed)

    def masked(self) -> Run:
        """The pre-training run at the cell's sparsity whose masks a cell with frozen weights takes."""
        return Run(self.method, self.sparsity, self.seed)

    def dense(self) -> "Cell":
        """The dense cell of the same task, learning rate, seed and repeat, which an arm prunes that fine-tunes first."""
        return Cell(self.task, "dense", 0.0, self.learning_rate, self.seed, self.repeat)

    def epochs_trained(self, study: Study) -> list[int]:
        return [study.finetuning.epochs.of(self.arm, self.sparsity)]


@dataclass(frozen=True)
class Delayed:
    """One model that is fine-tuned for `epochs`, pruned in one shot and trained further (paper Fig. 3, right)."""

    task: str
    sparsity: float
    learning_rate: float
    seed: int
    epochs: int

    def folder(self, study: str) -> Path:
        seed = paths.results(study) / "prunability" / self.task / f"seed-{self.seed}"
        return seed / paths.percent(self.sparsity) / f"epochs-{self.epochs:02d}-learning-rate-{self.learning_rate:g}"

    def dense(self) -> Cell:
        """The dense cell of the same coordinates."""
        return Cell(self.task, "dense", 0.0, self.learning_rate, self.seed)

    def epochs_trained(self, study: Study) -> list[int]:
        """Epochs before and after pruning; a model of the dense arm is reused if its number of epochs matches."""
        epochs = study.finetuning.epochs
        return [0 if self.epochs == epochs.dense else self.epochs, epochs.of("downstream", self.sparsity)]


def cells(study: Study, task: str, seed: int, sparsities: list[float], arms: list[str] | None = None) -> list[Cell]:
    """Cells of a task and seed: un-pruned arms at sparsity 0, pruned ones above. `arms`: default all of the study."""
    return [
        Cell(task, arm, sparsity, rate, seed, repeat)
        for sparsity in sparsities
        for arm in study.grid.arms
        if has(arm, sparsity) and (arms is None or arm in arms)
        for rate in study.finetuning.learning_rates
        for repeat in range(study.grid.fine_tunings)
    ]


def all_cells(study: Study | Replay) -> list[Cell]:
    """Every cell of the grid."""
    return [
        cell
        for task in study.tasks
        for seed in study.grid.seeds
        for cell in cells(study, task.name, seed, study.grid.sparsities)
    ]


def runs(study: Study | Replay, seed: int) -> list[Run]:
    """Every pre-training run of a seed, the dense one first."""
    arms = [arm for arm in study.grid.arms if arm in TABLE and TABLE[arm].when != "fine-tuned"]
    used = {Run(method_of(arm), s, seed) for arm in arms for s in study.grid.sparsities if has(arm, s)}
    order = list(METHODS)
    pruned = sorted(used, key=lambda run: (order.index(run.method), run.sparsity))
    return [Run("dense", 0.0, seed), *gradual_runs(study, [seed]), *(run for run in pruned if run.method != "gradual")]


def gradual_runs(study: Study | Replay, seeds: list[int]) -> list[Run]:
    """The gradual runs of several seeds, one per sparsity of the grid, 0 included."""
    return [Run("gradual", sparsity, seed) for seed in seeds for sparsity in study.grid.sparsities]


def all_runs(study: Study | Replay) -> list[Run]:
    """Every pre-training run of a study."""
    return [run for seed in study.grid.seeds for run in runs(study, seed)]


def delayed(study: Study, task: str, seed: int) -> list[Delayed]:
    """The models of a task and seed that are fine-tuned first."""
    wanted = study.prunability
    rate = wanted.learning_rate or study.finetuning.learning_rates[0]
    return [Delayed(task, wanted.sparsity, rate, seed, epochs) for epochs in wanted.epochs]
