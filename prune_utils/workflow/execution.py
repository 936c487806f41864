"""One node: a template notebook in, an executed notebook out."""

import os
import sys
import tempfile
import traceback
from pathlib import Path

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from prune_utils.study import paths
from prune_utils.study.params import read_yaml, validated
from prune_utils.workflow import progress, status
from prune_utils.workflow.nodes import nodes


def execute_node(params: Path, notebook: Path) -> None:
    """Executes the node of a study that makes `notebook` (a path from the study's results, where this is called)."""
    node = next(node for node in nodes(validated(read_yaml(params))) if node.notebook == notebook)
    execute(params, node.template, notebook, node.parameters)


def execute(params: Path, template: Path, notebook: Path, parameters: dict) -> None:
    """Executes `template` with a study's params and a node's own `parameters`.

    The result is named `notebook` only once it is whole. A failed one is left beside it with the sentence that
    says why; that is printed, the whole traceback goes to stderr, and the exit status is 1.
    """
    content = read_yaml(params)
    study = validated(content)
    print(progress.line(study, notebook, "begun"), flush=True)
    unfinished = paths.unfinished(notebook)
    notebook.parent.mkdir(parents=True, exist_ok=True)
    try:
        run_notebook(template, unfinished, {**content, "extends": "", **parameters})
    except Exception as error:
        traceback.print_exc()
        print(progress.line(study, notebook, "failed"), *_told(error, unfinished), sep="\n    ", flush=True)
        sys.exit(1)
    os.replace(unfinished, notebook)
    print(progress.line(study, notebook), flush=True)


def run_notebook(template: Path, executed: Path, parameters: dict) -> None:
    """Executes `template` from the project's root with `parameters`; raises PapermillExecutionError where a cell fails."""
    with tempfile.TemporaryDirectory() as sockets:
        papermill.execute_notebook(
            template,
            executed,
            parameters=parameters,
            cwd=paths.ROOT,
            progress_bar=False,
            # kernel and client talk through files of this node alone, not through ports of the machine
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
        )


def _told(error: Exception, unfinished: Path) -> list[str]:
    """Why a node failed, in a line, and where to look."""
    if isinstance(error, PapermillExecutionError):
        name, message = error.ename, error.evalue
    elif isinstance(error, DeadKernelError):
        name, message = "killed", status.killed(unfinished)
    else:
        name, message = type(error).__name__, str(error)
    return [status.keep(unfinished, name, message), f"in {unfinished.resolve()}"]
