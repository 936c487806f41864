"""Sections of a params file on the model and its trainings."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from prune_utils.study.section import Count, Dropout, Positive, Section, Share, Sparsity
from prune_utils.study.sections.arms import PAPERS, UNPRUNED, Arm

FAMILIES = ("bert", "roberta", "distilbert", "electra", "modernbert", "mpnet")  # see docs/models.md


class Model(Section):
    """A pre-trained encoder, given by folder or hub name, or the shape (BertConfig's names) of a new one."""

    pretrained: Annotated[str, Field(min_length=1)] | None
    family: Literal[FAMILIES] | None = None  # default: that of the pre-trained model; of a new one, BERT
    hidden_size: Count | None = None
    num_hidden_layers: Count | None = None
    num_attention_heads: Count | None = None
    intermediate_size: Count | None = None
    embedding_size: Count | None = None  # of a new ELECTRA; default: hidden_size
    dropout: Dropout | None = None
    initializer_range: Positive | None = None  # default: BERT's 0.02

    @model_validator(mode="after")
    def _shape_or_name(self):
        shape = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        missing = [name for name in shape if getattr(self, name) is None]
        if self.pretrained is None and missing:
            raise ValueError(f"a model without 'pretrained' needs its shape; missing: {', '.join(missing)}")
        if self.pretrained is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size is {self.hidden_size}; allowed are multiples of num_attention_heads")
        if self.embedding_size and self.family != "electra":
            raise ValueError(f"embedding_size is {self.embedding_size}; only allowed for family 'electra'")
        return self


class _Optimiser(Section):
    """The settings that all trainings of one stage share."""

    batch_size: Count
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Share  # of the steps, before the linear decay
    max_grad_norm: Positive

    def over(self, steps: int, learning_rate: float) -> "Optimisation":
        """The settings of a training over `steps` steps at a learning rate."""
        shared = {name: getattr(self, name) for name in _Optimiser.model_fields}
        return Optimisation(steps=steps, learning_rate=learning_rate, **shared)


class Optimisation(_Optimiser):
    """One training: AdamW with a linear decay to zero over `steps` optimiser steps."""

    steps: Count
    learning_rate: Positive


class Pretraining(_Optimiser):
    """The burn-in, which makes the dense model of each seed, and the pruned runs that start from it."""

    burn_in_steps: Count  # steps of the burn-in
    burn_in_learning_rate: Positive
    head_steps: Count | None = None  # before the burn-in, of the heads alone: new heads would spoil a trained encoder
    head_learning_rate: Positive | None = None
    steps: Count  # of each pruned run, ramp included
    ramp_steps: Count  # last step of the cubic schedule
    frequency: Count  # steps between two updates of the mask
    learning_rate: Positive
    masked_share: Share  # of the tokens of a sequence
    max_masked: Count  # tokens per sequence at most
    duplicates: Count  # passes over the text at most, each with pairs and masks of its own (BERT's dupe_factor)

    @property
    def pairs_read(self) -> int:
        """Sentence pairs that the longest run reads; a short text gives fewer, which are reused."""
        return self.batch_size * max(self.burn_in_steps, self.steps, self.head_steps or 0)

    def stages(self, burn_in: bool) -> list[tuple[str, Optimisation]]:
        """What is trained, in order: "heads" alone where `head_steps` are given, and "all", in the burn-in; else "all"."""
        if not burn_in:
            return [("all", self.over(self.steps, self.learning_rate))]
        heads = [("heads", self.over(self.head_steps, self.head_learning_rate))] if self.head_steps else []
        return [*heads, ("all", self.over(self.burn_in_steps, self.burn_in_learning_rate))]

    @model_validator(mode="after")
    def _heads_have_a_rate(self):
        if (self.head_steps is None) != (self.head_learning_rate is None):
            given = f"head_steps is {self.head_steps} and head_learning_rate is {self.head_learning_rate}"
            raise ValueError(f"{given}; allowed are both, or neither")
        return self

    @model_validator(mode="after")
    def _ramp_fits(self):
        if self.ramp_steps > self.steps:
            raise ValueError(f"ramp_steps is {self.ramp_steps}; allowed is at most steps, {self.steps}")
        return self


class EpochsFrom(Section):
    sparsity: Sparsity  # lowest sparsity at which `epochs` applies
    epochs: Count


class Epochs(Section):
    """Epochs per arm; a list of stages where they depend on sparsity."""

    dense: Count
    scratch: Count
    pretrain: Count
    random: Count
    information_deletion: list[EpochsFrom]
    downstream: list[EpochsFrom]  # after pruning, on top of the dense model's epochs
    frozen: Count | None = None  # default: as for pretrain
    controls: dict[str, Count] | None = None  # of other arms, by name; default: see `of`

    @field_validator("information_deletion", "downstream")
    @classmethod
    def _from_zero(cls, stages: list[EpochsFrom]):
        starts = [stage.sparsity for stage in stages]
        if not starts or starts != sorted(set(starts)) or starts[0] != 0:
            raise ValueError(f"epochs start at sparsities {starts}; allowed is an increasing list from 0.0")
        return stages

    def of(self, arm: str, sparsity: float, row: Arm | None = None) -> int:
        """Epochs of an arm at a sparsity; `row`: that of an arm that is not the paper's.

        Unless `controls` says otherwise, an arm that is pruned after fine-tuning is trained further as long as `downstream`,
        one that is pruned while it is fine-tuned as long as the dense model and `downstream` together, and any other as long
        as `pretrain`.
        """
        if arm not in (*UNPRUNED, *PAPERS):
            if told := (self.controls or {}).get(arm):
                return told
            if row and row.when in ("fine-tuned", "fine-tuning"):
                return self.of("downstream", sparsity) + (self.dense if row.when == "fine-tuning" else 0)
            arm = "pretrain"
        epochs = getattr(self, arm) or self.pretrain
        return epochs if isinstance(epochs, int) else [e.epochs for e in epochs if e.sparsity <= sparsity][-1]


class Prunability(Section):
    """Fine-tuning first: epochs of the dense model before one-shot pruning (paper §5)."""

    sparsity: Sparsity  # must be on the grid: masks are compared with those of its gradual run
    epochs: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    learning_rate: Positive | None = (
        None  # one of finetuning.learning_rates, whose dense cells are reused; None: the first
    )

    @field_validator("epochs")
    @classmethod
    def _rising(cls, epochs: list[int]):
        if epochs != sorted(set(epochs)):
            raise ValueError(f"epochs are {epochs}; allowed is an increasing list of whole numbers from 0 up")
        return epochs


class Finetuning(_Optimiser):
    """Fine-tuning of every cell; the learning rate with the best dev accuracy is selected."""

    learning_rates: Annotated[list[Positive], Field(min_length=1)]
    epochs: Epochs
    # shares of the steps between which arms that are pruned while they are fine-tuned reach their sparsity
    ramp_begin: Share = 0.1
    ramp_share: Share = 0.8

    @field_validator("learning_rates")
    @classmethod
    def _rates_differ(cls, rates: list[float]):
        if len({f"{rate:g}" for rate in rates}) < len(rates):
            raise ValueError(
                f"learning_rates are {rates}; each may occur once and must differ in six digits, as they name folders"
            )
        return rates

    @model_validator(mode="after")
    def _ramp_is_in_order(self):
        if self.ramp_begin > self.ramp_share:
            raise ValueError(f"ramp_begin is {self.ramp_begin}; allowed is at most ramp_share, {self.ramp_share}")
        return self

    def optimisation(self, examples: int, epochs: int, learning_rate: float) -> Optimisation:
        """The settings of `epochs` passes over `examples` training examples."""
        return self.over(-(-epochs * examples // self.batch_size), learning_rate)
