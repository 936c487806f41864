"""Schema of a study: every key that a params file may hold."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prune_utils.study.section import ParamsError, Section
from prune_utils.study.sections.arms import PAPERS, PRETRAINING, SHIPPED, Arm, ArmTable
from prune_utils.study.sections.grids import Grid
from prune_utils.study.sections.machine import Machine
from prune_utils.study.sections.recipes import Finetuning, Model, Pretraining, Prunability
from prune_utils.study.sections.sources import Corpus, Task
from prune_utils.study.words import percent

EMBEDDED = (
    "The text is a small artificial English that comes with the package. It was **built to show the effect**: its tasks "
    "profit from what pre-training teaches. These results demonstrate the analysis; only real text tests the claims."
)
# digests of local inputs and revisions of hub inputs, by key; written by the program, see data.inputs
Inputs = dict[str, str]
ArmName = Annotated[str, Field(pattern=r"^[a-z]\w*$")]
StudyName = Annotated[str, Field(pattern=r"^[\w-]+$")]


class Analysis(Section):
    """Margins of the regimes: the largest change that counts as no loss."""

    accuracy_margin: Annotated[float, Field(ge=0)]  # points of mean dev accuracy
    loss_margin: Annotated[float, Field(ge=0)]  # nats of held-out pre-training loss


class Table(Section):
    """Published results to analyse instead of training; `analysis.foreign.replay.read_table` documents the columns."""

    cells: str  # a CSV file
    arms: dict[
        str, Literal[SHIPPED.arms]
    ] = {}  # our arms by the file's names; other names are ours or arms of their own
    movement: str | None = None  # a CSV file of sort-order movement: learning_rate, task, mean_percent
    movement_by_epochs: str | None = None  # the same by epochs of fine-tuning: task, epochs, mean_percent, std_percent
    weights: str | None = None  # a CSV file of the weights of the unpruned model: matrix, mean, std
    origin: str  # where the numbers come from


class Replay(Section):
    """A study that analyses a table of results. It has no tasks and an empty grid, so it trains nothing."""

    study: StudyName
    table: Table
    analysis: Analysis
    machine: Machine = Machine(jobs=1, threads=1, precision="float32", save_steps=1, sparsities_per_node=0)
    inputs: Inputs = {}

    @property
    def tasks(self) -> list[Task]:
        return []

    @property
    def grid(self) -> Grid:
        return Grid.model_construct(sparsities=[], arms=[], seeds=[])

    @property
    def origin(self) -> str:
        """A sentence on what may be concluded, in Markdown."""
        return f"Nothing was trained for this study. The numbers are those of {self.table.origin}."

    @property
    def tables(self) -> dict[str, str]:
        """Paths of the tables by key, as written in the params."""
        return self.table.model_dump(exclude={"arms", "origin"}, exclude_none=True)


class Study(Section):
    """A study that trains models. `study` is the name of its params file and of its folder under results/."""

    study: StudyName
    corpus: Corpus
    tasks: Annotated[list[Task], Field(min_length=1)]
    model: Model
    pretraining: Pretraining
    finetuning: Finetuning
    prunability: Prunability
    grid: Grid
    analysis: Analysis
    machine: Machine
    own_arms: dict[ArmName, Arm] = {}  # rows beside those of sections/arms.yaml
    inputs: Inputs = {}

    @model_validator(mode="after")
    def _has_its_arms(self):
        tasks = [task.name for task in self.tasks]
        if taken := [name for name in self.own_arms if name in SHIPPED.names]:
            raise ValueError(
                f"own_arms.{taken[0]}: the name is taken; allowed is any name but {', '.join(sorted(SHIPPED.names))}"
            )
        for name, row in self.own_arms.items():
            if row.masks_of not in (None, PRETRAINING, *tasks):
                raise ValueError(
                    f"own_arms.{name}.masks_of is {row.masks_of!r}; allowed are {PRETRAINING}, {', '.join(tasks)}"
                )
        table, controls = self.arm_table, self.finetuning.epochs.controls or {}
        for key, given, allowed in (
            ("grid.arms", self.grid.arms, table.arms),
            ("grid.at", self.grid.at, [*table.rows]),
            ("machine.keep", self.machine.keep, table.arms),
            ("finetuning.epochs.controls", controls, [arm for arm in table.rows if arm not in PAPERS]),
        ):
            if strange := [arm for arm in given if arm not in allowed]:
                raise ValueError(f"{key} has {strange[0]!r}; allowed are {', '.join(allowed)}")
        for arm in self.grid.arms:
            if len(self.grid.sparsities) > 1 and not any(table.has(arm, s) for s in self.grid.sparsities):
                only = table.rows[arm].only
                raise ValueError(
                    f"grid.arms has {arm!r}, whose pattern prunes {percent(only)}, and grid.sparsities are "
                    f"{self.grid.sparsities}; allowed is a grid with that sparsity"
                )
        return self

    @property
    def arm_table(self) -> ArmTable:
        """The table of arms, with the study's own rows."""
        return ArmTable(SHIPPED.rows | self.own_arms, self.grid.at)

    @model_validator(mode="after")
    def _has_a_vocabulary(self):
        if self.corpus.source != "embedded" and self.vocabulary is None:
            raise ValueError("corpus.vocabulary is missing; a model without 'pretrained' has none of its own")
        return self

    @model_validator(mode="after")
    def _tasks_fit(self):
        names = [task.name for task in self.tasks]
        if len({name.casefold() for name in names}) < len(names):  # they name folders, also where case does not count
            raise ValueError(f"tasks are {names}; each name may occur only once, whatever its case")
        if self.corpus.source != "embedded" and any(task.source == "embedded" for task in self.tasks):
            raise ValueError("an embedded task needs the embedded corpus, since it uses the same words")
        return self

    @model_validator(mode="after")
    def _prunability_is_on_the_grid(self):
        allowed, sparsity = self.grid.sparsities[1:], self.prunability.sparsity
        if sparsity not in allowed:
            raise ValueError(f"prunability.sparsity is {sparsity}; allowed are the grid's values above 0: {allowed}")
        return self

    @model_validator(mode="after")
    def _prunability_has_a_rate_of_the_grid(self):
        allowed, rate = self.finetuning.learning_rates, self.prunability.learning_rate
        if rate not in (None, *allowed):
            also = f"allowed are null, which is the first of finetuning.learning_rates, and each of them: {allowed}"
            raise ValueError(f"prunability.learning_rate is {rate}; {also}")
        return self

    @property
    def origin(self) -> str:
        """A sentence on what may be concluded, in Markdown."""
        return EMBEDDED if self.corpus.source == "embedded" else "The text and the tasks are real."

    @property
    def tables(self) -> dict[str, str]:
        return {}

    @property
    def vocabulary(self) -> str | None:
        """File, folder or hub name of the tokenizer; None if each word of the embedded language is a token."""
        return getattr(self.corpus, "vocabulary", None) or self.model.pretrained

    def task(self, name: str) -> Task:
        """Return the task with this name. Raises ParamsError with the names of the study's tasks."""
        named = {task.name: task for task in self.tasks}
        if name not in named:
            raise ParamsError(f"task is {name!r}; allowed in study '{self.study}': {', '.join(named)}")
        return named[name]
