"""What the notebooks of a study need on a cluster: the `machine.needs` of its params, from its estimated cost."""

import math
import resource
import sys

import pandas as pd
import torch

from prune_utils.study.grid import HOUR
from prune_utils.study.schema import Study
from prune_utils.workflow.graph import nodes

MARGIN = 2  # times the estimate, which rests on a few steps
STAGES = {"pretraining": ["burn-in", "pre-training"], "finetuning": ["fine-tuning"], "prunability": ["prunability"]}
MINUTES, MEGABYTES = 10, 500  # to which a need is rounded up
AROUND = 2000  # MB of the processes around a training: Snakemake's and papermill's


def needs(study: Study, frame: pd.DataFrame, accelerator: str) -> str:
    """What each kind of notebook but the analysis needs, as YAML for the params, and the same on a GPU where there is none here.

    `frame` is the plan of the study. Memory is the peak of this process, which has just trained a few steps.
    """
    here, there = _minutes(study, frame, "hours_here"), _minutes(study, frame, "hours_accelerator")
    per_megabyte = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    memory = _up(MARGIN * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_megabyte + AROUND, MEGABYTES)
    gpu = "gpu: 1, " if torch.cuda.is_available() else ""
    lines = [f"    {kind}: {{{gpu}mem_mb: {memory}, runtime: {here[kind]}}}" for kind in here]
    shown = [
        "what each notebook needs on a cluster, twice the estimate (docs/cluster.md):",
        "machine:",
        "  needs:",
        *lines,
    ]
    if not gpu:
        runtimes = ", ".join(f"{kind} {minutes}" for kind, minutes in there.items())
        shown.append(f"  # on one {accelerator} each, gpu: 1 and a runtime of: {runtimes}")
    return "\n".join(shown)


def _minutes(study: Study, frame: pd.DataFrame, hours: str) -> dict[str, int]:
    """Minutes that the longest notebook of each kind takes, with a margin; data and evaluation are in them."""
    by_stage = frame.groupby(frame.stage.astype(str))[hours].sum()
    trained = by_stage.reindex([stage for stages in STAGES.values() for stage in stages]).sum()
    # the encoder is looked into by evaluations of every pre-trained model, which those of the whole study bound
    found, every = {"inside": _up(MARGIN * by_stage.get("evaluation", 0.0) * HOUR / 60, MINUTES)}, nodes(study)
    for kind, stages in STAGES.items():
        examples = [node.examples for node in every if node.kind == kind]
        if examples:
            share = by_stage.reindex(stages).sum() * max(examples) / sum(examples)
            share *= 1 + by_stage.get("evaluation", 0.0) / trained
            share += by_stage.get("data", 0.0) if kind == "pretraining" else 0.0  # the first notebook makes them
            found[kind] = _up(MARGIN * share * HOUR / 60, MINUTES)
    return found


def _up(number: float, step: int) -> int:
    return step * max(1, math.ceil(number / step))
