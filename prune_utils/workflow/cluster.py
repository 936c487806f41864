"""Run a study's jobs on other machines: what keeps a start of the study apart from the jobs of an earlier one."""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.files import LOCK, held, holder, read_json, this_process
from prune_utils.study.params import read_yaml
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow.ending import STARTED
from prune_utils.workflow.graph import lock_of, nodes

PROFILE = "config.yaml"  # of a Snakemake profile
SUBMITTED = re.compile(r"has been submitted with SLURM jobid (\d+) \(log: .*_(\d+)/\d+\.log\)")  # in Snakemake's log
PATIENCE = 240  # seconds that notebooks have to notice, save and end; file systems show a change after up to a minute
STALE = 60  # seconds for which a file system may show an old file


def check_profile(profile: Path) -> None:
    """Raise ParamsError if `profile` is not the folder of a Snakemake profile."""
    if not (profile / PROFILE).is_file():
        raise ParamsError(f"profile {profile} is not a folder with a {PROFILE}, such as profiles/slurm")


def options(profile: Path) -> list[str]:
    """Options of Snakemake that a profile needs and does not give: on a Slurm without accounting, jobs are asked of squeue.

    Otherwise Snakemake would ask `sacct`, get no answer, and wait for ever for jobs that have ended.
    """
    given = read_yaml(profile / PROFILE)
    if given.get("executor") != "slurm" or "slurm-status-command" in given:
        return []
    try:
        asked = subprocess.run(["sacct", "--noheader"], capture_output=True, timeout=60).returncode
    except (OSError, subprocess.TimeoutExpired):
        asked = 1
    return ["--slurm-status-command", "squeue"] if asked else []


def submitted(folder: Path) -> dict[int, str]:
    """Ids of the jobs that the running start has submitted, by the place of their notebook in the graph."""
    log = folder / paths.LOG
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return {int(place): job for job, place in SUBMITTED.findall(text)}


def fenced(folder: Path) -> str:
    """The command that a job runs first: it ends the job if the study has been started again since it was submitted.

    Otherwise a job that an earlier start left in the queue would delete the outputs of its notebook before it begins. It
    also ends the job if it does not see the lock that the running start holds.
    """
    started = read_json(folder / paths.SITTING)["started"]
    command = [sys.executable, "-m", "prune_utils", "fence", str(folder.resolve()), str(started)]
    return f"export {STARTED}={started} && {shlex.join(command)}"


def fence(folder: Path, started: float) -> None:
    """Raise ParamsError if a job may not run: the study in `folder` was started again since `started` (seconds since
    1970), or is not running, or runs on a machine whose file locks are not seen here."""
    deadline = time.monotonic() + STALE
    while (sitting := read_json(folder / paths.SITTING))["started"] < started and time.monotonic() < deadline:
        time.sleep(1)
    if sitting["started"] != started:
        raise ParamsError(
            f"this job belongs to an earlier start of the study in {folder}; it ends without writing anything"
        )
    if not held(folder):
        raise ParamsError(
            f"the study in {folder} is no longer running on {sitting['host']}, or the file system does not show its "
            f"locks to {this_process()}, so two jobs could write one file; see docs/cluster.md, 'Locks'"
        )


def left_running(study: Study | Replay) -> str:
    """Names the notebooks that are being executed although no start of the study is running; empty if there are none.

    They may be of another graph, which the study had with other params: their locks are searched for.
    """
    folder, left = paths.results(study.study), []
    names = {node.path.with_name(lock_of(node.path)): node.name for node in nodes(study)}
    for lock in sorted(folder.rglob(f".*.ipynb{LOCK}")):
        if held(lock.parent, lock.name):
            name = names.get(lock, str(lock.relative_to(folder)).removesuffix(LOCK))
            left.append(f"{name} (on {holder(lock.parent, lock.name)})")
    return f"an earlier start of the study is still running {'; '.join(left)}" if left else ""


def wait_for_earlier(study: Study | Replay) -> None:
    """Wait until the notebooks of earlier starts, which a new start has asked to end, have ended.

    Raises ParamsError if they have not after PATIENCE seconds.
    """
    deadline = time.monotonic() + PATIENCE
    while left := left_running(study):
        if time.monotonic() > deadline:
            raise ParamsError(f"{left}, and they do not end; cancel their jobs")
        time.sleep(1)
