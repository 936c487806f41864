"""Report a study's progress from its results folder, without contacting the running process."""

import contextlib
import datetime
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from prune_utils.study import paths
from prune_utils.study.files import held, read_json, this_process, write_json
from prune_utils.study.params import load_study
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow import cluster, progress
from prune_utils.workflow.graph import Node, nodes

EVERY = 1  # seconds between two looks at the results
ELSEWHERE = 10  # the same where jobs run on other machines, whose file system serves many


class Begun(NamedTuple):
    """A node that was started and is not done.

    `file`: its unfinished notebook; `failure`: why it failed, or None; `now`: whether it was started since the last
    start of the study.
    """

    node: Node
    file: Path
    failure: str | None
    now: bool


def begun(study: Study | Replay) -> list[Begun]:
    """Nodes with an unfinished notebook."""
    started = progress.sitting(study).get("started", 0)
    return [one for node in nodes(study) if (one := _begun(node, started))]


def _begun(node: Node, started: float) -> Begun | None:
    file = paths.unfinished(node.path)
    try:
        return Begun(node, file, kept(file), file.stat().st_mtime >= started)
    except FileNotFoundError:  # never begun, or finished at this moment
        return None


def failed_before(study: Study | Replay, node: Node) -> str | None:
    """Why a node failed since the last start of the study; None if it did not."""
    one = _begun(node, progress.sitting(study).get("started", 0))
    return one.failure if one and one.now else None


def failed(study: Study | Replay) -> list[Begun]:
    """Nodes that failed since the last start of the study."""
    return [one for one in begun(study) if one.failure and one.now]


def watch(study: Study | Replay, process: subprocess.Popen, seconds: float = EVERY) -> None:
    """Wait for Snakemake, and print a line of progress for every notebook that starts, is done or fails, here or elsewhere.

    Looks at the results every `seconds`.
    """
    told = {node.notebook: ("done", "") for node in nodes(study) if node.path.exists()}
    ended = False
    while not ended:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        ended = process.poll() is not None  # the last notebooks are reported, too
        with contextlib.suppress(OSError, ParamsError):  # a file that vanishes is looked at again
            _tell(study, told)


def _tell(study: Study | Replay, told: dict[Path, tuple[str, str]]) -> None:
    """Print a line for every notebook whose state is not in `told`, {notebook: (state, place)}, and add it."""
    here, begun_ones = this_process(), {one.node.notebook: one for one in begun(study)}
    waiting = cluster.submitted(paths.results(study.study))
    for index, node in enumerate(nodes(study)):
        one, place = begun_ones.get(node.notebook), ""
        if node.path.exists():
            state = "done"
        elif one and one.failure and one.now:
            state = "failed"
        elif one and node.running:
            state, place = "started", node.holder if node.holder != here else ""
        elif index in waiting and not one:
            state, place = "submitted", f"job {waiting[index]}"
        else:
            continue
        if told.get(node.notebook) != (state, place):
            told[node.notebook] = state, place
            said = {"done": "", "submitted": f"submitted, {place}"}.get(
                state, f"{state} on {place}" if place else state
            )
            print(progress.line(study, node.notebook, said), flush=True)
            if state == "failed":
                print(f"    {one.failure}\n    in {one.file.resolve()}", flush=True)


def show(params: Path) -> None:
    """Print the progress of a study, whether and where it is running, and what failed."""
    study = load_study(params)
    folder, report = paths.results(study.study), paths.report(study.study)
    if not (folder / paths.RECORDED).exists():
        out = "" if "PRUNE_UTILS_OUT" in os.environ else " (PRUNE_UTILS_OUT is not set)"
        print(f"study '{study.study}' has not been started: there is no {folder}{out}")
        return
    sitting, running = progress.sitting(study), held(folder)
    where = "running" if running else "not running"
    if running and sitting:
        since = datetime.datetime.fromtimestamp(sitting["started"])
        where += f" on {sitting['host']} (process {sitting['process']}) since {since:%Y-%m-%d %H:%M}"
    print(f"study '{study.study}', {where}\n\n{progress.heading()}\n{progress.line(study)}\n")
    every, unfinished = nodes(study), begun(study)
    for place, job in cluster.submitted(folder).items() if running else ():
        if not every[place].path.exists() and every[place] not in [one.node for one in unfinished]:
            print(f"{every[place].name}: submitted, job {job}")
    for one in unfinished:
        print(f"{one.node.name}: {_state(one, running, sitting.get('host'))}")
        if one.failure:
            print(f"    in {paths.shown(one.file)}")
    if report.exists() and all(node.path.exists() for node in nodes(study)):
        print(f"report: {paths.shown(report)}")
    elif not running:
        profile = f" --profile {sitting['profile']}" if sitting.get("profile") else ""
        print(f"to continue: python -m prune_utils study {paths.shown(params)}{profile}")


def _state(one: Begun, running: bool, host: str | None) -> str:
    if one.failure:
        return f"failed  {one.failure}" if one.now or not running else f"waiting, after it failed  {one.failure}"
    if not one.node.running:
        return "interrupted"
    return "running" if one.node.holder == host else f"running on {one.node.holder}"


LONGEST = 600  # longest message, in characters
KEY = "failed"  # key in the metadata of a notebook
KILLED = (
    "its process was killed while it ran `{}`, most likely by the system because memory ran out; {} reduce "
    "the batch size or the model"
)


def keep(unfinished: Path, name: str, message: str) -> str:
    """Store why a node failed in its unfinished notebook; return it as one line."""
    said = " ".join(f"{name}: {message}".split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
    if content := _read(unfinished):
        content["metadata"][KEY] = said
        write_json(unfinished, content)
    return said


def kept(unfinished: Path) -> str | None:
    """Why the node of an unfinished notebook failed; None if it is running or was interrupted."""
    return _read(unfinished).get("metadata", {}).get(KEY)


def killed(unfinished: Path) -> str:
    """The probable reason why a kernel died, with the line it was executing."""
    cells = [cell for cell in _read(unfinished).get("cells", []) if cell["cell_type"] == "code"]
    begun = [cell for cell in cells if "execution" in cell["metadata"]]
    lines = "".join(begun[-1]["source"]).splitlines() if begun else []
    more = "raise mem_mb in machine.needs, or" if "SLURM_JOB_ID" in os.environ else "reduce machine.jobs, or"
    return KILLED.format(lines[-1].strip() if lines else "its first lines", more)


def _read(unfinished: Path) -> dict:
    """Read a notebook that another process may be writing; empty if it cannot be read."""
    try:
        return read_json(unfinished)
    except (FileNotFoundError, ValueError):
        return {}
