"""What of a study is done, and how long the rest will take. Needs no torch: it is asked after every node."""

from pathlib import Path

from prune_utils import paths
from prune_utils.files import read_json
from prune_utils.nodes import Node, nodes
from prune_utils.schema import Study


def line(study: Study, finished: Path | None = None) -> str:
    """One line: nodes done of all, what was finished last, its time, and an estimate of what is left."""
    folder = paths.results(study.study)
    every = nodes(study)
    took = {node.notebook: seconds for node in every if (seconds := _seconds(folder / node.notebook)) is not None}
    last = next((node for node in every if node.notebook == finished), None)
    text = f"[{len(took)}/{len(every)}]"
    if last and finished in took:
        text += f" {last.name} · {clock(took[finished])}"
    return text + f" · {_left(every, took, study.machine.jobs)}"


def starting(study: Study, notebook: Path) -> str:
    """A line for a node that begins, aligned with those of the finished."""
    every = nodes(study)
    name = next(node.name for node in every if node.notebook == notebook)
    return f"{' ' * len(f'[{len(every)}/{len(every)}]')} {name} ..."


def _left(every: list[Node], took: dict[Path, float], jobs: int) -> str:
    waiting = [node for node in every if node.notebook not in took]
    if not waiting:
        return "nothing left to do"
    done = [node for node in every if node.notebook in took and node.examples]
    if not done:
        return f"{len(waiting)} to do"

    def pace(template: Path) -> float:
        """Seconds an example, from the finished nodes of the same notebook, else from all."""
        same = [node for node in done if node.template == template] or done
        return sum(took[node.notebook] for node in same) / sum(node.examples for node in same)

    return f"about {clock(sum(node.examples * pace(node.template) for node in waiting) / jobs)} left"


def _seconds(notebook: Path) -> float | None:
    """How long an executed notebook took, by papermill's own record; None where it is not there."""
    if not notebook.exists():
        return None
    return read_json(notebook)["metadata"]["papermill"]["duration"]


def clock(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:,.1f} h"
