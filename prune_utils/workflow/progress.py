"""How much of a study is done, and how long the rest will take. Imports no torch: `make status` is to be quick."""

import os
import socket
import time
from functools import cache
from pathlib import Path
from statistics import fmean

from prune_utils.study import paths
from prune_utils.study.files import held, read_json, write_json
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow.graph import Node, nodes

NOTEBOOK = 10  # seconds that a notebook takes without training, on two laptop cores
STAGES = {
    paths.PRETRAINING_NOTEBOOK: "pre-training",
    paths.FINETUNING_NOTEBOOK: "fine-tuning",
    paths.PRUNABILITY_NOTEBOOK: "prunability",
}
COLUMNS = "{:<12}  {:>9}  {:>7}  {:>10}  {}"


def heading() -> str:
    """Column headings of `line`."""
    return COLUMNS.format("stage", "trainings", "elapsed", "time left", "notebook").rstrip()


def line(study: Study | Replay, notebook: Path | None = None, state: str = "") -> str:
    """One line of progress: stage, finished/total trainings, elapsed time, estimated time left, and a notebook.

    `notebook` is shown with its `state` or, when it is done, its duration; without one, the stage is that of the first
    pending notebook. The elapsed time counts from the last start of the study and is empty if it is not running.
    """
    every = nodes(study)
    done = [node for node in every if node.path.exists()]
    took = {node.notebook: _duration(node.path, node.path.stat().st_mtime_ns) for node in done}
    waiting = [node for node in every if node.notebook not in took]
    there = [path.exists() for node in every for path in node.own_results]
    shown = next((node for node in every if node.notebook == notebook), next(iter(waiting), every[-1]))
    started = sitting(study).get("started") if held(paths.results(study.study)) else None
    return COLUMNS.format(
        STAGES.get(shown.template, "analysis") if waiting else "done",
        f"{sum(there)}/{len(there)}" if there else "",
        clock(time.time() - started) if started else "",
        _left(every, took, study.machine.jobs) if waiting else "nothing",
        f"{shown.name}: {state or clock(took[notebook])}" if notebook else "",
    ).rstrip()


def start(study: Study | Replay, profile: Path | None = None, ends_earlier: bool = False) -> None:
    """Record when and where the study is started, and whether that ends the jobs of earlier starts."""
    here = {"started": time.time(), "host": socket.gethostname(), "process": os.getpid(), "ends_earlier": ends_earlier}
    profile = {"profile": str(profile)} if profile else {}
    write_json(paths.results(study.study) / paths.SITTING, here | profile)


@cache
def _duration(notebook: Path, changed: int) -> float:
    """Seconds that an executed notebook took. Reading hundreds of them takes seconds, and a study prints hundreds of lines."""
    return read_json(notebook)["metadata"]["papermill"]["duration"]


def sitting(study: Study | Replay) -> dict:
    """What `start` recorded last: started (seconds since 1970), host, process, ...; empty if never."""
    file = paths.results(study.study) / paths.SITTING
    return read_json(file) if file.exists() else {}


def _left(every: list[Node], took: dict[Path, float], jobs: int) -> str:
    """Time left for the nodes that are not in `took`, at the pace of those that are."""
    done = [node for node in every if node.notebook in took and node.trains]
    waiting = [node for node in every if node.notebook not in took]
    if not done and any(node.trains for node in waiting):
        return "?"

    def seconds(node: Node) -> float:
        if not node.trains:
            return NOTEBOOK
        same = [other for other in done if other.template == node.template] or done
        pace = sum(took[other.notebook] for other in same) / sum(other.examples for other in same)
        return node.examples * pace * fmean(not path.exists() for path in node.own_results)

    try:
        return clock(sum(map(seconds, waiting)) / min(jobs, len(waiting)))
    except ParamsError:  # the files of a task are gone, so its examples cannot be counted
        return "?"


def clock(seconds: float) -> str:
    """Format a duration: "40 s", "12 min", "3.5 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:,.1f} h"
