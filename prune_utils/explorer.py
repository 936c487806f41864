"""What the explorer opens: a finished study; and how its views show what is there and say what is not."""

import html
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from pathlib import Path
from urllib.parse import parse_qs, quote

import ipywidgets
import pandas as pd
import yaml
from IPython.display import HTML

from prune_utils import frames, paths
from prune_utils.evidence import Evidence, evidence_of
from prune_utils.grid import all_cells
from prune_utils.notebook import quiet
from prune_utils.params import read_yaml, validated
from prune_utils.schema import Replay, Study
from prune_utils.section import ParamsError

ANALYSED = "regimes.json"  # what a study's analysis writes last
NAME = re.compile(r"[\w-]+")
NOTHING = (
    "There is no finished study yet: run <code>make demo</code> (minutes), or any other with "
    "<code>make study PARAMS=params/x.yaml</code>, and open this again."
)
LAB = "jp-RenderedHTMLCommon"  # JupyterLab's class for text and tables, in the colours of its theme


class Absent(Exception):
    """What a view would show is not there; its text is the sentence that is shown in its place."""


@dataclass(frozen=True, eq=False)  # each is itself, by which what is made of it is cached
class Opened:
    """A study with its evidence, read when it is first asked for and once; that of some tasks alone likewise."""

    study: Study | Replay

    @cached_property
    def evidence(self) -> Evidence:
        """Raises Absent where no cell is finished."""
        try:
            return evidence_of(self.study)
        except ParamsError as error:
            raise Absent(str(error)) from None

    @property
    def tasks(self) -> list[str]:
        return sorted(self.evidence.cells.task.unique())

    @cache  # noqa: B019 one study is open in a notebook, and as long as that is
    def over(self, tasks: frozenset[str]) -> Evidence:
        """The evidence of some of the tasks."""
        return self.evidence if tasks == set(self.tasks) else self.evidence.over(tasks)

    def trained(self) -> Study:
        """The study where it was trained. Raises Absent for the results of a table."""
        if isinstance(self.study, Replay):
            raise Absent("This study is a table of results: nothing was trained, and there are no models to look into.")
        return self.study

    def checkpoint(self, sparsity: float, seed: int) -> Path:
        """The folder of a gradual run's model. Raises Absent where it is not on disk."""
        folder = paths.pretraining(self.trained().study, "gradual", sparsity, seed) / paths.CHECKPOINT
        if not (folder / "model.safetensors").exists():
            raise Absent(f"The model of the {percent(sparsity)} run, seed {seed}, is not in {paths.shown(folder)}.")
        return folder

    def inside(self, name: str) -> pd.DataFrame:
        """A frame that was measured inside the models. Raises Absent where it was not."""
        if (path := paths.inside(self.trained().study) / f"{name}.csv").exists():
            return pd.read_csv(path)
        raise Absent(f"Not measured: {paths.shown(path)} is not there; notebooks/5_inside_the_encoder.ipynb writes it.")


def finished() -> list[str]:
    """The studies whose analysis is made and that lack no cell, the one made last first; trained ones before tables."""
    studies = [(isinstance(study, Replay), -made.stat().st_mtime, study.study) for study, made in _analysed()]
    return [name for *_, name in sorted(studies)]


def _analysed() -> Iterable[tuple[Study | Replay, Path]]:
    for made in paths.results("").glob(f"*/{ANALYSED}"):
        try:
            study = validated(read_yaml(made.with_name("params.yaml")))
        except (ParamsError, yaml.YAMLError):
            continue  # of another version, or not ours: it can be named, and then says what is wrong with it
        if isinstance(study, Replay) or not frames.missing(study):
            yield study, made


def opened(study: str = "") -> Opened | None:
    """A study by name, where empty the one that the page's address names (?study=x) or the one finished last; None
    where none is finished. Raises ParamsError for a name that has no results."""
    quiet()
    there = finished()
    asked = [name for name in parse_qs(os.environ.get("QUERY_STRING", "")).get("study", []) if name in there]
    name = study or next(iter(asked + there), None)
    if name is None:
        return None
    content = paths.results(name) / "params.yaml"
    if name not in there and not (NAME.fullmatch(name) and content.is_file()):
        raise ParamsError(f"study is {name!r}; allowed, for they have results: {', '.join(there) or 'none yet'}")
    return Opened(validated(read_yaml(content)))


def opening(opened: Opened | None) -> HTML:
    """A sentence on the study that is open, and how to open another; where there is none, what to run."""
    if opened is None:
        return HTML(f"<p>{NOTHING}</p>")
    return HTML(f"<p>{_has(opened.study)} {_others(opened.study.study)}</p>")


def _has(study: Study | Replay) -> str:
    """What there is of a study, from its params and the files that are there."""
    said = f"Study <b>{escaped(study.study)}</b>: "
    if isinstance(study, Replay):
        return f"{said}results of a table, {escaped(study.table.origin)}; there are no models of it to look into."
    tasks, grid, holes = ", ".join(task.name for task in study.tasks), study.grid, len(frames.missing(study))
    said += (
        f"tasks {escaped(tasks)}; sparsities {', '.join(f'{100 * s:.0f}' for s in grid.sparsities)} %; "
        f"seed{'s' * (len(grid.seeds) > 1)} {', '.join(map(str, grid.seeds))}; {len(all_cells(study)) - holes} cells."
    )
    return said + (f" It is not finished: {holes} cells are missing." if holes else "")


def _others(name: str) -> str:
    others = [other for other in finished() if other != name]
    if not others:
        return "It is the only finished study here; the next one is opened by its name in <code>study</code>."
    if served():
        return "Others: " + ", ".join(f'<a href="?study={quote(other)}">{escaped(other)}</a>' for other in others) + "."
    return f"To open another one, write its name in <code>study</code> above: {escaped(', '.join(others))}."


def served() -> bool:
    """Whether this kernel was started by Voilà, which shows one notebook and none of the project's files."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


def view(show: Callable) -> Callable:
    """A view of an opened study: nothing where none is, and a sentence in place of what is absent."""

    @wraps(show)
    def shown(opened: Opened | None, *arguments):
        if opened is None:
            return None
        try:
            return show(opened, *arguments)
        except Absent as absent:
            return HTML(paragraph(str(absent)))

    return shown


def follows(show: Callable[..., str], *controls: ipywidgets.Widget) -> ipywidgets.HTML:
    """HTML that is what `show` makes of the controls' values, made anew whenever one of them changes."""
    page = ipywidgets.HTML(layout=ipywidgets.Layout(width="100%"))
    page.add_class(LAB)

    def renew(change=None) -> None:
        try:
            page.value = show(*(control.value for control in controls))
        except Absent as absent:
            page.value = paragraph(str(absent))

    for control in controls:
        control.observe(renew, "value")
    renew()
    return page


def row(*controls: ipywidgets.Widget) -> ipywidgets.Box:
    """Controls side by side, and below each other where the window is narrow."""
    return ipywidgets.Box(controls, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%"))


def labelled(kind: type, *values, description: str, **options) -> ipywidgets.Widget:
    """A control whose description is as wide as its words."""
    layout = {"margin": "2px 18px 2px 0", **options.pop("layout", {})}
    return kind(*values, description=description, style={"description_width": "initial"}, layout=layout, **options)


def escaped(value: object) -> str:
    """Text that stands literally in HTML, and is no formula either."""
    return _no_formula(html.escape(str(value)))


def _no_formula(page: str) -> str:
    """MathJax reads a page's text after it is made, but not across elements; attributes here have none of these."""
    return page.replace("\\", "<span>\\</span>").replace("$", "<span>$</span>")


def paragraph(text: str) -> str:
    return f"<p>{escaped(text)}</p>"


def table(frame: pd.DataFrame, caption: str = "", index: bool = True) -> str:
    """A frame as an HTML table that scrolls on its own where the window is narrow; all of its text is text."""
    made = frame.to_html(border=0, index=index, escape=True, na_rep="", index_names=False)
    made = _no_formula(made)
    title = f'<caption style="text-align: left">{escaped(caption)}</caption>' if caption else ""
    made = made.replace("<table ", '<table style="margin: 0 0 12px 0; white-space: nowrap" ', 1).replace(
        ">", f">{title}", 1
    )
    return f'<div style="overflow-x: auto">{made}</div>'


def percent(sparsity: float) -> str:
    return f"{100 * sparsity:.0f} %"
