"""Recorded params of a study, which of them may change between runs, and reading and writing of its frames."""

import contextlib
from dataclasses import fields
from pathlib import Path

import pandas as pd
import yaml

from prune_utils.study import paths
from prune_utils.study.files import write_whole
from prune_utils.study.params import read_yaml, validated
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import Fact, ParamsError
from prune_utils.study.words import percent

ABSENT = "–"
# sections that may change between runs of a study, since the path of a result names its coordinates
FREE = ("machine", "analysis", "grid", "tasks", "own_arms", "prunability", "inputs")
TEXT = [
    "task",
    "arm",
    "of",
    "method",
    "precision",
    "device",
    "python",
    "torch",
    "transformers",
    "datasets",
    "numpy",
    "commit",
    "right",
]
ORDERED = ("labels", "replace")  # sections in which the order counts: that of the classes, and of the replacements
FACT = [field.name for field in fields(Fact)]
OTHER = ("study", "machine", "table", "inputs")  # not part of the recipe


def differing(studies: dict[str, Study | Replay]) -> pd.DataFrame:
    """Parameters in which studies differ, as text: one row per key (section.key), one column per study."""
    recipes = {name: _flat(study.model_dump(exclude_none=True, exclude={*OTHER})) for name, study in studies.items()}
    keys = dict.fromkeys(key for recipe in recipes.values() for key in recipe)
    sections = list(dict.fromkeys(key.split(".")[0] for key in keys))
    index = pd.Index(sorted(keys, key=lambda key: sections.index(key.split(".")[0])), name="parameter")
    table = pd.DataFrame(recipes, index, dtype=object).fillna(ABSENT)
    return table[table.nunique(axis=1) > 1]


def _flat(section: dict, prefix: str = "") -> dict[str, str]:
    """Flatten to {"section.key": text}; a list of sections (tasks, stages of epochs) is one value."""
    flat = {}
    for name, value in section.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": _text(value)}
    return flat


def _text(value) -> str:
    if isinstance(value, list):
        if value and all(isinstance(stage, dict) and {*stage} == {"sparsity", "epochs"} for stage in value):
            first, *rest = value  # stages of epochs: the first begins at 0 %
            return "; ".join([str(first["epochs"]), *(f"{s['epochs']} from {percent(s['sparsity'])}" for s in rest)])
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        named = {name: f"{name} {_text(inner)}" for name, inner in value.items() if name != "source"}
        return " ".join((named | {"name": value["name"]} if "name" in value else named).values())
    return f"{value:g}" if isinstance(value, float) else str(value)


def recorded(study: str) -> dict:
    """The params that a study was last started with; empty if it was never started."""
    path = paths.results(study) / paths.RECORDED
    return read_yaml(path) if path.exists() else {}


def record(study: Study | Replay, facts: list[Fact] | None = None) -> None:
    """Write the resolved params beside the results, and `facts` about the inputs.

    Identical params are not rewritten, since Snakemake compares modification times.
    """
    if facts is not None:
        write_csv(pd.DataFrame(facts, columns=FACT), study, paths.INPUTS)
    path, text = paths.results(study.study) / paths.RECORDED, yaml.safe_dump(study.model_dump(), sort_keys=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def told(study: Study | Replay) -> pd.DataFrame:
    """The facts about the inputs when the study was last started: columns about, what, value, odd; empty if nothing."""
    file = paths.results(study.study) / paths.INPUTS
    frame = pd.read_csv(file, dtype=str, keep_default_na=False) if file.exists() else pd.DataFrame(columns=FACT)
    return frame.assign(odd=frame.odd.astype(str) == "True")


def check_same(study: Study | Replay, folder: Path) -> None:
    """Raise ParamsError if the results in `folder` were made with other params; names each key and both values."""
    if different := differences(study, folder):
        raise ParamsError(
            f"{paths.shown(folder)} was made with different params: {'; '.join(different)}. Give the changed study "
            "its own name (a new params file), or delete that folder"
        )


def differences(study: Study | Replay, folder: Path) -> list[str]:
    """The keys in which a study differs from the recorded params in `folder`, with both values.

    The grid and `prunability` may change, and tasks and arms, with their epochs, may be added. The precision of the machine may not: cells that
    were computed in another precision are not comparable. Nor may the content of a file that the study has read.
    """
    if not (folder / paths.RECORDED).exists():
        return []
    old, new = read_yaml(folder / paths.RECORDED), study.model_dump()
    if ("table" in old) != ("table" in new):
        return ["existing results come from a table, and this study trains models, or vice versa"]
    if "table" in new:
        return []  # the analysis alone reruns in seconds
    methods = {}
    with contextlib.suppress(ParamsError):  # keys that came later have their defaults
        before = validated(old)
        old, methods = before.model_dump(), {arm: before.arm_table.method_of(arm) for arm in before.grid.arms}
    new_tasks = {task["name"]: task for task in new["tasks"]}
    _leave_out_new_arms(old, new, folder)
    different = [key for key in new if key not in FREE for key in _different(old.get(key), new[key], key)]
    different += _different(old["machine"]["precision"], new["machine"]["precision"], "machine.precision")
    for task in old["tasks"]:
        different += _different(task, new_tasks.get(task["name"]), f"tasks.{task['name']}")
    for name, row in old.get("own_arms", {}).items():
        different += _different(row, new["own_arms"].get(name), f"own_arms.{name}")
    for arm, was in methods.items():  # arms with the same zeros share the runs of the first of them
        if arm in study.arm_table.arms and (now := study.arm_table.method_of(arm)) != was:
            different.append(
                f"own_arms: runs of {arm} are in the folder {was} and would be in {now}; keep the old order"
            )
    read = old.get("inputs", {})
    changed = [key for key in read.keys() & new["inputs"].keys() if read[key] != new["inputs"][key]]
    return different + [f"the content of {key} has changed ({new['inputs'][key]})" for key in sorted(changed)]


def _leave_out_new_arms(old: dict, new: dict, folder: Path) -> None:
    """Remove from `new` the epochs of arms that have none in `old` and no result in `folder`."""
    known = old.get("finetuning", {}).get("epochs", {}).get("controls") or {}
    epochs = new["finetuning"]["epochs"]
    told = epochs["controls"] or {}
    epochs["controls"] = {arm: n for arm, n in told.items() if arm in known or paths.has_cells(folder, arm)} or None


def _different(old, new, key: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        if old == new and key.rsplit(".", 1)[-1] in ORDERED and [*old] != [*new]:
            return [f"the order of {key} was {', '.join(map(str, old))} and is {', '.join(map(str, new))}"]
        names = sorted(old.keys() | new.keys(), key=str)
        return [text for name in names for text in _different(old.get(name), new.get(name), f"{key}.{name}")]
    return [] if old == new else [f"{key} was {old!r} and is {new!r}"]


def write_csv(frame: pd.DataFrame, study: Study | Replay, name: str | Path) -> Path:
    """Write a frame under the study's results. Floats keep all digits, so equal runs give equal files."""
    path = paths.results(study.study) / name
    write_whole(path, frame.to_csv(index=False))
    return path


def read_csv(path: Path) -> pd.DataFrame:
    """Read a frame that `write_csv` wrote: floats are exact, names are text, empty fields are missing values."""
    text = dict.fromkeys(TEXT, str)
    # the Python engine converts floats exactly in every version of pandas
    return pd.read_csv(path, engine="python", keep_default_na=False, na_values=[""], dtype=text)
