"""One node of the graph of a study: an execution of a notebook."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.files import LOCK, held, holder
from prune_utils.study.grid import Cell, Delayed, Run
from prune_utils.study.schema import Replay, Study
from prune_utils.study.sections.machine import KINDS
from prune_utils.training.sizes import train_size

# of the first KINDS; all others are of the last one, the analysis
TEMPLATES = (paths.PRETRAINING_NOTEBOOK, paths.FINETUNING_NOTEBOOK, paths.PRUNABILITY_NOTEBOOK, paths.INSIDE_NOTEBOOK)


@dataclass(frozen=True)
class Node:
    """One execution of a notebook by papermill. Paths are relative to the study's results folder.

    `notebook` and `frames` are what it makes, `after` are the frames of other nodes that it reads, `trainings` are the
    runs and cells that it trains, and `shown` those of other nodes that it needs.
    """

    study: Study | Replay = field(repr=False)
    name: str
    template: Path
    notebook: Path
    parameters: dict
    frames: tuple[Path, ...]
    after: tuple[Path, ...]
    trainings: tuple[Run | Cell | Delayed, ...] = ()
    shown: tuple[Run | Cell, ...] = ()

    @property
    def trains(self) -> bool:
        return bool(self.trainings)

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return KINDS[TEMPLATES.index(self.template) if self.template in TEMPLATES else -1]

    @property
    def running(self) -> bool:
        """Whether it is being executed, here or on any machine that shares the file system and its locks."""
        return held(self.path.parent, lock_of(self.path))

    @property
    def holder(self) -> str:
        """Where it is, or was last, executed."""
        return holder(self.path.parent, lock_of(self.path))

    @property
    def needs(self) -> dict[str, int]:
        """Resources that its job asks for, by Snakemake's names for them."""
        asked = self.study.machine.needs.get(self.kind)
        return {name: value for name, value in asked.model_dump().items() if value} if asked else {}

    @cached_property
    def examples(self) -> int:
        """Examples read in training, counted on demand. Raises ParamsError if the files of a task no longer exist."""
        return sum(_examples(self.study, training) for training in self.trainings)

    @property
    def path(self) -> Path:
        """Where the executed notebook lies; it exists once the node is done."""
        return paths.results(self.study.study) / self.notebook

    @property
    def own_results(self) -> list[Path]:
        """Result files of its trainings."""
        return [training.folder(self.study.study) / paths.RESULT for training in self.trainings]

    @property
    def results(self) -> list[Path]:
        """Result files of the trainings that it needs and, last, its own."""
        return [*(one.folder(self.study.study) / paths.RESULT for one in self.shown), *self.own_results]


def _examples(study: Study, training: Run | Cell | Delayed) -> int:
    if isinstance(training, Run):
        stages = study.pretraining.stages(burn_in=training.method == "dense")
        return sum(recipe.steps * recipe.batch_size for _, recipe in stages)
    return sum(training.epochs_trained(study)) * train_size(study.task(training.task))


def lock_of(notebook: Path) -> str:
    """Name of the file that is locked while a notebook is executed."""
    return f".{notebook.name}{LOCK}"
