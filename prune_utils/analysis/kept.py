"""A study's evidence as small text files, kept in evidence/<study>/ where its results are not."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from prune_utils.analysis.predictions import dev_correct, first_correct
from prune_utils.study import paths
from prune_utils.study.files import whole_folder
from prune_utils.study.record import read_csv
from prune_utils.study.schema import Study
from prune_utils.study.section import ParamsError

RIGHT = "right.csv"  # which dev examples were predicted correctly: 0 or 1 for each, in the order of the dev file
FRAMES = ("*.csv", "inside/[!w]*.csv", "inside/weights.csv", "prunability/*/*.csv")  # not the words: a row for each

Correct = dict[str, pd.DataFrame]  # see predictions.dev_correct


def folder_of(study: str) -> Path:
    """Where the frames of a study are: its results, once they have cells, or else what was kept of it.

    Results without claims are those of a study whose analysis is being made: it must not read what was kept before.
    """
    results, kept = paths.results(study), paths.EVIDENCE / study
    return kept if (kept / paths.CLAIMS).exists() and not (results / paths.CELLS).exists() else results


def keep(study: Study) -> Path:
    """Write evidence/<study>/: params, frames, borders, and which dev examples were right; return the folder.

    The claims, regimes and figures of a study can be made from it again, but not its masks and models. Raises ParamsError
    if the study has no analysis yet.
    """
    results, target = paths.results(study.study), paths.EVIDENCE / study.study
    if not (results / paths.REGIMES).exists():
        raise ParamsError(f"study '{study.study}' has no analysis yet, so nothing can be kept")
    with whole_folder(target) as unfinished:
        files = [results / paths.RECORDED, results / paths.REGIMES, *(f for glob in FRAMES for f in results.glob(glob))]
        for file in files:
            place = unfinished / file.relative_to(results)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        cells = read_csv(results / paths.CELLS)
        parts = {"cells": dev_correct(study, cells[cells.selected]) or {}}
        if study.tasks and (
            first := [read_csv(file) for file in sorted(results.glob("prunability/*/fine_tune_first.csv"))]
        ):
            parts["fine_tune_first"] = first_correct(study, pd.concat(first, ignore_index=True))
        rows = [
            _packed(table).assign(frame=name, task=task) for name, of in parts.items() for task, table in of.items()
        ]
        if rows:
            pd.concat(rows).to_csv(unfinished / RIGHT, index=False)
    return target


def right(folder: Path) -> tuple[Correct, Correct | None]:
    """Which dev examples were right, as `predictions.dev_correct` and `first_correct` return it, from a kept file."""
    found: dict[str, Correct] = {}
    for (name, task), rows in read_csv(folder / RIGHT).groupby(["frame", "task"]):
        found.setdefault(name, {})[task] = _unpacked(rows.drop(columns=["frame", "task"]))
    return found.get("cells", {}), found.get("fine_tune_first")


def _packed(table: pd.DataFrame) -> pd.DataFrame:
    digits = ["".join(row) for row in table.to_numpy(int).astype(str)]
    return table.index.to_frame(index=False).assign(right=digits)


def _unpacked(rows: pd.DataFrame) -> pd.DataFrame:
    digits = np.array([list(row) for row in rows.pop("right")]) == "1"
    return pd.DataFrame(digits, index=pd.MultiIndex.from_frame(rows.dropna(axis=1)))
