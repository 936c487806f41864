"""Which executed notebook a fine-tuned cell came from."""

from pathlib import Path

from prune_utils import paths
from prune_utils.nodes import nodes
from prune_utils.schema import Replay, Study


def notebooks_of(study: Study | Replay, task: str, sparsity: float) -> dict[int, Path]:
    """By seed, the executed notebook that fine-tuned its cells, where it is kept; a study run by hand keeps none."""
    if isinstance(study, Replay):
        return {}
    wanted = [node for node in nodes(study) if node.parameters.get("task") == task]
    kept = {}
    for node in (node for node in wanted if sparsity in node.parameters["sparsities"]):
        path = paths.results(study.study) / node.notebook
        kept |= {seed: path for seed in node.parameters["seeds"] if path.exists()}
    return kept
