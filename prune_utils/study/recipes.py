"""How a model is shaped, pre-trained and fine-tuned."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from prune_utils.study.section import Count, Positive, Section, Share, Sparsity

CONTROLS = ("one_shot", "global", "heads")  # arms of one method each, of the same name


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
    controls: dict[Literal[CONTROLS], Count] | None = None  # those of pretrain where not given

    @field_validator("information_deletion", "downstream")
    @classmethod
    def from_zero(cls, stages: list[EpochsFrom]):
        starts = [stage.sparsity for stage in stages]
        if not starts or starts != sorted(set(starts)) or starts[0] != 0:
            raise ValueError(f"epochs start at sparsities {starts}; allowed is a rising list from 0.0")
        return stages

    def of(self, arm: str, sparsity: float) -> int:
        epochs = (self.controls or {}).get(arm, self.pretrain) if arm in CONTROLS else getattr(self, arm)
        return epochs if isinstance(epochs, int) else [e.epochs for e in epochs if e.sparsity <= sparsity][-1]


class Prunability(Section):
    """Fine-tuning first: epochs of the dense model before it is pruned in one shot (paper §5)."""

    sparsity: Sparsity  # one of the grid's, for its gradual run has the masks to compare with
    epochs: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]

    @field_validator("epochs")
    @classmethod
    def rising(cls, epochs: list[int]):
        if epochs != sorted(set(epochs)):
            raise ValueError(f"epochs are {epochs}; allowed is a rising list of whole numbers from 0 up")
        return epochs


class Finetuning(Section):
    batch_size: Count
    learning_rates: Annotated[list[Positive], Field(min_length=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Share
    max_grad_norm: Positive
    epochs: Epochs
