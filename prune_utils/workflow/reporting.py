"""The report: the executed notebooks of a study as a folder of pages that open from disk."""

import tempfile
from pathlib import Path
from urllib.parse import quote

import nbformat
import pandas as pd

from prune_utils.analysis import comparison, kept
from prune_utils.analysis.results import missing, pretraining_frame
from prune_utils.data.inputs import identified
from prune_utils.report.captions import gathered
from prune_utils.report.escaping import markdown
from prune_utils.report.pages import page
from prune_utils.study import paths
from prune_utils.study.files import alone, whole_folder
from prune_utils.study.grid import all_cells
from prune_utils.study.params import load_study
from prune_utils.study.record import check_same, record
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow.execution import run_notebook
from prune_utils.workflow.graph import analyses, nodes, outgrown


def rebuild(params: Path) -> Path:
    """Build the report from all finished results; return the path of its first page.

    The analysis is rerun if a result, the params or a notebook of the analysis changed; nothing is trained. Raises
    ParamsError if nothing of the study is finished.
    """
    study = identified(load_study(params))
    folder = paths.results(study.study)
    if study.tasks and not any(folder.rglob(paths.RESULT)):
        raise ParamsError(f"nothing of study '{study.study}' is finished; run: make study PARAMS={params}")
    check_same(study, folder)
    try:
        with alone(folder, wait=False):
            record(study)
    except BlockingIOError:
        study = load_study(folder / paths.RECORDED)  # it is running, with the params that are recorded
    if _is_current(study):
        render(study)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            render(study, _analysis(study, Path(scratch)))
    return paths.report(study.study)


def _analysis(study: Study | Replay, scratch: Path) -> dict[Path, Path]:
    """Execute the analysis on the finished results; return {notebook of the node: executed notebook}.

    Before any cell is finished, the first page lists what is missing.
    """
    if len(all_cells(study)) > len(missing(study)) or not study.tasks:
        parameters = {"params": str(paths.results(study.study) / paths.RECORDED), "compute": False}
        for node in analyses(study):
            run_notebook(node.template, scratch / node.notebook, parameters)
        return {node.notebook: scratch / node.notebook for node in analyses(study)}
    text = f"# Three regimes of pruning\n\n{gathered(study, pd.DataFrame(), pretraining_frame(study))}"
    first = scratch / "regimes.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]), first)
    return {analyses(study)[0].notebook: first}


def _is_current(study: Study | Replay) -> bool:
    """Whether every node is done and each of the two of the analysis is newer than everything it reads."""
    folder, every = paths.results(study.study), nodes(study)
    if outgrown(study) or not all(node.path.exists() for node in every):
        return False
    for node in analyses(study):
        read = [folder / paths.RECORDED, node.template, *(folder / path for path in node.after)]
        made = node.path.stat().st_mtime
        if not all(path.exists() and path.stat().st_mtime <= made for path in read):
            return False
    return True


def publish(params: Path) -> None:
    """Write the pages of a finished study, given by its recorded params."""
    render(load_study(params))


def render(study: Study | Replay, executed: dict[Path, Path] | None = None) -> None:
    """Write reports/<study>/: the regimes notebook as index.html and one page per other executed notebook.

    `executed` holds executions to use in place of those in the results. The old folder is replaced when the new one
    is complete.
    """
    first, place = analyses(study)[0], {node.notebook: node.path for node in nodes(study)} | (executed or {})
    there = [node for node in nodes(study) if node != first and place[node.notebook].exists()]
    with whole_folder(paths.report(study.study).parent) as folder:
        for node in there:
            target = node.notebook.with_suffix(".html")
            up = "../" * (len(target.parts) - 1) + "index.html"
            _write(folder / target, page(place[node.notebook], node.name, [(study.study, up)]))
        links = {node.name: quote(node.notebook.with_suffix(".html").as_posix()) for node in there}
        title, behind = f"{study.study}: regimes of pruning", _links("The notebooks behind it", links)
        _write(folder / "index.html", page(place[first.notebook], title, [], behind))


def keep(params: Path) -> None:
    """Keep the small frames of a finished study with the project, see `analysis.kept`."""
    print(paths.shown(kept.keep(load_study(params))))


def export(params: Path, arm: str, sparsity: float, seed: int, task: str | None) -> None:
    """Write a model of a finished study for use elsewhere, see `export.folder.export`."""
    from prune_utils.export import folder  # imported here because it takes seconds

    print(paths.shown(folder.export(load_study(params), arm, sparsity, seed, task)))


def compare(names: list[str]) -> Path:
    """Build a page that compares studies; return its path. Raises ParamsError for a study without an analysis."""
    names = list(dict.fromkeys(names))
    if len(names) < 2:
        raise ParamsError(f"studies are {names}; allowed are two or more different ones")
    comparison.check(names)
    place = paths.report("+".join(names))  # "+" cannot occur in the name of a study
    reports = {name: f"../{quote(name)}/index.html" for name in names if paths.report(name).exists()}
    with tempfile.TemporaryDirectory() as scratch, whole_folder(place.parent) as folder:
        executed = Path(scratch) / "comparison.ipynb"
        run_notebook(paths.COMPARISON_NOTEBOOK, executed, {"studies": names})
        made = page(executed, " and ".join(names), [], _links("Their reports", reports))
        _write(folder / "index.html", made)
    return place


def _links(title: str, targets: dict[str, str]) -> str:
    """A section of links in Markdown, {text: target}; empty if there is none."""
    links = [f"- [{markdown(text)}](<{target}>)" for text, target in targets.items()]
    return "\n".join([f"## {title}\n", *links]) if links else ""


def _write(place: Path, made: tuple[str, dict[str, str]]) -> None:
    text, files = made
    for name, content in {place.name: text, **files}.items():
        path = place.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
