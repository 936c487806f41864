"""The nodes of a study's graph: which notebook runs with which parameters, after which others."""

from dataclasses import dataclass, field
from pathlib import Path

from prune_utils import paths
from prune_utils.grid import cells, pretraining_runs
from prune_utils.schema import Study
from prune_utils.sizes import train_size


@dataclass(frozen=True)
class Node:
    """One papermill execution. Paths are relative to the study's results folder."""

    name: str
    template: Path
    notebook: Path
    parameters: dict = field(default_factory=dict)
    after: tuple[Path, ...] = ()  # executed notebooks that must be there first
    examples: int = 0  # read in training, by which the time left is estimated


def outgrown(study: Study) -> list[Path]:
    """Executed notebooks of nodes that want more than when they ran: one of their trainings has no result."""
    folder = paths.results(study.study)
    return [
        folder / node.notebook
        for node in nodes(study)
        if (folder / node.notebook).exists() and not all(path.exists() for path in _results(study, node))
    ]


def _results(study: Study, node: Node) -> list[Path]:
    wanted = node.parameters
    if "method" in wanted:
        runs = [paths.pretraining(study.study, wanted["method"], s, wanted["seed"]) for s in wanted["sparsities"]]
        return [folder / paths.RESULT for folder in runs]
    chosen = cells(study, wanted["task"], wanted["seeds"][0], wanted["sparsities"]) if "task" in wanted else []
    return [cell.folder(study.study) / paths.RESULT for cell in chosen]


def nodes(study: Study) -> list[Node]:
    """All nodes of a study, each after those it depends on."""
    runs = [node for seed in study.grid.seeds for node in _pretraining_nodes(study, seed)]
    tuned = [
        node for task in study.tasks for seed in study.grid.seeds for node in _finetuning_nodes(study, task.name, seed)
    ]
    everything = tuple(node.notebook for node in runs + tuned)
    return [*runs, *tuned, Node("regimes", paths.REGIMES_NOTEBOOK, Path("regimes.ipynb"), {}, everything)]


def _parts(study: Study, sparsities: list[float]) -> list[list[float]]:
    """Sparsities in parts of the machine's `sparsities_per_node`: a node must outweigh the start of its kernel."""
    size = study.machine.sparsities_per_node or len(sparsities)
    return [sparsities[start : start + size] for start in range(0, len(sparsities), size)]


def _span(sparsities: list[float]) -> str:
    ends = sorted({round(100 * sparsities[0]), round(100 * sparsities[-1])})
    return " to ".join(f"{end:02d}" for end in ends)


def _notebook(folder: Path, sparsities: list[float], study: Study) -> Path:
    name = f"sparsity-{_span(sparsities).replace(' ', '-')}.ipynb"
    return (folder / name).relative_to(paths.results(study.study))


def _pretraining_nodes(study: Study, seed: int) -> list[Node]:
    runs, recipe = pretraining_runs(study), study.pretraining
    dense = (paths.pretraining(study.study, "dense", 0.0, seed) / "dense.ipynb").relative_to(paths.results(study.study))
    made = [
        Node(
            f"pre-train dense, seed {seed}",
            paths.PRETRAINING_NOTEBOOK,
            dense,
            {"method": "dense", "sparsities": [0.0], "seed": seed},
            (),
            recipe.burn_in_steps * recipe.batch_size,
        )
    ]
    for method in dict.fromkeys(method for method, _ in runs[1:]):
        sparsities = [s for m, s in runs if m == method]
        for part in _parts(study, sparsities):
            folder = paths.pretraining(study.study, method, part[0], seed).parents[1] / f"seed-{seed}"
            made.append(
                Node(
                    f"pre-train {method} {_span(part)} %, seed {seed}",
                    paths.PRETRAINING_NOTEBOOK,
                    _notebook(folder, part, study),
                    {"method": method, "sparsities": part, "seed": seed},
                    (dense,),
                    recipe.steps * recipe.batch_size * len(part),
                )
            )
    return made


def _finetuning_nodes(study: Study, task: str, seed: int) -> list[Node]:
    """The nodes of a task and seed, the un-pruned sparsity in the first of them."""
    before = _pretraining_nodes(study, seed)
    made: list[Node] = []
    for part in _parts(study, study.grid.sparsities):
        needed = [
            node.notebook
            for node in before
            if node.parameters["method"] != "dense" and set(part) & set(node.parameters["sparsities"])
        ]
        needed += [node.notebook for node in made[:1]]  # the downstream arm starts from the dense cells
        made.append(
            Node(
                f"fine-tune {task} {_span(part)} %, seed {seed}",
                paths.FINETUNING_NOTEBOOK,
                _notebook(paths.finetuning(study.study, task, seed), part, study),
                {"task": task, "sparsities": part, "seeds": [seed]},
                tuple(needed),
                _finetuning_examples(study, task, part, seed),
            )
        )
    return made


def _finetuning_examples(study: Study, task: str, sparsities: list[float], seed: int) -> int:
    epochs = sum(study.finetuning.epochs.of(cell.arm, cell.sparsity) for cell in cells(study, task, seed, sparsities))
    return epochs * train_size(study.task(task))
