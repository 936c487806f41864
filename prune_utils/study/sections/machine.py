"""Section of a params file on how a study is run, not what it computes."""

from typing import Annotated, Literal

from pydantic import Field

from prune_utils.study.section import Count, Section

KINDS = ("pretraining", "finetuning", "prunability", "inside", "analysis")  # of notebooks


class Needs(Section):
    """What one notebook needs where jobs are given resources, as on a cluster; None or 0: nothing is asked for."""

    gpu: Annotated[int, Field(ge=0)] = 0  # whole GPUs
    mem_mb: Count | None = None
    runtime: Count | None = None  # minutes


class Machine(Section):
    """How a study is run, not what it computes; all but `precision` may change between runs of a study."""

    jobs: Count  # notebooks that run at the same time
    threads: Count  # per notebook
    precision: Literal["auto", "float32", "bfloat16"]
    save_steps: Count  # steps between two checkpoints of a training, from which it resumes
    sparsities_per_node: Annotated[int, Field(ge=0)]  # sparsities per notebook; 0: all
    seeds_per_node: Annotated[int, Field(ge=0)] = 1  # seeds per training notebook, the same
    needs: dict[Literal[KINDS], Needs] = {}  # by kind of notebook
    keep: list[str] = []  # arms whose fine-tuned models are kept, besides `dense`; what was trained before is not
    report_to: list[str] = []  # where the Trainer sends training curves: tensorboard, trackio, ...
