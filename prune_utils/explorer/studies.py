"""Studies that can be opened, and the data of each."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs, quote

import pandas as pd
from IPython.display import HTML

from prune_utils.analysis import results
from prune_utils.analysis.evidence import Evidence, evidence_of
from prune_utils.report.escaping import in_html
from prune_utils.study import paths
from prune_utils.study.grid import Run, all_cells
from prune_utils.study.params import read_yaml, validated
from prune_utils.study.record import read_csv
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.study.words import percent, percents
from prune_utils.workflow.graph import nodes
from prune_utils.workflow.notebook import quiet

NOTHING = (
    "There is no finished study yet: run <code>make demo</code> (minutes), or any other with "
    "<code>make study PARAMS=params/x.yaml</code>, then reopen this page."
)


class Absent(Exception):
    """Something that a view would show does not exist; the message is shown in its place."""


@dataclass(frozen=True, eq=False)  # compared by identity, the key of caches
class Opened:
    """A study and its evidence, which is loaded lazily and cached, for all tasks or a subset."""

    study: Study | Replay

    @cached_property
    def evidence(self) -> Evidence:
        """Raises Absent if no cell is finished."""
        try:
            return evidence_of(self.study)
        except ParamsError as error:
            raise Absent(str(error)) from None

    @property
    def tasks(self) -> list[str]:
        return sorted(self.evidence.cells.task.unique())

    def over(self, tasks: frozenset[str]) -> Evidence:
        """The evidence of a subset of the tasks."""
        return self.evidence if tasks == set(self.tasks) else self.evidence.over(tasks)

    def trained(self) -> Study:
        """The study. Raises Absent if it trains nothing."""
        if not self.study.tasks:
            raise Absent("This study is a table of results: nothing was trained, and there are no models to look into.")
        return self.study

    def checkpoint(self, sparsity: float, seed: int | None = None) -> Path:
        """The checkpoint of a gradual run, by default of the first seed. Raises Absent if it does not exist."""
        study = self.trained()
        seed = study.grid.seeds[0] if seed is None else seed
        folder = Run("gradual", sparsity, seed).checkpoint(study.study)
        if not (folder / paths.WEIGHTS).exists():
            raise Absent(f"The model of the {percent(sparsity)} run, seed {seed}, is not in {paths.shown(folder)}.")
        return folder

    def inside(self, name: str) -> pd.DataFrame:
        """A frame of the notebook on the encoder. Raises Absent if it does not exist."""
        if (path := paths.inside(self.trained().study) / f"{name}.csv").exists():
            return read_csv(path)
        raise Absent(f"Not measured: {paths.shown(path)} is missing; notebooks/2_inside_the_encoder.ipynb writes it.")


def finished() -> list[str]:
    """Names of the studies that are complete and analysed: trained ones before tables, the latest analysis first."""
    found = []
    for made in paths.results("").glob(f"*/{paths.REGIMES}"):
        try:
            study = validated(read_yaml(made.with_name("params.yaml")))
        except ParamsError:
            continue  # of another version; if it is opened by name, the error is shown
        ours = study.study == made.parent.name  # otherwise a copy, whose files would be read from the original's folder
        if ours and not results.missing(study):
            found.append((not study.tasks, -made.stat().st_mtime, study.study))
    return [name for *_, name in sorted(found)]


def opened(study: str = "") -> Opened | None:
    """Open a study by name. Without one, opens the study in the address of the page (?study=x), or the latest.

    None if no study is finished. Raises ParamsError for a name without results.
    """
    quiet()
    there = finished()
    name = study or next(iter([name for name in _asked() if name in there] + there), None)
    if name is None:
        return None
    contents = {content.parent.name: content for content in paths.results("").glob("*/params.yaml")}
    if name not in contents:
        raise ParamsError(f"study is {name!r}; allowed are studies with results: {', '.join(there) or 'none yet'}")
    found = validated(read_yaml(contents[name]))
    if found.study != name:
        shown = paths.shown(contents[name])
        raise ParamsError(f"{shown}: study is {found.study!r}; allowed is its folder's name, {name!r}")
    return Opened(found)


def _asked() -> list[str]:
    """The studies that the address of the page names."""
    return parse_qs(os.environ.get("QUERY_STRING", "")).get("study", [])


def opening(opened: Opened | None) -> HTML:
    """A sentence on the open study and on how to open another one; without a study, on what to run."""
    if opened is None:
        return HTML(f"<p>{NOTHING}</p>")
    absent = [f"“{in_html(name)}”" for name in _asked() if name not in finished()]
    said = f"There is no finished study {', '.join(absent)} here. " if absent else ""
    return HTML(f"<p>{said}{_has(opened.study)} {_others(opened.study.study)}</p>")


def _has(study: Study | Replay) -> str:
    """What a study consists of, from its params and its files."""
    said = f"Study <b>{in_html(study.study)}</b>: "
    if not study.tasks:
        return f"{said}{in_html(study.origin)} There are no models to look into."
    tasks, seeds, holes = ", ".join(task.name for task in study.tasks), study.grid.seeds, len(results.missing(study))
    said += (
        f"tasks {in_html(tasks)}; sparsities {percents(study.grid.sparsities)}; "
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}; {len(all_cells(study)) - holes} cells."
    )
    return said + (f" It is not finished: {holes} cells are missing." if holes else "")


def _others(name: str) -> str:
    others = [other for other in finished() if other != name]
    if not others:
        how = (
            "add <code>?study=</code> and its name to the address"
            if served()
            else "write its name in <code>study</code>"
        )
        return f"It is the only finished study here; to open another later, {how}."
    if served():
        return "Others: " + ", ".join(f'<a href="?study={quote(other)}">{in_html(other)}</a>' for other in others) + "."
    return f"To open another one, write its name in <code>study</code> above: {in_html(', '.join(others))}."


def served() -> bool:
    """Whether Voilà started this kernel; it serves one notebook and no other files."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


def notebooks_of(study: Study | Replay, task: str, sparsity: float) -> dict[int, Path]:
    """The executed notebook that fine-tuned the cells of each seed, as far as it exists."""
    kept = {}
    for node in (node for node in nodes(study) if node.parameters.get("task") == task):
        path = paths.results(study.study) / node.notebook
        if sparsity in node.parameters["sparsities"] and path.exists():
            kept |= dict.fromkeys(node.parameters["seeds"], path)
    return kept
