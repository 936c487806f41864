"""Runs a study: checks it, holds its folder, and hands its graph to Snakemake."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml

from prune_utils import paths, preflight, progress
from prune_utils.files import LOCK, alone, write_json, write_whole
from prune_utils.nodes import nodes, outgrown
from prune_utils.params import load_study, read_yaml
from prune_utils.schema import Replay, Study
from prune_utils.section import ParamsError
from prune_utils.status import failed

# what may differ between two runs of one study: how it is run and read, and how far its grid reaches
FREE = ("machine", "analysis", "grid", "tasks", "prunability")


def run(params: Path, dry: bool = False) -> None:
    """Runs all of a study that is not done yet. Raises ParamsError before any training where it cannot be run."""
    study = load_study(params)
    folder = paths.results(study.study)
    preflight.check_local_files(study)
    _check_paths(study)
    _check_finished(study, folder)
    if dry:
        list_nodes(study)
        return
    preflight.check(study)
    try:
        with alone(folder, wait=False) as lock:
            _check_finished(study, folder)  # again: whoever held the folder before may have finished something
            if differences(study, folder):
                _begin_anew(folder)
            record(study)
            for notebook in outgrown(study):
                notebook.unlink()
            begin(study)
            _snakemake(study, folder, lock)
    except BlockingIOError:
        raise ParamsError(f"study '{study.study}' is being run by another process: {folder} is held") from None
    print(f"report: {paths.shown(paths.report(study.study))}")


def _check_finished(study: Study | Replay, folder: Path) -> None:
    """As check_same, but where no training is finished there is nothing to hold on to."""
    if any(folder.rglob(paths.RESULT)):
        check_same(study, folder)


def _begin_anew(folder: Path) -> None:
    """Clears what unfinished trainings of other params left; no result is among it, for _check_finished has looked."""
    for path in folder.iterdir():
        if path.name not in (LOCK, paths.PLAN):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _check_paths(study: Study | Replay) -> None:
    """Raises ParamsError where a path that the graph names has braces: Snakemake reads wildcards in them."""
    tables = [path for node in nodes(study) for path in node.after if path.is_absolute()]
    for path in (paths.ROOT, paths.OUT.resolve(), *tables):
        if set("{}") & set(str(path)):
            raise ParamsError(
                f"path {path} has braces; allowed are the project, its results and tables in folders without"
            )


def record(study: Study) -> None:
    """Keeps a study's resolved params beside its results; left alone where they are the same, for its time counts."""
    path, text = paths.results(study.study) / "params.yaml", yaml.safe_dump(study.model_dump(), sort_keys=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def begin(study: Study | Replay) -> None:
    """Keeps when and where this sitting began, and says what there is to do."""
    here = {"started": time.time(), "host": socket.gethostname(), "process": os.getpid()}
    write_json(paths.results(study.study) / paths.SITTING, here)
    count, jobs = len(nodes(study)), study.machine.jobs
    print(f"study '{study.study}': {count} notebook{'s' * (count > 1)}, {jobs} at a time\n")
    print(progress.heading(), progress.line(study), sep="\n", flush=True)


def _snakemake(study: Study, folder: Path, lock: int) -> None:
    # `alone` is the lock: Snakemake's own outlives a killed run and would then refuse the next one
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(paths.SNAKEFILE),
        "--directory",
        str(folder),
        "--cores",
        str(study.machine.jobs),
        "--nolock",
        "--rerun-incomplete",
        "--keep-going",
        "--rerun-triggers",
        "mtime",
    ]
    with (
        (folder / paths.LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stderr=log, pass_fds=[lock]) as process,
    ):
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted too, and ends its notebooks
            raise
    if process.returncode:
        raise ParamsError(_unfinished(study, folder))


def _unfinished(study: Study | Replay, folder: Path) -> str:
    """Why a study did not come to its end."""
    log = folder / paths.LOG
    told = [f"{state.node.name}: {state.failure}\n    in {paths.shown(state.file)}" for state in failed(study)]
    if not told:
        told = [
            f"the last lines of {paths.shown(log)}:",
            *log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:],
        ]
    return "\n".join(
        [
            "",
            f"study '{study.study}' is not finished:",
            *told,
            "",
            f"Run it again to go on. All details: {paths.shown(log)}",
        ]
    )


def list_nodes(study: Study) -> None:
    """Prints every node of the graph and whether it is done."""
    folder = paths.results(study.study)
    for node in nodes(study):
        print(
            f"{'done ' if (folder / node.notebook).exists() else 'to do'}  {node.name:<45} {node.examples:>12,} examples"
        )
    print(
        f"study '{study.study}': {len(nodes(study))} nodes, {sum(n.examples for n in nodes(study)):,} examples read in training"
    )


def check_same(study: Study | Replay, folder: Path) -> None:
    """Raises ParamsError where `folder` was begun with other params, naming the keys that differ."""
    if different := differences(study, folder):
        raise ParamsError(
            f"{paths.shown(folder)} was made with other params: {'; '.join(different)}. Give the "
            "changed study a name (a params file) of its own, or delete that folder"
        )


def differences(study: Study | Replay, folder: Path) -> list[str]:
    """The keys in which a study differs from the one whose results are in `folder`, with both values.

    A grid, and what is fine-tuned before pruning, may change and a task may be added: results lie in folders that
    name their coordinates, and those that are there stay what they are. The precision of the
    machine may not: a cell computed in another would not be like the rest.
    """
    if not (folder / "params.yaml").exists():
        return []
    old, new = read_yaml(folder / "params.yaml"), study.model_dump()
    if isinstance(study, Replay) or "table" in old:
        same = isinstance(study, Replay) and "table" in old  # an analysis alone: it is made anew in seconds
        return [] if same else ["it was a table's study or a trained one, and is the other kind"]
    new_tasks = {task["name"]: task for task in new["tasks"]}
    different = [key for key in new if key not in FREE for key in _different(old.get(key), new[key], key)]
    different += _different(old["machine"]["precision"], new["machine"]["precision"], "machine.precision")
    for task in old["tasks"]:
        different += _different(task, new_tasks.get(task["name"]), f"tasks.{task['name']}")
    return different


def _different(old, new, key: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            text
            for name in sorted(old.keys() | new.keys(), key=str)
            for text in _different(old.get(name), new.get(name), f"{key}.{name}")
        ]
    return [] if old == new else [f"{key} was {old!r} and is {new!r}"]
