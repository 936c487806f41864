"""The schema of a study: what a params file may say."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from prune_utils.study.recipes import CONTROLS, Finetuning, Model, Pretraining, Prunability
from prune_utils.study.section import Count, ParamsError, Section, Sparsity
from prune_utils.study.sources import Corpus, Task

ARMS = ("dense", "scratch", "pretrain", "information_deletion", "downstream", "random", *CONTROLS)
PRUNED_ARMS = ARMS[2:]
METHODS = ("dense", "gradual", "random", *CONTROLS)  # how a pre-trained checkpoint came to be
RAMPED = ("gradual", "global")  # by the cubic schedule; the others prune whole before the first step


class Grid(Section):
    sparsities: Annotated[list[Sparsity], Field(min_length=1)]
    arms: list[Literal[ARMS]]  # `dense` among them: it is what all others are measured against
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]

    @field_validator("arms")
    @classmethod
    def has_dense(cls, arms: list[str]):
        if "dense" not in arms:
            raise ValueError(f"arms are {arms}; 'dense', against which all others are measured, must be among them")
        return arms

    @field_validator("sparsities")
    @classmethod
    def whole_percents(cls, sparsities: list[float]):
        if sparsities != sorted(set(sparsities)) or sparsities[0] != 0:
            raise ValueError(f"sparsities are {sparsities}; allowed is a rising list that starts with 0.0")
        odd = [s for s in sparsities if abs(round(100 * s) - 100 * s) > 1e-9]
        if odd:
            raise ValueError(f"sparsities {odd} are not whole percents, which name the folders of results")
        return sparsities


class Analysis(Section):
    """Margins of the regimes: what still counts as no loss."""

    accuracy_margin: Annotated[float, Field(ge=0)]  # points of mean dev accuracy
    loss_margin: Annotated[float, Field(ge=0)]  # nats of held-out pre-training loss


class Machine(Section):
    """How to run, not what: these may change between two runs of a study."""

    jobs: Count  # notebooks at a time
    threads: Count  # of each
    precision: Literal["auto", "float32", "bfloat16"]
    save_steps: Count  # between two checkpoints from which an interrupted training resumes
    sparsities_per_node: Annotated[int, Field(ge=0)]  # fine-tuned by one notebook; 0: all


class Table(Section):
    """Results to analyse in place of a training (columns: see replay.read_table), and where they are from."""

    cells: str  # a CSV file
    movement: str | None = None  # another, of sort-order movement: learning_rate, task, mean_percent
    origin: str


class Replay(Section):
    """A study without training: the analysis alone, on a table of results."""

    study: Annotated[str, Field(pattern=r"^[\w-]+$")]
    table: Table
    analysis: Analysis
    machine: Machine = Machine(jobs=1, threads=1, precision="float32", save_steps=1, sparsities_per_node=0)


class Study(Section):
    """A whole study; `study` names its folder under results/ and is its params file's name."""

    study: Annotated[str, Field(pattern=r"^[\w-]+$")]
    corpus: Corpus
    tasks: Annotated[list[Task], Field(min_length=1)]
    model: Model
    pretraining: Pretraining
    finetuning: Finetuning
    prunability: Prunability
    grid: Grid
    analysis: Analysis
    machine: Machine

    @model_validator(mode="after")
    def names_are_single(self):
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"tasks are {names}; allowed is each name once")
        if self.corpus.source != "embedded" and any(task.source == "embedded" for task in self.tasks):
            raise ValueError("an embedded task needs the embedded corpus, whose words it is written in")
        return self

    @model_validator(mode="after")
    def prunability_is_on_the_grid(self):
        allowed, sparsity = self.grid.sparsities[1:], self.prunability.sparsity
        if sparsity not in allowed:
            raise ValueError(f"prunability.sparsity is {sparsity}; allowed is one of the grid's above 0: {allowed}")
        return self

    def task(self, name: str) -> Task:
        named = {task.name: task for task in self.tasks}
        if name not in named:
            raise ParamsError(f"task is {name!r}; allowed in study '{self.study}': {', '.join(named)}")
        return named[name]
