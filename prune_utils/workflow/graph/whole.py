"""All nodes of a study: which notebook runs with which parameters, what it makes, and what it reads."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.grid import Delayed, Run, cells, delayed, runs
from prune_utils.study.schema import Replay, Study
from prune_utils.study.sections.arms import PAPERS, UNPRUNED
from prune_utils.workflow.graph.node import Node

FIRST = "fine_tune_first"  # one of paths.PRUNABILITY
KEYS = ("target_sparsity", "learning_rate", "epochs")


def outgrown(study: Study | Replay) -> list[Path]:
    """Executed notebooks that lack a result, because the grid has grown since they ran, or that show results of other params."""
    done = [node for node in nodes(study) if node.path.exists()]
    return [node.path for node in done if not all(file.exists() for file in node.results) or _of_others(node)]


def _of_others(node: Node) -> bool:
    """Whether the frames of fine-tuning first hold other trainings: `prunability` may change, and change back."""
    delayed_ones = [one for one in node.trainings if isinstance(one, Delayed)]
    wanted = {(one.task, one.seed, one.sparsity, one.learning_rate, one.epochs) for one in delayed_ones}
    found = set()
    for frame in (paths.results(node.study.study) / frame for frame in node.frames if frame.stem == FIRST):
        if wanted and frame.exists():
            with frame.open(encoding="utf-8", newline="") as lines:  # without pandas, for which a status would wait
                found |= {
                    (row["task"], int(row["seed"]), *(float(row[key]) for key in KEYS)) for row in csv.DictReader(lines)
                }
    return bool(found) and found != wanted


def to_do(study: Study | Replay) -> list[Node]:
    """The nodes that a start executes: those without a notebook or outgrown, and those that read what these make."""
    made, found, old = set(), [], outgrown(study)
    for node in nodes(study):
        if not node.path.exists() or node.path in old or made & {*node.after}:
            found.append(node)
            made |= {*node.frames}
    return found


def analyses(study: Study | Replay) -> list[Node]:
    """The nodes that train nothing and read the frames of all others, that of the regimes first."""
    return [node for node in nodes(study) if node.kind == "analysis"]


def nodes(study: Study | Replay) -> list[Node]:
    """All nodes of a study, each after those that it depends on. A study of a table has analyses alone."""
    seeds, groups = study.grid.seeds, _parts(study.grid.seeds, study.machine.seeds_per_node)
    pretrained = {group: _pretraining_nodes(study, group) for group in groups}
    tuned = {
        (task.name, group): _finetuning_nodes(study, task.name, group, pretrained[group])
        for task in study.tasks
        for group in groups
    }
    if made := [node for part in pretrained.values() for node in part]:
        folder = Path(paths.inside(study.study).name)
        frames = tuple(folder / f"{name}.csv" for name in paths.INSIDE)
        notebook = folder / "inside.ipynb"
        made.append(Node(study, "inside the encoder", paths.INSIDE_NOTEBOOK, notebook, {}, frames, _frames(made)))
    made += [node for part in tuned.values() for node in part]
    for group in groups:
        dense = [tuned[task.name, group][0] for task in study.tasks]
        made.append(_prunability_node(study, group, pretrained[group], dense))
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


def _parts(values: Sequence, size: int) -> list[tuple]:
    """Split sparsities or seeds into parts for one notebook each, since every notebook has a start-up cost; 0: one part."""
    step = size or max(1, len(values))
    return [tuple(values[start : start + step]) for start in range(0, len(values), step)]


def _span(values: Sequence[float], joint: str, form: str = "d") -> str:
    ends = sorted({round(values[0]), round(values[-1])})
    return joint.join(f"{end:{form}}" for end in ends)


def _percents(sparsities: Sequence[float]) -> list[float]:
    return [100 * sparsity for sparsity in sparsities]


def _of_seeds(seeds: Sequence[int]) -> tuple[str, str]:
    """How a node of these seeds is named, and the end of its notebook's name, which lies in the folder of the first."""
    span = _span(seeds, " to ")
    return (f"seed {span}", "") if len(seeds) == 1 else (f"seeds {span}", f"-seeds-{_span(seeds, '-to-')}")


def _training_node(study: Study, name: str, template: Path, place: Path, parameters, after, trainings) -> Node:
    """A node whose notebook and frame are called `place`, a path without suffix."""
    place = place.relative_to(paths.results(study.study))
    notebook, frame = Path(f"{place}.ipynb"), Path(f"{place}.csv")
    return Node(study, name, template, notebook, parameters, (frame,), _frames(after), tuple(trainings))


def _pretraining_nodes(study: Study, seeds: Sequence[int]) -> list[Node]:
    made, template, (which, end) = [], paths.PRETRAINING_NOTEBOOK, _of_seeds(seeds)
    every = [run for seed in seeds for run in runs(study, seed)]
    for method in dict.fromkeys(run.method for run in every):
        mine = [run for run in every if run.method == method]
        for part in _parts(list(dict.fromkeys(run.sparsity for run in mine)), study.machine.sparsities_per_node):
            name, place = (
                f"pre-train {method}, {_span(_percents(part), ' to ')} %, {which}",
                mine[0].folder(study.study),
            )
            if method == "dense":
                name, place = f"pre-train dense, {which}", place / f"dense{end}"
            else:
                span = _span(_percents(part), "-to-", "02d")
                place = place.parents[1] / place.name / f"sparsity-{span}{end}"
            parameters = {"method": method, "sparsities": list(part), "seeds": list(seeds)}
            trained = [run for run in mine if run.sparsity in part]
            made.append(_training_node(study, name, template, place, parameters, made[:1], trained))
    return made


def _finetuning_nodes(study: Study, task: str, seeds: Sequence[int], pretrained: list[Node]) -> list[Node]:
    """The nodes of a task and seeds; the first one has the unpruned cells."""
    made, template, (which, end) = [], paths.FINETUNING_NOTEBOOK, _of_seeds(seeds)
    for part in _parts(study.grid.sparsities, study.machine.sparsities_per_node):
        name = f"fine-tune {task}, {_span(_percents(part), ' to ')} %, {which}"
        span = _span(_percents(part), "-to-", "02d")
        place = paths.finetuning(study.study, task, seeds[0]) / f"sparsity-{span}{end}"
        needed = [node for node in pretrained[1:] if set(part) & set(node.parameters["sparsities"])]
        needed += made[:1]  # `downstream` prunes the dense cells
        parameters = {"task": task, "sparsities": list(part), "seeds": list(seeds)}
        trained = [cell for seed in seeds for cell in cells(study, task, seed, list(part))]
        made.append(_training_node(study, name, template, place, parameters, needed, trained))
    return made


def _prunability_node(study: Study, seeds: Sequence[int], pretrained: list[Node], dense: list[Node]) -> Node:
    """Fine-tuning first: reads the masks of all sparsities and the dense cells, and trains the `delayed` models."""
    gradual = [node for node in pretrained if node.parameters["method"] == "gradual"]
    frames = [paths.prunability_frame(study.study, seed, name) for seed in seeds for name in paths.PRUNABILITY]
    return Node(
        study,
        f"fine-tuning first, {_of_seeds(seeds)[0]}",
        paths.PRUNABILITY_NOTEBOOK,
        Path("prunability") / f"seed-{seeds[0]}.ipynb",
        {"seeds": list(seeds)},
        tuple(frame.relative_to(paths.results(study.study)) for frame in frames),
        _frames(gradual + dense),
        tuple(cell for seed in seeds for task in study.tasks for cell in delayed(study, task.name, seed)),
        tuple(one for node in gradual + dense for one in node.trainings if isinstance(one, Run) or one.arm == "dense"),
    )
