"""The first cells of every notebook: from parameters to a validated study, and to its evidence."""

import ast
import os
from typing import TYPE_CHECKING, Any

import pandas as pd

from prune_utils.data.inputs import identified
from prune_utils.study import paths
from prune_utils.study.params import complete, extended, merge, validated
from prune_utils.study.record import check_same, record
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.study.words import QUIET
from prune_utils.workflow import preflight

if TYPE_CHECKING:
    from prune_utils.analysis.evidence import Evidence

INJECTED = "# Parameters"  # first line of the cell that papermill inserts


def study_of(namespace: dict[str, Any], *selectors: str) -> Study | Replay:
    """The study of a notebook's parameters; pass `globals()` and the names of the notebook's own parameters.

    `params` names a params file and `override` holds keys to change, section by section. Sections may also be given
    one by one, as papermill does with `-y` and, for a whole params file, with `-f`. Raises ParamsError if a
    parameter is unknown, a value is wrong, or the study's results were made with other params.
    """
    quiet()
    injected, sections = _injected(namespace.get("In", [])), [*Study.model_fields, "table", "extends"]
    if unknown := injected - {*sections, *selectors, "params", "override"}:
        raise ParamsError(
            f"unknown parameter {', '.join(sorted(unknown))}; this notebook has {', '.join((*selectors, 'params'))}, "
            f"override, and the sections of a params file: {', '.join(sections)}"
        )
    given = {name: namespace[name] for name in sections if name in injected}
    whole = {"study", "extends"} & given.keys()  # a params file by itself, given with -f
    base = given.get("extends")
    if isinstance(base, str) and not (paths.PARAMS / base).is_file():
        raise ParamsError(
            f"extends is {base!r}, which is not in {paths.shown(paths.PARAMS)}, and papermill's -f does not say where the "
            "params file lies; give the file with `-p params /path/to/it.yaml`, or an absolute path in extends"
        )
    content = extended(given) if whole else merge(complete(namespace["params"]), given)
    study = identified(validated(merge(content, namespace.get("override") or {})))
    for name in selectors:
        _check(name, namespace[name], study)
    folder = paths.results(study.study)
    check_same(study, folder)
    if not (folder / paths.RECORDED).exists():
        study, facts = preflight.check_machine(study, preflight.check_inputs(study))
        record(study, facts)
    return study


def gather(study: Study | Replay, compute: bool | None) -> "Evidence":
    """The evidence of a study, from frames that are written if they are missing.

    `compute`: whether missing cells are trained first, and all frames written anew; None: only in the smoke study.
    """
    from prune_utils.analysis import evidence, results  # scipy takes half a second, for which no training waits

    wanted = study.study == "smoke" if compute is None else compute
    if wanted and results.missing(study):
        from prune_utils.training.finetuning import (
            finetune_all,  # transformers take seconds, for which no analysis waits
        )

        finetune_all(study, results.missing(study))
    if wanted or not (paths.results(study.study) / paths.CELLS).exists():
        results.collect(study)
    return evidence.evidence_of(study)


def quiet() -> None:
    """Silence progress bars and show frames in full."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for limit in ("max_colwidth", "max_rows", "max_columns"):
        pd.set_option(f"display.{limit}", None)  # show frames in full
    pd.set_option("display.html.use_mathjax", False)  # text in a table is not a formula


def _injected(history: list[str]) -> set[str]:
    """Names that papermill assigned; papermill itself only warns about unknown ones."""
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
    """Raise ParamsError if a notebook's own parameter has a wrong value."""

    def wrong(allowed: str) -> ParamsError:
        return ParamsError(f"{name} is {value!r}; allowed: {allowed}")

    if name == "task":
        study.task(value)
    elif name == "method" and value not in study.arm_table.methods:
        raise wrong(", ".join(study.arm_table.methods))
    elif name in ("seed", "seeds"):
        if any(type(seed) is not int or seed < 0 for seed in (value if name == "seeds" else [value])):
            raise wrong("a whole number from 0 up")
    elif name == "arms" and (strange := [arm for arm in value if arm not in study.grid.arms]):
        raise wrong(f"some of the study's arms, {', '.join(study.grid.arms)}; not {strange}")
    elif name in ("sparsity", "sparsities"):
        for sparsity in value if name == "sparsities" else [] if value is None else [value]:
            if type(sparsity) not in (int, float) or not 0 <= sparsity < 1 or round(sparsity, 2) != sparsity:
                raise wrong("a fraction of zeros from 0.0 to 0.99, a multiple of 0.01")
