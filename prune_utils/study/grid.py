"""The grid of a study: its pre-training runs and fine-tuned cells, and where each result lies."""

from dataclasses import dataclass
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.schema import Replay, Study
from prune_utils.study.sections.arms import PRETRAINED
from prune_utils.study.sections.grids import FINE_TUNINGS_APART

TRAINED = ["burn-in", "pre-training", "fine-tuning"]  # stages whose results hold their training time
HOUR = 3600  # seconds


@dataclass(frozen=True)
class Run:
    """One pre-training run; `method` is one of the methods of the table of arms."""

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
    """One fine-tuned model; `arm` is one of the table of arms.

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
        """Kept for dense cells, which others prune, and for the arms of `machine.keep`."""
        return self.folder(study) / paths.CHECKPOINT

    def pretrained(self, study: Study) -> Run | None:
        """The pre-training run that the cell starts from; None for `scratch`."""
        if self.arm == "scratch":
            return None
        row = study.arm_table.rows.get(self.arm)
        dense = row is None or row.when not in PRETRAINED or row.fate == "frozen"
        return Run("gradual", 0.0, self.seed) if dense else self.masked(study)

    def masked(self, study: Study) -> Run:
        """The pre-training run at the cell's sparsity that has its masks."""
        return Run(study.arm_table.method_of(self.arm), self.sparsity, self.seed)

    def dense(self, task: str | None = None) -> "Cell":
        """The dense cell of the same learning rate, seed and repeat, and of the same task unless another is given."""
        return Cell(task or self.task, "dense", 0.0, self.learning_rate, self.seed, self.repeat)

    def epochs_trained(self, study: Study) -> list[int]:
        """Epochs of its trainings, in order; the first round of rewinding is the training of a dense cell."""
        row = study.arm_table.rows.get(self.arm)
        rounds = (row and row.rounds) or 1
        return [study.finetuning.epochs.of(self.arm, self.sparsity, row)] * rounds


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
    """Cells of a task and seed: unpruned arms at sparsity 0, pruned ones above. `arms`: default all of the study."""
    return [
        Cell(task, arm, sparsity, rate, seed, repeat)
        for sparsity in sparsities
        for arm in study.grid.arms
        if study.arm_table.has(arm, sparsity) and (arms is None or arm in arms)
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
    table = study.arm_table
    arms = [arm for arm in study.grid.arms if arm in table.rows and table.rows[arm].when in PRETRAINED]
    used = {Run(table.method_of(arm), s, seed) for arm in arms for s in study.grid.sparsities if table.has(arm, s)}
    order = list(table.methods)
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
