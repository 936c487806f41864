"""Read, extend and validate params files; every fault is reported in one sentence."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from prune_utils.study.paths import PARAMS, RECORDED
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError

VALUES = ("replace", "table")  # mappings that are replaced as a whole, not merged key by key


def merge(base: dict, changes: dict) -> dict:
    """Merge `changes` into `base`, section by section; a section with another `source` is replaced as a whole."""
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
    """Read a params file without what it extends. Raises ParamsError if it is missing or not a mapping."""
    if not path.is_file():
        raise ParamsError(
            f"params file {path} does not exist; available: " + ", ".join(sorted(p.name for p in PARAMS.glob("*.yaml")))
        )
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ParamsError(f"params file {path} is not a mapping of keys to values")
    return content


def extended(content: dict[str, Any], folder: Path = PARAMS, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fill in the params file that `content` extends, recursively."""
    content = dict(content)
    name = content.pop("extends", None)
    if not name:
        return content
    if name in seen:
        raise ParamsError(f"extends is circular: {' -> '.join((*seen, name))}")
    path = next((p for p in (folder / name, PARAMS / name) if p.is_file()), folder / name)
    base = extended(read_yaml(path), path.parent, (*seen, name))
    return merge({key: value for key, value in base.items() if key != "study"}, content)


def validated(content: dict[str, Any]) -> Study | Replay:
    """Validate complete params: a Replay if they have a `table`, else a Study. Raises ParamsError, one sentence per
    fault."""
    try:
        return (Replay if "table" in content else Study).model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(_sentence(fault) for fault in error.errors())) from None


def complete(name: Path | str) -> dict[str, Any]:
    """The complete params of a file, given by its path or by its name under params/.

    A study has the name of its file; the recorded params of a study have the name of their folder.
    """
    path = Path(name)
    if path.suffix != ".yaml":
        path = PARAMS / f"{name}.yaml"
    content = extended(read_yaml(path), path.parent)
    own = path.resolve().parent.name if path.name == RECORDED else path.stem
    if content.setdefault("study", own) != own:
        raise ParamsError(f"study is {content['study']!r} in {path}; a study must be named as its file: {own!r}")
    return content


def load_study(path: Path | str) -> Study | Replay:
    """The validated study of a params file (see `complete`). Raises ParamsError."""
    return validated(complete(path))


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
