"""Compare studies: claims, regimes, cost of pruning; and the paper's own tables."""

import json
from dataclasses import dataclass
from functools import cache

import pandas as pd

from prune_utils.analysis.claims import CLAIMS, claims_table
from prune_utils.analysis.evidence import Evidence, evidence_of, evidence_of_table
from prune_utils.analysis.kept import folder_of
from prune_utils.analysis.regimes import POINTS, Boundary, Regimes, find
from prune_utils.study import paths
from prune_utils.study.grid import all_cells
from prune_utils.study.params import load_study, read_yaml, validated
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.study.words import percent, signed


@dataclass(frozen=True)
class Compared:
    """A study with its evidence and regimes."""

    study: Study | Replay
    evidence: Evidence
    regimes: Regimes

    @property
    def planned(self) -> int:
        """The cells of its grid, finished or not; those of a table are all there."""
        return max(len(all_cells(self.study)), len(self.evidence.cells))

    @property
    def whole(self) -> bool:
        """Whether all of its cells are finished; if not, its borders rest on the cells finished so far."""
        return len(self.evidence.cells) == self.planned


def analysed() -> list[str]:
    """Names of the studies with an analysis (claims.csv) under results/ or evidence/, sorted."""
    places = (paths.OUT / "results", paths.EVIDENCE)
    return sorted({path.parent.name for place in places for path in place.glob(f"*/{paths.CLAIMS}")})


def check(names: list[str]) -> None:
    """Raise ParamsError for a name without an analysis."""
    if strange := [name for name in names if name not in analysed()]:
        raise ParamsError(
            f"studies are {names}, but {', '.join(map(repr, strange))} has no analysis under results/ or evidence/; available: "
            f"{', '.join(analysed()) or 'none'}"
        )


def compared(names: list[str]) -> dict[str, Compared]:
    """Read studies from their results. Raises ParamsError for a study without an analysis."""
    check(names)
    studies = {name: validated(read_yaml(folder_of(name) / paths.RECORDED)) for name in names}
    found = {name: evidence_of(study) for name, study in studies.items()}
    return {
        name: Compared(study, found[name], find(found[name].accuracy, found[name].loss, study.analysis))
        for name, study in studies.items()
    }


def claims(studies: dict[str, Compared]) -> pd.DataFrame:
    """Verdict, estimate and interval: one row per claim, one column per study."""
    columns = {}
    for name, one in studies.items():
        table = claims_table(one.evidence)
        columns[name] = [_cell(row) for row in table.itertuples()]
    rows = [f"{name} {claim.statement}" for name, claim in CLAIMS.items()]
    return pd.DataFrame(columns, index=rows).rename_axis(columns="claim")


def _cell(row) -> str:
    if pd.isna(row.measured):
        return row.verdict
    ends = json.loads(row.interval) if isinstance(row.interval, str) else None
    said = f"{row.verdict}: {signed(row.measured, row.unit)} {row.unit}"
    return said + (f" [{' to '.join(signed(end, row.unit) for end in ends)}]" if ends else "")


def borders(studies: dict[str, Compared]) -> pd.DataFrame:
    """One row per study: tasks, finished cells, seeds, margin (points), and the borders with their intervals."""
    rows = {}
    for name, one in studies.items():
        cells = one.evidence.cells
        rows[name] = {
            "tasks": cells.task.nunique(),
            "cells": str(len(cells)) if one.whole else f"{len(cells)} of {one.planned}",
            "seeds": cells[cells.arm != "dense"].seed.nunique(),
            "margin (points)": one.study.analysis.accuracy_margin,
            "low until": _border(one.regimes.low),
            "high from": _border(one.regimes.high),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(columns="study")


def _border(border: Boundary) -> str:
    ends = "" if border.interval is None else f" [{_percent(border.interval[0])} to {_percent(border.interval[1])}]"
    return _percent(border.estimate) + ends


def _percent(sparsity: float | None) -> str:
    return "none measured" if sparsity is None else percent(sparsity)


def costs(studies: dict[str, Compared]) -> pd.DataFrame:
    """Accuracy lost by pruning: columns study, arm, sparsity (fraction), cost (points below the dense model), low, high.

    The interval is missing for a single seed.
    """
    rows = []
    for name, one in studies.items():
        accuracy = one.evidence.accuracy
        if not accuracy.has(("dense", 0.0)):
            continue
        for arm, sparsity in accuracy.point.index:
            if sparsity > 0:
                fall = accuracy.difference(("dense", 0.0), (arm, sparsity))
                low, high = fall.interval() or (None, None)
                rows.append(
                    {"study": name, "arm": arm, "sparsity": sparsity, "cost": fall.value} | {"low": low, "high": high}
                )
    frame = pd.DataFrame(rows, columns=["study", "arm", "sparsity", "cost", "low", "high"])
    return frame.assign(**{name: POINTS * frame[name].astype(float) for name in ("cost", "low", "high")})


@cache
def the_paper() -> Evidence:
    """The evidence of the paper's own tables."""
    return evidence_of_table(load_study(paths.PARAMS / "published.yaml"))


def beside(cells: pd.DataFrame) -> pd.DataFrame:
    """Dev accuracies (percent) of a study and of the paper for the cells that both have.

    Columns arm, target_sparsity, task, ours, theirs, difference, and noise, the standard deviation of the paper's 0 %
    rows of that task. Empty if they share no task.
    """
    theirs = the_paper().cells
    noise = theirs[theirs.arm == "dense"].groupby("task").dev_accuracy.std() * 100
    keys = ["arm", "target_sparsity", "task"]
    ours, theirs = (
        frame[frame.selected].groupby(keys).dev_accuracy.mean().mul(100).rename(name)
        for frame, name in ((cells, "ours"), (theirs, "theirs"))
    )
    both = pd.concat([ours, theirs], axis=1, join="inner").reset_index()
    return both.assign(difference=both.ours - both.theirs, noise=both.task.map(noise))
