"""What the notebooks' first cells call: parameters in, a validated study out."""

import ast
import os
from typing import Any

import pandas as pd

from prune_utils.study import paths, record
from prune_utils.study.params import extended, validated
from prune_utils.study.record import check_same
from prune_utils.study.schema import METHODS, Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow import preflight

# read when transformers and datasets are first imported: a bar for every file loaded would bury what a notebook says
QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
INJECTED = "# Parameters"  # the first line of the cell that papermill puts after a notebook's own parameters


def study_of(namespace: dict[str, Any], *selectors: str) -> Study | Replay:
    """The study of a notebook's parameters (pass `globals()`), with those of its own, `selectors`, checked as well.

    What a notebook does not set comes from the params file that it extends. Raises ParamsError for an unknown
    parameter, a wrong value, or a study whose results were made with other params.
    """
    quiet()
    sections = [*Study.model_fields, "table", "extends"]
    if unknown := _injected(namespace.get("In", [])) - {*sections, *selectors}:
        raise ParamsError(
            f"unknown parameter {', '.join(sorted(unknown))}; this notebook has {', '.join(selectors)} and the "
            f"sections of a params file: {', '.join(sections)}"
        )
    study = validated(extended({name: namespace[name] for name in sections if namespace.get(name)}))
    for name in selectors:
        _check(name, namespace[name], study)
    folder = paths.results(study.study)
    check_same(study, folder)
    if not (folder / "params.yaml").exists():
        preflight.check(study)
        record(study)
    return study


def quiet() -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for limit in ("max_colwidth", "max_rows", "max_columns"):
        pd.set_option(f"display.{limit}", None)  # what a frame holds is there to be read
    pd.set_option("display.html.use_mathjax", False)  # in a table `$x$` is a name, no formula


def _injected(history: list[str]) -> set[str]:
    """The names that papermill assigned. It only warns of one that the notebook does not know."""
    return {
        target.id
        for source in history
        if source.startswith(INJECTED)
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _check(name: str, value: Any, study: Study) -> None:
    """Raises ParamsError where a notebook's own parameter has a wrong value."""

    def wrong(allowed: str) -> ParamsError:
        return ParamsError(f"{name} is {value!r}; allowed: {allowed}")

    if name == "task":
        study.task(value)
    elif name == "method" and value not in METHODS:
        raise wrong(", ".join(METHODS))
    elif name in ("seed", "seeds"):
        if any(type(seed) is not int or seed < 0 for seed in (value if name == "seeds" else [value])):
            raise wrong("a whole number from 0 up")
    elif name == "arms" and (strange := [arm for arm in value if arm not in study.grid.arms]):
        raise wrong(f"of the study's arms, {', '.join(study.grid.arms)}; not {strange}")
    elif name in ("sparsity", "sparsities"):
        for sparsity in value if name == "sparsities" else [] if value is None else [value]:
            if type(sparsity) not in (int, float) or not 0 <= sparsity < 1 or round(sparsity, 2) != sparsity:
                raise wrong("a fraction of zeros from 0.0 to 0.99, in whole percents")
