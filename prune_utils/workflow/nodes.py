"""The nodes of a study's graph: which notebook runs with which parameters, after which others."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.grid import cells, pretraining_runs
from prune_utils.study.schema import Replay, Study
from prune_utils.training.sizes import train_size


@dataclass(frozen=True)
class Node:
    """One papermill execution. Paths are relative to the study's results folder."""

    name: str
    template: Path
    notebook: Path
    parameters: dict = field(default_factory=dict)
    after: tuple[Path, ...] = ()  # executed notebooks that must be there first
    reads: Callable[[], int] | None = field(default=None, compare=False)  # None: an analysis, cheap to run anew

    @property
    def trains(self) -> bool:
        return self.reads is not None

    @cached_property
    def examples(self) -> int:
        """Read in training, by which the time left is estimated. They are counted when they are asked for, and not
        before: the files of a task may be gone after it. Raises FileNotFoundError where they are."""
        return self.reads() if self.reads else 0


def outgrown(study: Study) -> list[Path]:
    """Executed notebooks of nodes that want more than when they ran: one of their trainings has no result."""
    folder = paths.results(study.study)
    return [
        folder / node.notebook
        for node in nodes(study)
        if (folder / node.notebook).exists() and not all(path.exists() for path in results(study, node))
    ]


def results(study: Study | Replay, node: Node) -> list[Path]:
    wanted = node.parameters
    if node.template == paths.PRUNABILITY_NOTEBOOK:
        return [folder / paths.RESULT for folder in _prunability_folders(study, wanted["seeds"][0])]
    if "method" in wanted:
        runs = [paths.pretraining(study.study, wanted["method"], s, wanted["seed"]) for s in wanted["sparsities"]]
        return [folder / paths.RESULT for folder in runs]
    chosen = cells(study, wanted["task"], wanted["seeds"][0], wanted["sparsities"]) if "task" in wanted else []
    return [cell.folder(study.study) / paths.RESULT for cell in chosen]


def nodes(study: Study | Replay) -> list[Node]:
    """All nodes of a study, each after those it depends on; a replay is its analysis alone."""
    if isinstance(study, Replay):
        tables = [study.table.cells, *([study.table.movement] if study.table.movement else [])]
        return [Node("regimes", paths.REGIMES_NOTEBOOK, Path("regimes.ipynb"), {}, tuple(map(paths.given, tables)))]
    runs = [node for seed in study.grid.seeds for node in _pretraining_nodes(study, seed)]
    tuned = [
        node for task in study.tasks for seed in study.grid.seeds for node in _finetuning_nodes(study, task.name, seed)
    ]
    inside = _inside_node(study, runs)
    prunability = [_prunability_node(study, seed) for seed in study.grid.seeds]
    before = [*runs, inside, *tuned, *prunability]
    everything = tuple(node.notebook for node in before)
    return [*before, Node("regimes", paths.REGIMES_NOTEBOOK, Path("regimes.ipynb"), {}, everything)]


def _inside_node(study: Study, runs: list[Node]) -> Node:
    notebook = (paths.inside(study.study) / "inside.ipynb").relative_to(paths.results(study.study))
    return Node("inside the encoder", paths.INSIDE_NOTEBOOK, notebook, {}, tuple(node.notebook for node in runs))


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
            partial(_pretraining_examples, study, recipe.burn_in_steps),
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
                    partial(_pretraining_examples, study, recipe.steps * len(part)),
                )
            )
    return made


def _pretraining_examples(study: Study, steps: int) -> int:
    return steps * study.pretraining.batch_size


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
                partial(_finetuning_examples, study, task, part, seed),
            )
        )
    return made


def _finetuning_examples(study: Study, task: str, sparsities: list[float], seed: int) -> int:
    epochs = sum(study.finetuning.epochs.of(cell.arm, cell.sparsity) for cell in cells(study, task, seed, sparsities))
    return epochs * train_size(study.task(task))


def _prunability_node(study: Study, seed: int) -> Node:
    gradual = [node.notebook for node in _pretraining_nodes(study, seed) if node.parameters["method"] == "gradual"]
    dense = [_finetuning_nodes(study, task.name, seed)[0].notebook for task in study.tasks]
    return Node(
        f"prunability, seed {seed}",
        paths.PRUNABILITY_NOTEBOOK,
        Path("prunability") / f"seed-{seed}.ipynb",
        {"seeds": [seed]},
        (*gradual, *dense),
        partial(_prunability_examples, study),
    )


def _prunability_examples(study: Study) -> int:
    return sum(map(train_size, study.tasks)) * prunability_epochs(study)


def prunability_epochs(study: Study) -> int:
    """Epochs that fine-tuning first takes on one task, before pruning and after; the dense arm's model is there."""
    epochs, wanted = study.finetuning.epochs, study.prunability
    after = epochs.of("downstream", wanted.sparsity)
    return sum(after + (count if count != epochs.dense else 0) for count in wanted.epochs)


def _prunability_folders(study: Study, seed: int) -> list[Path]:
    """What the notebook shows: masks of every sparsity, the dense cells, and what was fine-tuned first."""
    wanted, tasks = study.prunability, [task.name for task in study.tasks]
    gradual = [paths.pretraining(study.study, "gradual", s, seed) for s in study.grid.sparsities]
    dense = [cell.folder(study.study) for task in tasks for cell in cells(study, task, seed, [0.0], ["dense"])]
    first = [
        paths.prunability(study.study, task, seed, wanted.sparsity, count) for task in tasks for count in wanted.epochs
    ]
    return gradual + dense + first
