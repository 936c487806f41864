"""The graph of a study: which notebook runs with which parameters, what it makes, and what it reads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.grid import Cell, Delayed, Run, cells, delayed, runs
from prune_utils.study.schema import Replay, Study
from prune_utils.training.sizes import train_size


@dataclass(frozen=True)
class Node:
    """One execution of a notebook by papermill. Paths are relative to the study's results folder.

    `notebook` and `frames` are what it makes, `after` are the frames of other nodes that it reads. `trainings` are the
    runs and cells that it trains or shows; `reads` counts the training examples, None for a notebook that trains
    nothing.
    """

    name: str
    template: Path
    notebook: Path
    parameters: dict = field(default_factory=dict)
    frames: tuple[Path, ...] = ()
    after: tuple[Path, ...] = ()
    trainings: tuple[Run | Cell | Delayed, ...] = ()
    reads: Callable[[], int] | None = field(default=None, compare=False)

    @property
    def trains(self) -> bool:
        return self.reads is not None

    @cached_property
    def examples(self) -> int:
        """Examples read in training, from which the remaining time is estimated.

        Counted on demand. Raises ParamsError if the files of a task no longer exist.
        """
        return self.reads() if self.reads else 0

    def results(self, study: str) -> list[Path]:
        """Result files of its trainings."""
        return [training.folder(study) / paths.RESULT for training in self.trainings]


def outgrown(study: Study | Replay) -> list[Path]:
    """Executed notebooks that lack a result, because the grid has grown since they ran."""
    folder = paths.results(study.study)
    done = [node for node in nodes(study) if (folder / node.notebook).exists()]
    return [folder / node.notebook for node in done if not all(path.exists() for path in node.results(study.study))]


def nodes(study: Study | Replay) -> list[Node]:
    """All nodes of a study, each after those it depends on. A study of a table has only analysis nodes."""
    seeds = study.grid.seeds
    pretrained = [node for seed in seeds for node in _pretraining_nodes(study, seed)]
    tuned = [node for task in study.tasks for seed in seeds for node in _finetuning_nodes(study, task.name, seed)]
    inside = [_inside_node(study, pretrained)] if pretrained else []
    before = [*pretrained, *inside, *tuned, *(_prunability_node(study, seed) for seed in seeds)]
    return [*before, *_analysis_nodes(study, before)]


def analysis_of(study: Study | Replay) -> Node:
    """The node of the regimes notebook, the first page of the report."""
    return next(node for node in nodes(study) if node.template == paths.REGIMES_NOTEBOOK)


def _analysis_nodes(study: Study | Replay, before: list[Node]) -> list[Node]:
    read = [path for node in before for path in node.frames] + [paths.given(table) for table in study.tables]
    frames = tuple(map(Path, (paths.CELLS, paths.RUNS, paths.CLAIMS, paths.REGIMES)))
    regimes = Node("regimes", paths.REGIMES_NOTEBOOK, Path("regimes.ipynb"), {}, frames, tuple(read))
    fits = (Path("bit_of_bert.csv"),)
    details = Node("details", paths.DETAILS_NOTEBOOK, Path("details.ipynb"), {}, fits, frames)
    return [regimes, details]


def _inside_node(study: Study, pretrained: list[Node]) -> Node:
    folder = Path(paths.inside(study.study).name)
    frames = tuple(folder / f"{name}.csv" for name in paths.INSIDE)
    after = tuple(path for node in pretrained for path in node.frames)
    return Node("inside the encoder", paths.INSIDE_NOTEBOOK, folder / "inside.ipynb", {}, frames, after)


def _parts(study: Study, sparsities: list[float]) -> list[list[float]]:
    """Split sparsities into parts of `machine.sparsities_per_node`, since every notebook has a start-up cost."""
    size = study.machine.sparsities_per_node or len(sparsities)
    return [sparsities[start : start + size] for start in range(0, len(sparsities), size)]


def _span(sparsities: list[float], joint: str, form: str) -> str:
    ends = sorted({round(100 * sparsities[0]), round(100 * sparsities[-1])})
    return joint.join(f"{end:{form}}" for end in ends)


def _training_node(study: Study, name: str, template: Path, folder: Path, stem: str, **rest) -> Node:
    """A node whose notebook and frame lie in a folder of the results under one name."""
    place = folder.relative_to(paths.results(study.study)) / stem
    return Node(name, template, place.with_suffix(".ipynb"), frames=(place.with_suffix(".csv"),), **rest)


def _pretraining_nodes(study: Study, seed: int) -> list[Node]:
    recipe, (burn_in, *pruned) = study.pretraining, runs(study, seed)
    dense = _training_node(
        study,
        f"pre-train dense, seed {seed}",
        paths.PRETRAINING_NOTEBOOK,
        burn_in.folder(study.study),
        "dense",
        parameters={"method": "dense", "sparsities": [0.0], "seed": seed},
        trainings=(burn_in,),
        reads=partial(int, recipe.burn_in_steps * recipe.batch_size),
    )
    made = [dense]
    for method in dict.fromkeys(run.method for run in pruned):
        for part in _parts(study, [run.sparsity for run in pruned if run.method == method]):
            made.append(
                _training_node(
                    study,
                    f"pre-train {method}, {_span(part, ' to ', 'd')} %, seed {seed}",
                    paths.PRETRAINING_NOTEBOOK,
                    paths.pretraining(study.study, method, part[0], seed).parents[1] / f"seed-{seed}",
                    f"sparsity-{_span(part, '-to-', '02d')}",
                    parameters={"method": method, "sparsities": part, "seed": seed},
                    after=dense.frames,
                    trainings=tuple(run for run in pruned if run.method == method and run.sparsity in part),
                    reads=partial(int, recipe.steps * recipe.batch_size * len(part)),
                )
            )
    return made


def _finetuning_nodes(study: Study, task: str, seed: int) -> list[Node]:
    """The nodes of a task and seed; the first one has the un-pruned cells."""
    before, made = _pretraining_nodes(study, seed)[1:], []
    for part in _parts(study, study.grid.sparsities):
        needed = [path for node in before if set(part) & set(node.parameters["sparsities"]) for path in node.frames]
        needed += [path for node in made[:1] for path in node.frames]  # `downstream` prunes the dense cells
        chosen = tuple(cells(study, task, seed, part))
        made.append(
            _training_node(
                study,
                f"fine-tune {task}, {_span(part, ' to ', 'd')} %, seed {seed}",
                paths.FINETUNING_NOTEBOOK,
                paths.finetuning(study.study, task, seed),
                f"sparsity-{_span(part, '-to-', '02d')}",
                parameters={"task": task, "sparsities": part, "seeds": [seed]},
                after=tuple(needed),
                trainings=chosen,
                reads=partial(_finetuning_examples, study, task, chosen),
            )
        )
    return made


def _finetuning_examples(study: Study, task: str, chosen: tuple[Cell, ...]) -> int:
    return sum(study.finetuning.epochs.of(c.arm, c.sparsity) for c in chosen) * train_size(study.task(task))


def _prunability_node(study: Study, seed: int) -> Node:
    """Fine-tuning first: reads the masks of all sparsities and the dense cells, and trains the `delayed` models."""
    gradual = [node for node in _pretraining_nodes(study, seed) if node.parameters["method"] == "gradual"]
    tasks = [task.name for task in study.tasks]
    dense = [_finetuning_nodes(study, task, seed)[0] for task in tasks]
    shown = [run for node in gradual for run in node.trainings]
    shown += [cell for task in tasks for cell in cells(study, task, seed, [0.0], ["dense"])]
    folder = paths.results(study.study)
    return Node(
        f"fine-tuning first, seed {seed}",
        paths.PRUNABILITY_NOTEBOOK,
        Path("prunability") / f"seed-{seed}.ipynb",
        {"seeds": [seed]},
        tuple(paths.prunability_frame(study.study, seed, name).relative_to(folder) for name in paths.PRUNABILITY),
        tuple(path for node in (*gradual, *dense) for path in node.frames),
        (*shown, *(cell for task in tasks for cell in delayed(study, task, seed))),
        partial(_prunability_examples, study),
    )


def _prunability_examples(study: Study) -> int:
    return sum(map(train_size, study.tasks)) * prunability_epochs(study)


def prunability_epochs(study: Study) -> int:
    """Epochs of the `delayed` models of one task, before and after pruning; the dense arm's model is reused."""
    epochs, wanted = study.finetuning.epochs, study.prunability
    after = epochs.of("downstream", wanted.sparsity)
    return sum(after + (count if count != epochs.dense else 0) for count in wanted.epochs)
