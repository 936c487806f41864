"""The cells of a study: what is fine-tuned, and where each result lies."""

from dataclasses import dataclass
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.schema import METHODS, PRUNED_ARMS, Study

# how the zeros of an arm came to be; of any arm not here, by the pre-training method of its own name
ZEROS = {
    "dense": "none",
    "scratch": "none",
    "pretrain": "gradual",
    "information_deletion": "gradual",
    "downstream": "one_shot",
}


@dataclass(frozen=True)
class Cell:
    """The coordinates of one fine-tuned model; `arm` is one of schema.ARMS."""

    task: str
    arm: str
    sparsity: float
    learning_rate: float
    seed: int

    def folder(self, study: str) -> Path:
        return paths.cell(study, self.task, self.seed, self.arm, self.sparsity, self.learning_rate)

    @property
    def method(self) -> str:
        """How the zeros of the cell came to be; "none" where it has none."""
        return ZEROS.get(self.arm, self.arm)

    def pretrained(self) -> tuple[str, float] | None:
        """The (method, sparsity) of the pre-training run that it descends from; None for one made from scratch."""
        if self.arm == "scratch":
            return None
        return ("gradual", 0.0) if self.arm in ("dense", "downstream") else (self.method, self.sparsity)

    def dense(self) -> "Cell":
        """The dense cell of the same task, rate and seed: where the downstream arm starts."""
        return Cell(self.task, "dense", 0.0, self.learning_rate, self.seed)


def arms_at(study: Study, sparsity: float) -> list[str]:
    """The arms that have cells at a sparsity: the two that bound every figure at 0, the pruned ones above."""
    return [arm for arm in study.grid.arms if (arm in PRUNED_ARMS) == (sparsity > 0)]


def cells(study: Study, task: str, seed: int, sparsities: list[float], arms: list[str] | None = None) -> list[Cell]:
    """The cells of one task and seed at some sparsities, of all the study's arms or of those given."""
    return [
        Cell(task, arm, sparsity, rate, seed)
        for sparsity in sparsities
        for arm in arms_at(study, sparsity)
        if arms is None or arm in arms
        for rate in study.finetuning.learning_rates
    ]


def all_cells(study: Study) -> list[Cell]:
    return [
        cell
        for task in study.tasks
        for seed in study.grid.seeds
        for cell in cells(study, task.name, seed, study.grid.sparsities)
    ]


def pretraining_runs(study: Study) -> list[tuple[str, float]]:
    """The (method, sparsity) of every pre-training run, the dense one first; each seed has all of them."""
    runs = [("dense", 0.0)] + [("gradual", s) for s in study.grid.sparsities]
    controls = [method for method in METHODS if method in PRUNED_ARMS and method in study.grid.arms]
    return runs + [(method, s) for method in controls for s in study.grid.sparsities if s > 0]


TRAINED = ["burn-in", "pre-training", "fine-tuning"]  # the stages whose results tell their seconds


HOUR = 3600
