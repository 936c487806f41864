"""The schema of a study: what a params file may say."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

METHODS = ("dense", "gradual", "random")  # how a pre-trained checkpoint came to be
ARMS = ("dense", "scratch", "pretrain", "information_deletion", "downstream", "random")
PRUNED_ARMS = ARMS[2:]

Share = Annotated[float, Field(ge=0, le=1)]
Sparsity = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Length = Annotated[int, Field(ge=8)]  # tokens of a sequence at most


class ParamsError(ValueError):
    """A params file, or a parameter of a notebook, that cannot be used; its text is one clear sentence a fault."""


class Section(BaseModel):
    # strict, so that the string "2e-5", which YAML makes of a number without a point, is refused and not guessed at
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EmbeddedCorpus(Section):
    """The package's own small English."""

    source: Literal["embedded"]
    documents: Count
    held_out_documents: Count
    max_length: Length


class LocalCorpus(Section):
    """UTF-8 text files (.txt, .gz, .xz): sentences or paragraphs a line, an empty line between documents."""

    source: Literal["local"]
    files: Annotated[list[str], Field(min_length=1)]
    held_out_files: Annotated[list[str], Field(min_length=1)]
    vocabulary: str  # a WordPiece vocab.txt
    lowercase: bool = True  # as the vocabulary is
    replace: dict[str, str] = {}  # marks of the files' own tokenisation, and what they stand for
    max_length: Length


class HubText(Section):
    """A text data set of the hub, with a column `text`."""

    path: str
    configuration: str | None = None
    revision: str | None = None
    rows_per_document: Count = 1  # more where a row is only a sentence


class HubCorpus(Section):
    """Data sets of the Hugging Face hub, streamed."""

    source: Literal["hub"]
    datasets: Annotated[list[HubText], Field(min_length=1)]
    held_out_documents: Count
    vocabulary: str  # the model whose tokenizer is used
    max_length: Length


class EmbeddedTask(Section):
    source: Literal["embedded"]
    name: Literal["acceptability", "sentiment", "entailment"]
    train: Count  # examples
    dev: Count


class LocalTask(Section):
    """A folder of TSV files: GLUE's own layout for GLUE's tasks, else columns sentence[1, 2] and label."""

    source: Literal["local"]
    name: str
    folder: str
    train: str = "train.tsv"
    dev: str = "dev.tsv"


class HubTask(Section):
    source: Literal["hub"]
    name: str
    dataset: str = "nyu-mll/glue"


Corpus = Annotated[EmbeddedCorpus | LocalCorpus | HubCorpus, Field(discriminator="source")]
Task = Annotated[EmbeddedTask | LocalTask | HubTask, Field(discriminator="source")]


class Model(Section):
    """A BERT to start from by name or folder, or the shape (BertConfig's names) of one made from nothing."""

    pretrained: str | None
    hidden_size: Count | None = None
    num_hidden_layers: Count | None = None
    num_attention_heads: Count | None = None
    intermediate_size: Count | None = None
    dropout: Share | None = None
    initializer_range: Positive | None = None  # BERT's own 0.02 where not given

    @model_validator(mode="after")
    def shape_or_name(self):
        shape = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        missing = [name for name in shape if getattr(self, name) is None]
        if self.pretrained is None and missing:
            raise ValueError(f"a model without 'pretrained' needs its shape; missing: {', '.join(missing)}")
        return self


class Pretraining(Section):
    burn_in_steps: Count  # un-pruned steps that make the dense model every arm starts from
    burn_in_learning_rate: Positive
    steps: Count  # of each pruned run, ramp included
    ramp_steps: Count  # the cubic schedule's last step
    frequency: Count  # steps between two renewals of the mask
    batch_size: Count
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Share  # of the steps, before the linear decay
    max_grad_norm: Positive
    masked_share: Share  # of a sequence's tokens
    max_masked: Count  # tokens of a sequence at most
    duplicates: Count  # readings of the text at most, each with pairs and masks of its own (BERT's dupe_factor)

    @model_validator(mode="after")
    def ramp_fits(self):
        if self.ramp_steps > self.steps:
            raise ValueError(f"ramp_steps is {self.ramp_steps}; allowed is at most steps, {self.steps}")
        return self


class EpochsFrom(Section):
    sparsity: Sparsity  # from this one up
    epochs: Count


class Epochs(Section):
    """Epochs of each arm; a list where they grow with sparsity."""

    dense: Count
    scratch: Count
    pretrain: Count
    random: Count
    information_deletion: list[EpochsFrom]
    downstream: list[EpochsFrom]  # after pruning, on top of the dense model's epochs

    @field_validator("information_deletion", "downstream")
    @classmethod
    def from_zero(cls, stages: list[EpochsFrom]):
        starts = [stage.sparsity for stage in stages]
        if not starts or starts != sorted(set(starts)) or starts[0] != 0:
            raise ValueError(f"epochs start at sparsities {starts}; allowed is a rising list from 0.0")
        return stages

    def of(self, arm: str, sparsity: float) -> int:
        epochs = getattr(self, arm)
        return epochs if isinstance(epochs, int) else [e.epochs for e in epochs if e.sparsity <= sparsity][-1]


class Finetuning(Section):
    batch_size: Count
    learning_rates: Annotated[list[Positive], Field(min_length=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Share
    max_grad_norm: Positive
    epochs: Epochs


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


class Study(Section):
    """A whole study; `study` names its folder under results/ and is its params file's name."""

    study: Annotated[str, Field(pattern=r"^[\w-]+$")]
    corpus: Corpus
    tasks: Annotated[list[Task], Field(min_length=1)]
    model: Model
    pretraining: Pretraining
    finetuning: Finetuning
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

    def task(self, name: str) -> Task:
        named = {task.name: task for task in self.tasks}
        if name not in named:
            raise ParamsError(f"task is {name!r}; allowed in study '{self.study}': {', '.join(named)}")
        return named[name]
