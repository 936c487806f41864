"""The params of studies beside each other."""

from pathlib import Path

import pandas as pd
import yaml

from prune_utils.study import paths
from prune_utils.study.files import write_whole
from prune_utils.study.params import read_yaml
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError

ABSENT = "–"
OTHER = ("study", "machine", "table")  # which study, how it is run, and what stands for one: not part of its recipe


def differing(studies: dict[str, Study | Replay]) -> pd.DataFrame:
    """The parameters in which studies differ: a row a key (section.key), a column a study, values as text."""
    table = pd.DataFrame({name: pd.Series(_flat(_recipe(study)), dtype=object) for name, study in studies.items()})
    keys = dict.fromkeys(key for study in studies.values() for key in _flat(_recipe(study)))
    sections = list(dict.fromkeys(key.split(".")[0] for key in keys))
    table = (
        table.reindex(sorted(keys, key=lambda key: sections.index(key.split(".")[0])))
        .fillna(ABSENT)
        .rename_axis("parameter")
    )
    return table[table.nunique(axis=1) > 1]


def _recipe(study: Study | Replay) -> dict:
    return {key: value for key, value in study.model_dump(exclude_none=True).items() if key not in OTHER}


def _flat(value, key: str = "") -> dict[str, str]:
    """{"section.key": value as text}; a list of sections (tasks, stages of epochs) is one value."""
    if isinstance(value, dict):
        parts = [_flat(inner, f"{key}.{name}" if key else name) for name, inner in value.items()]
        return {k: v for part in parts for k, v in part.items()}
    return {key: _text(value)}


def _text(value) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        named = {name: f"{name} {_text(inner)}" for name, inner in value.items() if name != "source"}
        return " ".join((named | {"name": value["name"]} if "name" in value else named).values())
    return f"{value:g}" if isinstance(value, float) else str(value)


# what may differ between two runs of one study: how it is run and read, and how far its grid reaches
FREE = ("machine", "analysis", "grid", "tasks", "prunability")


def record(study: Study) -> None:
    """Keeps a study's resolved params beside its results; left alone where they are the same, for its time counts."""
    path, text = paths.results(study.study) / "params.yaml", yaml.safe_dump(study.model_dump(), sort_keys=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def check_same(study: Study | Replay, folder: Path) -> None:
    """Raises ParamsError where `folder` was begun with other params, naming the keys that differ."""
    if different := differences(study, folder):
        raise ParamsError(
            f"{paths.shown(folder)} was made with other params: {'; '.join(different)}. Give the "
            "changed study a name (a params file) of its own, or delete that folder"
        )


def differences(study: Study | Replay, folder: Path) -> list[str]:
    """The keys in which a study differs from the one whose results are in `folder`, with both values.

    A grid, and what is fine-tuned before pruning, may change and a task may be added: results lie in folders that
    name their coordinates, and those that are there stay what they are. The precision of the
    machine may not: a cell computed in another would not be like the rest.
    """
    if not (folder / "params.yaml").exists():
        return []
    old, new = read_yaml(folder / "params.yaml"), study.model_dump()
    if isinstance(study, Replay) or "table" in old:
        same = isinstance(study, Replay) and "table" in old  # an analysis alone: it is made anew in seconds
        return [] if same else ["it was a table's study or a trained one, and is the other kind"]
    new_tasks = {task["name"]: task for task in new["tasks"]}
    different = [key for key in new if key not in FREE for key in _different(old.get(key), new[key], key)]
    different += _different(old["machine"]["precision"], new["machine"]["precision"], "machine.precision")
    for task in old["tasks"]:
        different += _different(task, new_tasks.get(task["name"]), f"tasks.{task['name']}")
    return different


def _different(old, new, key: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            text
            for name in sorted(old.keys() | new.keys(), key=str)
            for text in _different(old.get(name), new.get(name), f"{key}.{name}")
        ]
    return [] if old == new else [f"{key} was {old!r} and is {new!r}"]


def write_csv(frame: pd.DataFrame, study: Study, name: str) -> Path:
    """Writes a frame under the study's results; floats in full, so that equal runs give equal files."""
    path = paths.results(study.study) / name
    write_whole(path, frame.to_csv(index=False))
    return path
