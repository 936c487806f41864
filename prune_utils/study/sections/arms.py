"""The table of arms, arms.yaml: what each prunes, by four choices. A params file may add rows of its own."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import Field, field_validator, model_validator

from prune_utils.study.section import Count, Positive, Section, Share, Sparsity

_SHIPPED = yaml.safe_load(Path(__file__).with_name("arms.yaml").read_text(encoding="utf-8"))
SCORES: dict[str, str] = _SHIPPED["scores"]  # what each reads: weights, training or examples
PATTERNS: list[str] = _SHIPPED["patterns"]
PRETRAINED = ("gradual", "start")  # while pre-training: the arm has pre-training runs
RAMPED = ("gradual", "fine-tuning")  # on the cubic schedule
UNPRUNED = ("dense", "scratch")
ENCODER = "encoder:"  # before a pattern: inside the layers alone
PRETRAINING = "pretraining"  # as the origin of masks: the pre-trained model itself


def share_of(pattern: str) -> float | None:
    """The sparsity of an N:M pattern, of which N of every M weights are kept; None for other patterns."""
    numbers = pattern.removeprefix(ENCODER).split(":")
    if (
        len(numbers) != 2
        or not all(number.isdigit() for number in numbers)
        or not 0 < int(numbers[0]) < int(numbers[1])
    ):
        return None
    return round(1 - int(numbers[0]) / int(numbers[1]), 10)  # 1 - 4 / 5 is not quite 0.2


class Zeros(NamedTuple):
    """How the masks of a model are made."""

    score: str
    pattern: str
    when: str
    examples: int | None = None
    teacher: "Teacher | None" = None  # of the training that makes them


class Teacher(Section):
    """Distillation (Hinton et al. 2015, arXiv:1503.02531): in fine-tuning from the dense model of the same task, in pre-training
    from the dense model that the run starts from."""

    share: Share  # of the loss; the rest is that of the labels
    temperature: Positive = 2.0
    during: Literal["fine-tuning", "pre-training", "both"] = "fine-tuning"


class Arm(Section):
    """One row of the table."""

    score: Literal[(*SCORES,)]
    pattern: str
    when: Literal["gradual", "start", "fine-tuned", "fine-tuning", "rewound"]
    fate: Literal["zero", "free", "frozen"]
    at: Sparsity | None = None
    examples: Count | None = None
    rounds: Count | None = None
    masks_of: str | None = None
    teacher: Teacher | None = None

    @field_validator("pattern")
    @classmethod
    def _known(cls, pattern: str) -> str:
        if pattern.removeprefix(ENCODER) not in PATTERNS and not share_of(pattern):
            raise ValueError(
                f"pattern is {pattern!r}; allowed are {', '.join(PATTERNS)}, N:M with N below M, such as 2:4, and any after encoder:"
            )
        return pattern

    @model_validator(mode="after")
    def _makes_sense(self):
        reads, when, of = SCORES[self.score], f"when is {self.when!r}", f"score is {self.score!r}"
        if reads == "training" and self.when not in RAMPED:
            raise ValueError(f"{of}, which is learnt step by step, and {when}; allowed are {' and '.join(RAMPED)}")
        if reads == "examples" and self.when in RAMPED:
            raise ValueError(f"{of}, which is measured once, and {when}; allowed are start, fine-tuned and rewound")
        if (reads == "examples") != (self.examples is not None):
            measured = ", ".join(name for name in SCORES if SCORES[name] == "examples")
            raise ValueError(
                f"{of} and examples is {self.examples}; allowed is a number for {measured}, and null for others"
            )
        if share_of(self.pattern) and self.when in RAMPED:
            raise ValueError(f"pattern is {self.pattern!r}, which has one sparsity, and {when}, which has a ramp")
        if self.fate != "zero" and self.when not in PRETRAINED:
            raise ValueError(
                f"fate is {self.fate!r} and {when}; this fate is only allowed for {' and '.join(PRETRAINED)}"
            )
        if self.when != "rewound" and (self.rounds or self.masks_of):
            raise ValueError(f"{when}; rounds and masks_of are only allowed if it is 'rewound'")
        if self.taught("pre-training") and self.when not in PRETRAINED:
            raise ValueError(
                f"teacher.during is {self.teacher.during!r} and {when}; only allowed for {' and '.join(PRETRAINED)}"
            )
        if self.masks_of and (self.rounds or 1) > 1:
            raise ValueError(f"masks_of is {self.masks_of!r} and rounds is {self.rounds}; allowed is 1 round")
        if share_of(self.pattern) and (self.rounds or 1) > 1:
            raise ValueError(
                f"pattern is {self.pattern!r}, which has one sparsity, and rounds is {self.rounds}; allowed is 1"
            )
        return self

    def taught(self, stage: str) -> Teacher | None:
        """Its teacher in "fine-tuning" or "pre-training"."""
        return self.teacher if self.teacher and self.teacher.during in (stage, "both") else None

    @property
    def zeros(self) -> Zeros:
        """How its masks are made; those that follow no schedule are whole at the start of a training."""
        when = "gradual" if self.when in RAMPED else "start"
        return Zeros(self.score, self.pattern, when, self.examples, self.taught("pre-training"))

    @property
    def only(self) -> float | None:
        """The one sparsity that it can have; None: any."""
        return share_of(self.pattern) or self.at


class ShippedArm(Arm):
    """A row of arms.yaml: a params file's own rows have no look and no runs of other rows."""

    look: Annotated[list[str], Field(min_length=3, max_length=3)] | None = None
    runs: str | None = None


@dataclass(frozen=True)
class ArmTable:
    """Arms by name; beside these, `dense` and `scratch` prune nothing."""

    rows: dict[str, Arm]
    at: dict[str, list[float]] = field(default_factory=dict)  # sparsities at which a study runs an arm, where not all

    @property
    def arms(self) -> tuple[str, ...]:
        return (*UNPRUNED, *self.rows)

    @cached_property
    def methods(self) -> dict[str, Zeros | None]:
        """How the masks of pre-trained models are made, by the name of their runs; arms that make them alike share them."""
        found: dict[str, Zeros | None] = {"dense": None}
        for name, row in self.rows.items():
            if row.when in PRETRAINED and row.zeros not in found.values():
                found[getattr(row, "runs", None) or name] = row.zeros
        return found

    def has(self, arm: str, sparsity: float) -> bool:
        """Whether an arm is run at a sparsity: an unpruned one at 0, a pruned one above, where it can be and the study wants it.

        `downstream` is run at 0, too: the dense model, trained as much longer as the pruned ones are.
        """
        if sparsity == 0 or arm not in self.rows:
            return sparsity == 0 and arm in (*UNPRUNED, "downstream")
        return self.rows[arm].only in (None, sparsity) and sparsity in self.at.get(arm, [sparsity])

    def method_of(self, arm: str) -> str:
        """The method that makes the zeros of an arm; its own name if no run of pre-training does, "none" if it has none."""
        if arm not in self.rows:
            return "none"
        return next((name for name, zeros in self.methods.items() if zeros == self.rows[arm].zeros), arm)

    def pattern(self, method: str) -> str:
        """The pattern of a method; a dense model is checked as pruned to 0 %, matrix by matrix."""
        zeros = self.methods[method]
        return zeros.pattern if zeros else "matrix"

    def ramped(self, method: str) -> bool:
        """Whether the masks of a method follow the cubic schedule; others are whole before the first step."""
        zeros = self.methods[method]
        return zeros is not None and zeros.when == "gradual"

    @property
    def names(self) -> set[str]:
        """Names of arms and methods."""
        return {*self.arms, *self.methods, "none"}


SHIPPED = ArmTable({name: ShippedArm.model_validate(row) for name, row in _SHIPPED["arms"].items()})
# those with keys of their own under finetuning.epochs; the others are `controls` there
PAPERS = ("pretrain", "information_deletion", "frozen", "downstream", "random")
