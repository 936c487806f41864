"""Which executed notebook a fine-tuned cell came from."""

from pathlib import Path

from prune_utils import paths
from prune_utils.nodes import nodes
from prune_utils.schema import Replay, Study


def notebook_of(study: Study | Replay, task: str, sparsity: float, seed: int) -> Path | None:
    """The executed notebook that fine-tuned a cell, where it is kept; a study run by hand keeps none."""
    if isinstance(study, Replay):
        return None
    for node in nodes(study):
        if node.template != paths.FINETUNING_NOTEBOOK or node.parameters["task"] != task:
            continue
        if seed in node.parameters["seeds"] and sparsity in node.parameters["sparsities"]:
            path = paths.results(study.study) / node.notebook
            return path if path.exists() else None
    return None
