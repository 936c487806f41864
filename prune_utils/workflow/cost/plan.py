"""Estimate the cost of a study before it runs: steps, tokens, FLOP, disk and hours, by stage and arm."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from prune_utils.analysis import power
from prune_utils.study import paths
from prune_utils.study.files import write_json
from prune_utils.study.grid import HOUR, TRAINED
from prune_utils.study.params import load_study
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.study.words import many
from prune_utils.training import sizes
from prune_utils.training.probe import Pace, measure
from prune_utils.training.sizes import shape
from prune_utils.workflow import preflight
from prune_utils.workflow.cost.needs import needs
from prune_utils.workflow.cost.workload import STAGES, work
from prune_utils.workflow.progress import NOTEBOOK, clock

PAIR = 4e-4  # core-seconds to make one sentence pair from text, measured on two laptop cores
PASSES = {**dict.fromkeys([*TRAINED, "prunability"], sizes.TRAINING), "evaluation": 1, "data": 0, "notebooks": 0}


def plan(study: Study, pace: Pace | None = None, accelerator: str = "H200") -> pd.DataFrame:
    """The cost of a study, one row per stage and arm.

    Columns stage, arm, method, runs, steps, tokens, flop, hours_here, hours_accelerator, hours_arithmetic, bytes.
    Hours are those of jobs that run one after another. `hours_here` is based on `pace`, measured now by default.
    `hours_accelerator` is the maximum of `hours_arithmetic`, at sizes.ACHIEVED of the matrix-product rate, and of the
    time to launch the kernels of all steps.
    """
    of, rate = shape(study), sizes.ACHIEVED * sizes.accelerator(accelerator).product
    rows = work(study)
    if pace is None:
        pairs, tuned = (rows[rows.stage == stage] for stage in ("burn-in", "fine-tuning"))
        pace = measure(study, pairs.length.iloc[0], pairs.masked.iloc[0], list(tuned.length))
    passes = rows.stage.map(PASSES)
    rows["tokens"] = rows.examples * rows.length
    rows["flop"] = rows.examples * sizes.forward(of, rows.length, rows.masked) * passes
    rows["hours_here"] = [_seconds(row, pace) / HOUR for row in rows.itertuples()]
    rows["hours_arithmetic"] = rows.flop / rate / HOUR
    launches = rows.steps * sizes.launching(of) * passes / sizes.TRAINING / HOUR
    rows["hours_accelerator"] = np.maximum(rows.hours_arithmetic, launches)
    rows.loc[passes == 0, "hours_accelerator"] = rows.hours_here  # done by the CPU
    shown = ["runs", "steps", "tokens", "flop", "hours_here", "hours_accelerator", "hours_arithmetic", "bytes"]
    rows["stage"] = pd.Categorical(rows.stage, STAGES)
    rows["arm"] = pd.Categorical(rows.arm, ["", *study.arm_table.arms])
    sums = rows.groupby(["stage", "arm", "method"], observed=True)[shown].sum()
    return sums.reset_index().astype({"arm": str})


def _seconds(row, pace: Pace) -> float:
    """Seconds that one row of the work takes on this machine."""
    if row.stage in ("notebooks", "data"):
        return row.runs * NOTEBOOK if row.stage == "notebooks" else row.examples * PAIR
    if row.stage == "evaluation":
        return row.flop / pace.evaluation
    return row.runs * pace.start + row.steps * (pace.pair if row.masked else pace.finetuning_step(row.length))


def together(frame: pd.DataFrame, column: str, seeds: int, jobs: int) -> float:
    """Hours of a plan with `jobs` in parallel. The data are made by one job, the burn-in by one job per seed."""
    at_once = frame.stage.astype(str).map({"data": 1, "burn-in": min(jobs, seeds)}).fillna(jobs)
    return float((frame[column] / at_once).sum())


def show(params: Path, accelerator: str = "H200") -> None:
    """Print the plan of a study and keep it in results/<study>/plan.json, to be compared with the measured times."""
    study = load_study(params)
    if isinstance(study, Replay):
        raise ParamsError(
            f"study '{study.study}' is a table of results, which trains nothing; there is no cost to estimate"
        )
    facts = preflight.check_inputs(study)
    frame, of, machine = plan(study, None, accelerator), shape(study), study.machine
    jobs, product = many(machine.jobs, "job"), sizes.accelerator(accelerator)
    print(
        f"study '{study.study}': {of.family.title} of {of.layers} layers x {of.width}, {of.weights / 1e6:.1f} M prunable weights; "
        f"{jobs} of {machine.threads} threads, precision {machine.precision}\n"
    )
    print(table(frame, accelerator))
    seeds = len(study.grid.seeds)
    # jobs share a GPU; on a CPU each needs cores of its own
    cores = 1 if torch.cuda.is_available() else max(1, (os.cpu_count() or 1) // machine.threads)
    here = together(frame, "hours_here", seeds, min(machine.jobs, cores))
    arithmetic = frame.hours_arithmetic.sum()
    there = max(arithmetic, together(frame, "hours_accelerator", seeds, machine.jobs))
    print(
        f"\nhere: about {clock(HOUR * here)}, from a few steps measured now\n"
        f"one {accelerator}: about {clock(HOUR * there)} with {jobs} at a time; "
        f"{clock(HOUR * arithmetic)} of it arithmetic\n"
        f"  (assumed: {sizes.ACHIEVED:.0%} of {product.product / 1e12:.0f} TFLOP/s, {product.source}; at least "
        f"{1000 * sizes.launching(of):.0f} ms per step to launch its kernels)\n"
        f"disk: {frame.bytes.sum() / 1e9:.1f} GB of checkpoints and data\n\n"
        f"{power.told(study, {task.name: sizes.dev_size(task) for task in study.tasks})}\n\n{needs(study, frame, accelerator)}\n\n{preflight.told(facts)}".rstrip()
    )
    write_json(paths.results(study.study) / paths.PLAN, {"accelerator": accelerator, "rows": frame.to_dict("records")})


def table(frame: pd.DataFrame, accelerator: str) -> str:
    """Format a plan: the evaluation of all arms in one row, the total last, times of jobs one after another."""
    arms = frame.assign(arm=frame.arm.where(frame.stage != "evaluation", ""), stage=frame.stage.astype(str))
    rows = arms.groupby(["stage", "arm"], sort=False).sum(numeric_only=True)
    shown = pd.concat([rows, rows.sum().to_frame(("total", "")).T]).rename_axis(["stage", "arm"]).reset_index()
    columns = ["stage", "arm", "runs", "steps", "tokens", "flop", "hours_here", "hours_accelerator", "hours_arithmetic"]
    names = ["stage", "arm", "runs", "steps", "tokens", "FLOP", "here", accelerator, "arithmetic"]
    formats = ["{:}", "{:}", "{:,.0f}", "{:,.0f}", "{:.2g}", "{:.2g}"]
    formatters = [*(text.format for text in formats), *[lambda hours: clock(HOUR * hours)] * 3]
    return shown[columns].set_axis(names, axis=1).to_string(index=False, formatters=formatters)
