"""The graph of a study: which notebook runs with which parameters, what it makes, and what it reads."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.files import LOCK, held, holder
from prune_utils.study.grid import Cell, Delayed, Run, cells, delayed, runs
from prune_utils.study.schema import Replay, Study
from prune_utils.study.sections.arms import PAPERS, UNPRUNED
from prune_utils.study.sections.machine import KINDS
from prune_utils.training.sizes import train_size

# of the first KINDS; all others are of the last one, the analysis
TEMPLATES = (paths.PRETRAINING_NOTEBOOK, paths.FINETUNING_NOTEBOOK, paths.PRUNABILITY_NOTEBOOK, paths.INSIDE_NOTEBOOK)


@dataclass(frozen=True)
class Node:
    """One execution of a notebook by papermill. Paths are relative to the study's results folder.

    `notebook` and `frames` are what it makes, `after` are the frames of other nodes that it reads, `trainings` are the
    runs and cells that it trains, and `shown` those of other nodes that it needs.
    """

    study: Study | Replay = field(repr=False)
    name: str
    template: Path
    notebook: Path
    parameters: dict
    frames: tuple[Path, ...]
    after: tuple[Path, ...]
    trainings: tuple[Run | Cell | Delayed, ...] = ()
    shown: tuple[Run | Cell, ...] = ()

    @property
    def trains(self) -> bool:
        return bool(self.trainings)

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return KINDS[TEMPLATES.index(self.template) if self.template in TEMPLATES else -1]

    @property
    def running(self) -> bool:
        """Whether it is being executed, here or on any machine that shares the file system and its locks."""
        return held(self.path.parent, lock_of(self.path))

    @property
    def holder(self) -> str:
        """Where it is, or was last, executed."""
        return holder(self.path.parent, lock_of(self.path))

    @property
    def needs(self) -> dict[str, int]:
        """Resources that its job asks for, by Snakemake's names for them."""
        asked = self.study.machine.needs.get(self.kind)
        return {name: value for name, value in asked.model_dump().items() if value} if asked else {}

    @cached_property
    def examples(self) -> int:
        """Examples read in training, counted on demand. Raises ParamsError if the files of a task no longer exist."""
        return sum(_examples(self.study, training) for training in self.trainings)

    @property
    def path(self) -> Path:
        """Where the executed notebook lies; it exists once the node is done."""
        return paths.results(self.study.study) / self.notebook

    @property
    def own_results(self) -> list[Path]:
        """Result files of its trainings."""
        return [training.folder(self.study.study) / paths.RESULT for training in self.trainings]

    @property
    def results(self) -> list[Path]:
        """Result files of the trainings that it needs and, last, its own."""
        return [*(one.folder(self.study.study) / paths.RESULT for one in self.shown), *self.own_results]


def _examples(study: Study, training: Run | Cell | Delayed) -> int:
    if isinstance(training, Run):
        stages = study.pretraining.stages(burn_in=training.method == "dense")
        return sum(recipe.steps * recipe.batch_size for _, recipe in stages)
    return sum(training.epochs_trained(study)) * train_size(study.task(training.task))


def outgrown(study: Study | Replay) -> list[Path]:
    """Executed notebooks that lack a result, because the grid has grown since they ran."""
    done = [node for node in nodes(study) if node.path.exists()]
    return [node.path for node in done if not all(file.exists() for file in node.results)]


def analyses(study: Study | Replay) -> list[Node]:
    """The nodes that train nothing and read the frames of all others, that of the regimes first."""
    return [node for node in nodes(study) if node.kind == "analysis"]


def lock_of(notebook: Path) -> str:
    """Name of the file that is locked while a notebook is executed."""
    return f".{notebook.name}{LOCK}"


def nodes(study: Study | Replay) -> list[Node]:
    """All nodes of a study, each after those that it depends on. A study of a table has analyses alone."""
    seeds, tasks = study.grid.seeds, [task.name for task in study.tasks]
    pretrained = {seed: _pretraining_nodes(study, seed) for seed in seeds}
    tuned = {(task, seed): _finetuning_nodes(study, task, seed, pretrained[seed]) for task in tasks for seed in seeds}
    if made := [node for part in pretrained.values() for node in part]:
        folder = Path(paths.inside(study.study).name)
        frames = tuple(folder / f"{name}.csv" for name in paths.INSIDE)
        notebook = folder / "inside.ipynb"
        made.append(Node(study, "inside the encoder", paths.INSIDE_NOTEBOOK, notebook, {}, frames, _frames(made)))
    made += [node for part in tuned.values() for node in part]
    for seed in seeds:
        dense = [tuned[task, seed][0] for task in tasks]
        made.append(_prunability_node(study, seed, pretrained[seed], dense))
    read = (*_frames(made), *map(paths.given, study.tables.values()))
    all_need = paths.CELLS, paths.RUNS, paths.FACTORIAL, paths.CLAIMS, paths.REGIMES
    pages = {"regimes": (paths.REGIMES_NOTEBOOK, *all_need), "details": (paths.DETAILS_NOTEBOOK, "bit_of_bert.csv")}
    if set(study.grid.arms) - {*UNPRUNED, *PAPERS}:
        pages["methods"] = (paths.METHODS_NOTEBOOK, paths.METHODS, paths.PAIRS, paths.ORDERS)
    if len(seeds) > 1:  # between which is seen what changes by chance
        pages["questions"] = (paths.QUESTIONS_NOTEBOOK, paths.STOPS, paths.FLIPS)
    for name, (template, *frames) in pages.items():
        made.append(Node(study, name, template, Path(f"{name}.ipynb"), {}, tuple(map(Path, frames)), read))
        read = made[-1].frames if name == "regimes" else read  # which all others read
    return made


def _frames(made: Iterable[Node]) -> tuple[Path, ...]:
    return tuple(path for node in made for path in node.frames)


def _parts(study: Study, sparsities: list[float]) -> list[list[float]]:
    """Split sparsities into parts of `machine.sparsities_per_node`, since every notebook has a start-up cost."""
    size = study.machine.sparsities_per_node or len(sparsities)
    return [sparsities[start : start + size] for start in range(0, len(sparsities), size)]


def _span(sparsities: list[float], joint: str, form: str) -> str:
    ends = sorted({round(100 * sparsities[0]), round(100 * sparsities[-1])})
    return joint.join(f"{end:{form}}" for end in ends)


def _training_node(study: Study, name: str, template: Path, place: Path, parameters, after, trainings) -> Node:
    """A node whose notebook and frame are called `place`, a path without suffix."""
    place = place.relative_to(paths.results(study.study))
    notebook, frame = Path(f"{place}.ipynb"), Path(f"{place}.csv")
    return Node(study, name, template, notebook, parameters, (frame,), _frames(after), tuple(trainings))


def _pretraining_nodes(study: Study, seed: int) -> list[Node]:
    made, template = [], paths.PRETRAINING_NOTEBOOK
    for method in dict.fromkeys(run.method for run in runs(study, seed)):
        mine = [run for run in runs(study, seed) if run.method == method]
        for part in _parts(study, [run.sparsity for run in mine]):
            name, place = f"pre-train {method}, {_span(part, ' to ', 'd')} %, seed {seed}", mine[0].folder(study.study)
            if method == "dense":
                name, place = f"pre-train dense, seed {seed}", place / "dense"
            else:
                place = place.parents[1] / place.name / f"sparsity-{_span(part, '-to-', '02d')}"
            parameters = {"method": method, "sparsities": part, "seed": seed}
            trained = [run for run in mine if run.sparsity in part]
            made.append(_training_node(study, name, template, place, parameters, made[:1], trained))
    return made


def _finetuning_nodes(study: Study, task: str, seed: int, pretrained: list[Node]) -> list[Node]:
    """The nodes of a task and seed; the first one has the un-pruned cells."""
    made, template = [], paths.FINETUNING_NOTEBOOK
    for part in _parts(study, study.grid.sparsities):
        name = f"fine-tune {task}, {_span(part, ' to ', 'd')} %, seed {seed}"
        place = paths.finetuning(study.study, task, seed) / f"sparsity-{_span(part, '-to-', '02d')}"
        needed = [node for node in pretrained[1:] if set(part) & set(node.parameters["sparsities"])]
        needed += made[:1]  # `downstream` prunes the dense cells
        parameters = {"task": task, "sparsities": part, "seeds": [seed]}
        made.append(_training_node(study, name, template, place, parameters, needed, cells(study, task, seed, part)))
    return made


def _prunability_node(study: Study, seed: int, pretrained: list[Node], dense: list[Node]) -> Node:
    """Fine-tuning first: reads the masks of all sparsities and the dense cells, and trains the `delayed` models."""
    gradual = [node for node in pretrained if node.parameters["method"] == "gradual"]
    frames = [paths.prunability_frame(study.study, seed, name) for name in paths.PRUNABILITY]
    return Node(
        study,
        f"fine-tuning first, seed {seed}",
        paths.PRUNABILITY_NOTEBOOK,
        Path("prunability") / f"seed-{seed}.ipynb",
        {"seeds": [seed]},
        tuple(frame.relative_to(paths.results(study.study)) for frame in frames),
        _frames(gradual + dense),
        tuple(cell for task in study.tasks for cell in delayed(study, task.name, seed)),
        tuple(one for node in gradual + dense for one in node.trainings if isinstance(one, Run) or one.arm == "dense"),
    )
