"""One node: a template notebook in, an executed notebook out."""

import os
import sys
import tempfile
from pathlib import Path

import papermill
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from prune_utils import paths, progress
from prune_utils.params import read_yaml, validated


def execute(params: Path, template: Path, notebook: Path, parameters: dict) -> None:
    """Executes `template` with a study's params and a node's own `parameters`.

    The result is named `notebook` only once it is whole; a failed one is left beside it, and its last error
    printed. Exits with status 1 where a cell fails.
    """
    content = read_yaml(params)
    study = validated(content)
    print(progress.starting(study, notebook), flush=True)
    unfinished = notebook.with_name(f"{notebook.stem}.unfinished.ipynb")
    notebook.parent.mkdir(parents=True, exist_ok=True)
    try:
        run_notebook(template, unfinished, {**content, "extends": "", **parameters})
    except PapermillExecutionError as error:
        print(f"{error.ename}: {error.evalue}\nin {paths.shown(unfinished)}", file=sys.stderr)
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
