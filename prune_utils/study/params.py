"""Params files: read, extended, checked, with a clear sentence for each fault."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from prune_utils.study.paths import PARAMS
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError

VALUES = ("replace",)  # mappings that are one value: a study gives all of it, or what it extends does


def merge(base: dict, changes: dict) -> dict:
    """`base` with `changes` laid over it, section by section; a section that changes its `source` is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict) and key not in VALUES
        if nested and value.get("source", old.get("source")) == old.get("source"):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """A params file as it stands. Raises ParamsError where it is missing or no mapping."""
    if not path.is_file():
        raise ParamsError(
            f"params file {path} does not exist; those at hand: "
            + ", ".join(sorted(p.name for p in PARAMS.glob("*.yaml")))
        )
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ParamsError(f"params file {path} holds no keys and values")
    return content


def extended(content: dict[str, Any], folder: Path = PARAMS, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """The content with what it extends filled in, all the way down."""
    content = dict(content)
    name = content.pop("extends", None)
    if not name:
        return content
    if name in seen:
        raise ParamsError(f"extends goes in a circle: {' -> '.join((*seen, name))}")
    path = next((p for p in (folder / name, PARAMS / name) if p.is_file()), folder / name)
    base = extended(read_yaml(path), path.parent, (*seen, name))
    return merge({key: value for key, value in base.items() if key != "study"}, content)


def validated(content: dict[str, Any]) -> Study | Replay:
    """The study that a complete content describes: with a `table` a replay of it. Raises ParamsError with a
    sentence for each fault."""
    try:
        return (Replay if "table" in content else Study).model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(_sentence(fault) for fault in error.errors())) from None


def load_study(path: Path | str) -> Study | Replay:
    """The study of a params file. Raises ParamsError."""
    path = Path(path)
    content = extended(read_yaml(path), path.parent)
    if content.setdefault("study", path.stem) != path.stem:
        raise ParamsError(f"study is {content['study']!r} in {path}; a study is named as its file: {path.stem!r}")
    return validated(content)


def _sentence(fault: dict) -> str:
    key = ".".join(str(part) for part in fault["loc"] if part not in ("embedded", "local", "hub")) or "params"
    if fault["type"] == "extra_forbidden":
        return f"unknown parameter {key!r} (value {fault['input']!r})"
    if fault["type"] == "missing":
        return f"parameter {key!r} is missing"
    allowed = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault["input"], str) and fault["type"] in ("float_type", "int_type"):
        allowed += " (YAML reads 2e-5 as text; write 2.0e-5)"
    if fault["type"] == "value_error":
        return f"{key}: {allowed}"
    return f"{key} is {fault['input']!r}; {allowed[:1].lower() + allowed[1:]}"
