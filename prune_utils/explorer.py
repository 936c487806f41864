"""What the explorer opens: a finished study; and how its views show what is there and say what is not."""

import html
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from urllib.parse import parse_qs, quote

import ipywidgets
import pandas as pd
import yaml
from IPython.display import HTML

from prune_utils import frames, paths
from prune_utils.evidence import Evidence, evidence_of
from prune_utils.notebook import quiet
from prune_utils.params import read_yaml, validated
from prune_utils.schema import Replay, Study
from prune_utils.section import ParamsError

ANALYSED = "regimes.json"  # what a study's analysis writes last
NOTHING = (
    "There is no finished study yet: run <code>make demo</code> (minutes), or any other with "
    "<code>make study PARAMS=params/x.yaml</code>, and open this again."
)
LAB = "jp-RenderedHTMLCommon"  # JupyterLab's class for text and tables, in the colours of its theme


class Absent(Exception):
    """What a view would show is not there; its text is the sentence that is shown in its place."""


@dataclass(frozen=True)
class Opened:
    """A study with its evidence, read once; of any of its tasks alone it is made once."""

    study: Study | Replay
    evidence: Evidence

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other) -> bool:
        return self is other

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
    wanted = study or parse_qs(os.environ.get("QUERY_STRING", "")).get("study", there)[:1]
    if not wanted:
        return None
    name = study or wanted[0]
    if name not in there and not (paths.results(name) / "params.yaml").is_file():
        raise ParamsError(f"study is {name!r}; allowed, for they have results: {', '.join(there) or 'none yet'}")
    content = validated(read_yaml(paths.results(name) / "params.yaml"))
    return Opened(content, evidence_of(content))


def opening(opened: Opened | None) -> HTML:
    """A sentence on the study that is open, and how to open another; where there is none, what to run."""
    if opened is None:
        return HTML(f"<p>{NOTHING}</p>")
    cells, runs = opened.evidence.cells, opened.evidence.runs
    sparsities = ", ".join(f"{100 * s:.0f}" for s in sorted(cells.target_sparsity.unique()))
    seeds = cells[cells.arm != "dense"].seed.nunique()
    said = (
        f"Study <b>{escaped(opened.study.study)}</b>: {escaped(', '.join(opened.tasks))}; sparsities {sparsities} %; "
        f"{seeds} seed{'s' * (seeds != 1)}; {len(cells)} fine-tuned cells and {len(runs)} pre-trained models."
    )
    if isinstance(opened.study, Study) and (holes := len(frames.missing(opened.study))):
        said += f" It is not finished: {holes} cells are missing."
    return HTML(f"<p>{said} {_others(opened.study.study)}</p>")


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


def escaped(value: object) -> str:
    return html.escape(str(value))


def paragraph(text: str) -> str:
    return f"<p>{escaped(text)}</p>"


def table(frame: pd.DataFrame, caption: str = "", index: bool = True) -> str:
    """A frame as an HTML table that scrolls on its own where the window is narrow; all of its text is text."""
    made = frame.to_html(border=0, index=index, escape=True, na_rep="", index_names=False)
    if caption:
        made = made.replace(">", f"><caption>{escaped(caption)}</caption>", 1)
    return f'<div style="overflow-x: auto">{made}</div>'


def percent(sparsity: float) -> str:
    return f"{100 * sparsity:.0f} %"
