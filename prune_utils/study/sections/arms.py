"""The table of arms, arms.yaml: what each prunes, by four choices."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import Field

from prune_utils.study.section import Section, Sparsity


class Zeros(NamedTuple):
    """How the masks of a model are made."""

    score: str
    pattern: str
    when: str


class Arm(Section):
    """One row of the table."""

    score: str  # one of pruning.scores.SCORES
    pattern: str  # one of pruning.patterns.PATTERNS
    when: Literal["gradual", "start", "fine-tuned"]
    fate: Literal["zero", "free", "frozen"]
    at: Sparsity | None = None
    look: Annotated[list[str], Field(min_length=3, max_length=3)] | None = None
    runs: str | None = None

    @property
    def zeros(self) -> Zeros:
        """How its masks are made; those of a fine-tuned model are whole at the start of its further training."""
        return Zeros(self.score, self.pattern, "start" if self.when == "fine-tuned" else self.when)


TABLE = {
    name: Arm.model_validate(row)
    for name, row in yaml.safe_load(Path(__file__).with_name("arms.yaml").read_text(encoding="utf-8")).items()
}
PRUNED_ARMS, ARMS = (*TABLE,), ("dense", "scratch", *TABLE)  # the first two prune nothing
# those with keys of their own under finetuning.epochs; the others are `controls` there
PAPERS = ("pretrain", "information_deletion", "frozen", "downstream", "random")
CONTROLS = tuple(name for name in TABLE if name not in PAPERS)
# how the masks of pre-trained models are made, by the name of their runs; arms that make them alike share the runs
METHODS: dict[str, Zeros | None] = {"dense": None}
for _name, _arm in TABLE.items():
    if _arm.when != "fine-tuned" and _arm.zeros not in METHODS.values():
        METHODS[_arm.runs or _name] = _arm.zeros


def has(arm: str, sparsity: float) -> bool:
    """Whether an arm exists at a sparsity: an un-pruned one at 0, a pruned one above, or at the only one that it can have."""
    if arm not in TABLE:
        return sparsity == 0
    return sparsity > 0 and TABLE[arm].at in (None, sparsity)


def method_of(arm: str) -> str:
    """The name of how the zeros of an arm are made, one of METHODS; "none" for an arm that prunes nothing."""
    return next(name for name, zeros in METHODS.items() if zeros == TABLE[arm].zeros) if arm in TABLE else "none"


def ramped(method: str) -> bool:
    """Whether the masks of a method follow the cubic schedule; others are whole before the first step."""
    zeros = METHODS[method]
    return zeros is not None and zeros.when == "gradual"
