"""Run a study: check it, lock its folder, and pass its graph to Snakemake."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from prune_utils.data.inputs import identified
from prune_utils.study import paths
from prune_utils.study.files import LOCK, alone, holders, lives
from prune_utils.study.params import load_study
from prune_utils.study.record import check_same, differences, record
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.study.words import many
from prune_utils.workflow import cluster, preflight, progress
from prune_utils.workflow.graph import nodes, outgrown, to_do
from prune_utils.workflow.status import ELSEWHERE, EVERY, failed, watch

FULL = 2**20  # bytes
PATIENCE = 20  # seconds that interrupted notebooks have to end; Slurm kills 30 seconds after its SIGTERM


def run(params: Path, dry: bool = False, profile: Path | None = None, end: bool = False) -> None:
    """Run the unfinished parts of a study, here or as a Snakemake profile says: its folder holds a config.yaml.

    Notebooks that an earlier start has left running are waited for, or with `end` told to save and end. Raises ParamsError
    if it cannot run or does not finish.
    """
    study = identified(load_study(params))
    if profile:
        cluster.check_profile(profile)
    folder = paths.results(study.study)
    facts = preflight.check_inputs(study)
    _check_paths(study)
    _check_finished(study, folder)
    if dry:
        list_nodes(study)
        if facts:
            print(preflight.told(facts))
        return
    study, facts = preflight.check_machine(study, facts)
    try:
        with alone(folder, wait=False) as lock:
            _check_finished(study, folder)  # again: the previous holder may have finished a training
            if end:
                if left := cluster.left_running(study):
                    print(f"{left}; told to save and end", flush=True)
                progress.start(study, profile, ends_earlier=True)
                cluster.wait_for_earlier(study)
            left = cluster.left_running(study)
            if differences(study, folder):
                if left:
                    raise ParamsError(
                        f"{left}, with other params; wait until they have ended, or add --end to end them"
                    )
                _begin_anew(folder)
            elif left:
                print(f"{left}; they are waited for, not run twice; --end ends them")
            record(study, facts)
            for notebook in outgrown(study):
                notebook.unlink()
            begin(study, profile, end)
            _snakemake(study, folder, lock, profile)
    except BlockingIOError:
        raise ParamsError(_held_by(study, folder)) from None
    print(f"report: {paths.shown(paths.report(study.study))}")


def _held_by(study: Study | Replay, folder: Path) -> str:
    """Why a folder cannot be held: another start of the study, or what a killed one has left running."""
    said, front = f"study '{study.study}' is already running", progress.sitting(study).get("process")
    left = " ".join(f"-{pid}" for pid, command in holders(folder).items() if "snakemake" in command)
    if left and not lives(front):
        return (
            f"{said}: process {front} was killed, but what it started is still running; let it finish, or run: "
            f"kill -INT -- {left}"
        )
    host = progress.sitting(study).get("host", "another machine")
    return f"{said} in another process, last started on {host}, which has locked {folder}"


def _check_finished(study: Study | Replay, folder: Path) -> None:
    """Like check_same, but any change is allowed while no training is finished."""
    if any(folder.rglob(paths.RESULT)):
        check_same(study, folder)


def _begin_anew(folder: Path) -> None:
    """Remove leftovers of unfinished trainings with other params; `_check_finished` ensures that there is no result."""
    for path in folder.iterdir():
        if path.name not in (LOCK, paths.PLAN):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _check_paths(study: Study | Replay) -> None:
    """Raise ParamsError if a path in the graph contains braces, which Snakemake reads as wildcards."""
    tables = [path for node in nodes(study) for path in node.after if path.is_absolute()]
    for path in (paths.ROOT, paths.OUT.resolve(), *tables):
        if set("{}") & set(str(path)):
            raise ParamsError(f"path {path} contains braces; move the project, its results or its tables")


def begin(study: Study | Replay, profile: Path | None = None, ends_earlier: bool = False) -> None:
    """Record the start of a study, and print a summary."""
    progress.start(study, profile, ends_earlier)
    count, jobs = len(nodes(study)), study.machine.jobs
    print(f"study '{study.study}': {many(count, 'notebook')}, {jobs} at a time\n")
    print(progress.heading(), progress.line(study), sep="\n", flush=True)


def snakemake(study: Study | Replay, profile: Path | None = None) -> list[str]:
    """The command that makes all that a study lacks, on this machine or by the executor of a Snakemake profile."""
    folder = paths.results(study.study)
    # `alone` is the lock; Snakemake's own lock would outlive a killed run and block the next one
    options = ["--nolock", "--rerun-incomplete", "--keep-going", "--rerun-triggers", "mtime"]
    jobs = study.machine.jobs
    if profile:
        options += ["--profile", str(profile.resolve()), "--jobs", str(jobs), "--precommand", cluster.fenced(folder)]
        options += cluster.options(profile)
    else:
        options += ["--cores", str(jobs * study.machine.threads)]
    if not all(node.path.exists() for node in nodes(study)):
        options += ["--forcerun", "report"]  # Snakemake makes nothing for a report that is there
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(paths.SNAKEFILE),
        "--directory",
        str(folder),
        *options,
    ]


def _snakemake(study: Study, folder: Path, lock: int, profile: Path | None) -> None:
    command, log = snakemake(study, profile), (folder / paths.LOG).open("w")
    options = {"stderr": log, "pass_fds": [lock], "start_new_session": True, "preexec_fn": _interruptible}
    with log, subprocess.Popen(command, **options) as process:
        try:
            watch(study, process, ELSEWHERE if profile else EVERY)
        except BaseException:  # Ctrl-C, or SIGTERM from `kill` or a scheduler, which reach this process alone
            if profile:  # Snakemake may be submitting or asking at this moment, and miss jobs: they end by themselves
                print("\nstopping: jobs save and end", file=sys.stderr, flush=True)
                progress.start(study, profile, ends_earlier=True)
            _end(process)
            raise
    if process.returncode:
        raise ParamsError(_unfinished(study, folder))


def _interruptible() -> None:
    """Snakemake ends its jobs on SIGINT, which a command that a script starts with `&` would ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end(group: subprocess.Popen) -> None:
    """Interrupt Snakemake and its notebooks, which then end as on Ctrl-C; kill what does not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            group.wait(PATIENCE)
        os.killpg(group.pid, signal.SIGKILL)


def _unfinished(study: Study | Replay, folder: Path) -> str:
    """Why a study did not finish."""
    log, shown = folder / paths.LOG, paths.shown(folder / paths.LOG)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    refused = list(dict.fromkeys(line for line in lines if line.startswith("sbatch: error:")))
    told = [f"{one.node.name}: {one.failure}\n    in {paths.shown(one.file)}" for one in failed(study)]
    if shutil.disk_usage(folder).free < FULL:  # then no notebook can say so
        told.append(f"the disk of {folder} is full")
    told = told or refused or [f"the last lines of {shown}:", *lines[-10:], *_last_job(study, folder)]
    end = f"Run the same command to continue. Details: {shown}"
    return "\n".join(["", f"study '{study.study}' is not finished:", *told, "", end])


def _last_job(study: Study | Replay, folder: Path) -> list[str]:
    """The end of the newest log of a job of this start on a cluster: why it ended before its notebook began."""
    logs = sorted(folder.glob("slurm/*/*.log"), key=lambda path: path.stat().st_mtime)
    if not logs or logs[-1].stat().st_mtime < progress.sitting(study)["started"]:
        return []
    lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
    return ["", f"the last lines of {paths.shown(logs[-1])}:", *lines]


def list_nodes(study: Study | Replay) -> None:
    """Print every node of the graph and whether it is done, or left to do by a start."""
    every, left = nodes(study), {node.notebook for node in to_do(study)}
    for node in every:
        print(f"{'to do' if node.notebook in left else 'done '}  {node.name:<45} {node.examples:>12,} examples")
    total = sum(node.examples for node in every)
    print(f"study '{study.study}': {len(every)} nodes, {total:,} examples read in training")
