"""How much of a study is done, and how long the rest will take. Imports no torch, since it runs after every node."""

import time
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.files import held, read_json
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow.nodes import Node, nodes

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
    every, folder = nodes(study), paths.results(study.study)
    took = {node.notebook: seconds for node in every if (seconds := _seconds(folder / node.notebook)) is not None}
    waiting = [node for node in every if node.notebook not in took]
    own = _own_results(study, every)
    done, total = sum(path.exists() for mine in own.values() for path in mine), sum(map(len, own.values()))
    shown = next((node for node in every if node.notebook == notebook), next(iter(waiting), every[-1]))
    started = sitting(study).get("started") if held(folder) else None
    return COLUMNS.format(
        STAGES.get(shown.template, "analysis") if waiting else "done",
        f"{done}/{total}" if total else "",
        clock(time.time() - started) if started else "",
        _about_left(waiting, took, every, own, study.machine.jobs) if waiting else "nothing",
        f"{shown.name}: {state or clock(took[notebook])}" if notebook else "",
    ).rstrip()


def sitting(study: Study | Replay) -> dict:
    """When and where the study was last started: started (seconds since 1970), host, process; empty if never."""
    file = paths.results(study.study) / paths.SITTING
    return read_json(file) if file.exists() else {}


def _own_results(study: Study | Replay, every: list[Node]) -> dict[Path, list[Path]]:
    """Result files per node; a file that several nodes show belongs to the first."""
    seen: dict[Path, Path] = {}
    for node in every:
        for path in node.results:
            seen.setdefault(path, node.notebook)
    return {node.notebook: [path for path, owner in seen.items() if owner == node.notebook] for node in every}


def _about_left(*what) -> str:
    try:
        return _left(*what)
    except ParamsError:  # the files of a task are gone, so its examples cannot be counted
        return "?"


def _left(waiting: list[Node], took: dict[Path, float], every: list[Node], own: dict, jobs: int) -> str:
    done = [node for node in every if node.notebook in took and node.trains]
    if not done and any(node.trains for node in waiting):
        return "?"

    def pace(template: Path) -> float:
        """Seconds per example, from finished nodes of the same notebook, or of all notebooks if there is none."""
        same = [node for node in done if node.template == template] or done
        return sum(took[node.notebook] for node in same) / sum(node.examples for node in same)

    def seconds(node: Node) -> float:
        if not node.trains:
            return NOTEBOOK
        files = own[node.notebook]
        missing = sum(not path.exists() for path in files) / len(files) if files else 1
        return node.examples * pace(node.template) * missing

    return clock(sum(map(seconds, waiting)) / min(jobs, len(waiting)))


def _seconds(notebook: Path) -> float | None:
    """Duration of an executed notebook as papermill recorded it; None if it does not exist."""
    if not notebook.exists():
        return None
    return read_json(notebook)["metadata"]["papermill"]["duration"]


def clock(seconds: float) -> str:
    """Format a duration: "40 s", "12 min", "3.5 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:,.1f} h"
