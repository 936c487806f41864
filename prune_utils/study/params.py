"""Read, extend and validate params files; every fault is reported in one sentence."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from prune_utils.study.paths import PARAMS, RECORDED
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError

VALUES = ("replace", "table", "at")  # mappings that are replaced as a whole, not merged key by key


def merge(base: dict, changes: dict) -> dict:
    """Merge `changes` into `base`, section by section; a section whose `source` differs is replaced as a whole."""
    merged = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict) and key not in VALUES
        same = nested and value.get("source", old.get("source")) == old.get("source")
        merged[key] = merge(old, value) if same else value
    return merged


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a repeated key, of which YAML would silently keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if repeated := sorted({key for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"key {repeated[0]!r} is repeated", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a params file without resolving `extends`. Raises ParamsError if it is missing or not a mapping."""
    if not path.is_file():
        available = ", ".join(sorted(file.name for file in PARAMS.glob("*.yaml")))
        raise ParamsError(f"params file {path} does not exist; available: {available}")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _EachKeyOnce)
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise ParamsError(f"params file {path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"params file {path} is not a mapping of keys to values")
    return content


def extended(content: dict[str, Any], folder: Path = PARAMS, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """Merge `content` into the params file that it extends, recursively."""
    content = dict(content)
    name = content.pop("extends", None)
    if name is None:
        return content
    if not isinstance(name, str):
        raise ParamsError(f"extends is {name!r}; allowed is the name of a params file, or null")
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

    A study must have the name of its file, or recorded params the name of their folder.
    """
    path = Path(name)
    if path.suffix != ".yaml":
        path = PARAMS / f"{name}.yaml"
    content = extended(read_yaml(path), path.parent)
    own = path.resolve().parent.name if path.name == RECORDED else path.stem
    if content.setdefault("study", own) != own:
        raise ParamsError(f"study is {content['study']!r} in {path}; a study must be named after its file: {own!r}")
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
