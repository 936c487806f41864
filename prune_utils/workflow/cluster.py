"""Run a study's jobs on other machines: what keeps a start of the study apart from the jobs of an earlier one."""

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.files import LOCK, held, read_json
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow import progress
from prune_utils.workflow.nodes import Node, nodes

PROFILE = "config.yaml"  # of a Snakemake profile
EVERY = 5  # seconds between two looks at the results


def check_profile(profile: Path) -> None:
    """Raise ParamsError if `profile` is not the folder of a Snakemake profile."""
    if not (profile / PROFILE).is_file():
        raise ParamsError(f"profile {profile} is not a folder with a {PROFILE}, such as profiles/slurm")


def fenced(folder: Path) -> str:
    """The command that a job runs first: it ends the job if the study has been started again since it was submitted.

    Otherwise a job that an earlier start left in the queue would delete the outputs of its notebook before it begins.
    """
    started = read_json(folder / paths.SITTING)["started"]
    return shlex.join([sys.executable, "-m", "prune_utils", "fence", str(folder.resolve()), str(started)])


def fence(folder: Path, started: float) -> None:
    """Raise ParamsError if the study in `folder` has been started again since `started` (seconds since 1970)."""
    if read_json(folder / paths.SITTING)["started"] != started:
        raise ParamsError(f"this job belongs to an earlier start of the study in {folder}; it ends without a trace")


def watch(study: Study | Replay, process: subprocess.Popen) -> None:
    """Wait for Snakemake, and print a line of progress for every notebook that is done: jobs print into their own logs."""
    told = {node.notebook for node in nodes(study) if node.path.exists()}
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(EVERY)
        for node in nodes(study):
            if node.notebook not in told and node.path.exists():
                told.add(node.notebook)
                print(progress.line(study, node.notebook), flush=True)


def left_running(study: Study | Replay) -> list[Node]:
    """Nodes that are being executed, here or on any machine that shares the file system and its locks."""
    return [node for node in nodes(study) if held(node.path.parent, lock_of(node.path))]


def lock_of(notebook: Path) -> str:
    """Name of the file that is locked while a notebook is executed."""
    return f".{notebook.name}{LOCK}"
