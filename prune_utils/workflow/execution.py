"""Execute one node: a template notebook becomes an executed notebook and its frames."""

import builtins
import os
import sys
import tempfile
import traceback
from pathlib import Path
from threading import Event

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from prune_utils.analysis.results import cells_frame, pretraining_frame
from prune_utils.study import paths
from prune_utils.study.files import alone
from prune_utils.study.params import read_yaml, validated
from prune_utils.study.record import write_csv
from prune_utils.study.words import SEARCHED
from prune_utils.workflow import status
from prune_utils.workflow.ending import graceful
from prune_utils.workflow.graph import lock_of, nodes

QUICK_START = f"import gc; gc.set_threshold({SEARCHED})"  # the first line that a kernel executes


def execute_node(params: Path, notebook: Path) -> None:
    """Execute the node that makes `notebook`, a path relative to the results folder (the current directory)."""
    study = validated(read_yaml(params))
    node = next(node for node in nodes(study) if node.notebook == notebook)
    failure = status.failed_before(study, node)
    if failure and not _of_machine(failure):
        # Snakemake retries because nodes may die; this failure would recur
        sys.exit(f"{node.name} has failed before: {failure}")
    with graceful(study) as ending:
        execute(params, node.template, notebook, node.parameters, ending)
    # the other notebooks write their frames themselves
    frames = {paths.PRETRAINING_NOTEBOOK: pretraining_frame, paths.FINETUNING_NOTEBOOK: cells_frame}
    if frame := frames.get(node.template):
        write_csv(frame(study, list(node.trainings)), study, node.frames[0])


def _of_machine(failure: str) -> bool:
    """Whether a failure may be that of one machine: a full disk, a file system that hangs, a server out of reach."""
    kind = getattr(builtins, failure.split(":")[0], None)
    return isinstance(kind, type) and issubclass(kind, OSError)


def execute(params: Path, template: Path, notebook: Path, parameters: dict, ending: Event | None = None) -> None:
    """Execute `template` with a study's params and the node's own `parameters`.

    The executed notebook is renamed to `notebook` only when complete. A failed one keeps its unfinished name and the
    reason; the traceback goes to stderr, and the exit status is 1. If `ending` is set, it was ended
    from outside and has not failed; the exit status is 130. While another process executes it, waits for that one.
    """
    # what a killed start of the study has left running may still write this notebook, and with other params: it is executed
    # again, which is cheap, since finished trainings are read
    with alone(notebook.parent, name=lock_of(notebook)):
        unfinished = paths.unfinished(notebook)
        try:
            run_notebook(template, unfinished, {"params": str(params.resolve()), **parameters})
        except Exception as error:
            if ending and ending.is_set():
                sys.exit(130)
            traceback.print_exc()
            name, message = type(error).__name__, str(error)
            if isinstance(error, PapermillExecutionError):
                name, message = error.ename, error.evalue
            elif isinstance(error, DeadKernelError):
                name, message = "killed", status.killed(unfinished)
            status.keep(unfinished, name, message)
            sys.exit(1)
        os.replace(unfinished, notebook)


def run_notebook(template: Path, executed: Path, parameters: dict) -> None:
    """Execute `template` from the project's root. Raises PapermillExecutionError if a cell fails."""
    with tempfile.TemporaryDirectory(dir="/tmp") as sockets:  # the path of a socket has 103 characters at most
        papermill.execute_notebook(
            template,
            executed,
            parameters=parameters,
            cwd=paths.ROOT,
            progress_bar=False,
            # kernel and client communicate through files of this node, not through ports of the machine
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            extra_arguments=[f"--IPKernelApp.exec_lines={QUICK_START}"],
        )
