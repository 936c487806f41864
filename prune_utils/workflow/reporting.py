"""The report: a study's executed notebooks as one folder of pages that opens from disk."""

import tempfile
from pathlib import Path
from urllib.parse import quote

import nbformat
import pandas as pd

from prune_utils.analysis import comparison
from prune_utils.analysis.results import missing, pretraining_frame
from prune_utils.report.captions import gathered
from prune_utils.report.escaping import markdown
from prune_utils.report.pages import page
from prune_utils.study import paths, record
from prune_utils.study.files import alone, whole_folder
from prune_utils.study.grid import all_cells
from prune_utils.study.params import load_study, read_yaml, validated
from prune_utils.study.record import check_same
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.workflow.execution import run_notebook
from prune_utils.workflow.nodes import nodes, outgrown


def rebuild(params: Path) -> Path:
    """Makes the report of what is finished of a study; returns its first page.

    The analysis is executed anew where a result, the params or the notebook changed after it; nothing is trained.
    Raises ParamsError where nothing of the study is there.
    """
    study = load_study(params)
    folder = paths.results(study.study)
    if not isinstance(study, Replay) and not any(folder.rglob(paths.RESULT)):
        raise ParamsError(f"nothing of study '{study.study}' is finished; run: make study PARAMS={params}")
    check_same(study, folder)
    try:
        with alone(folder, wait=False):
            record(study)
    except BlockingIOError:
        study = validated(read_yaml(folder / "params.yaml"))  # it is being run, and reported as it is run
    if _is_current(study):
        render(study)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            render(study, _analysis(study, Path(scratch) / "regimes.ipynb"))
    return paths.report(study.study)


def _analysis(study: Study | Replay, notebook: Path) -> Path:
    """The regimes notebook executed on what is there; before any cell is finished, a list of what is missing."""
    if isinstance(study, Replay) or len(missing(study)) < len(all_cells(study)):
        run_notebook(paths.REGIMES_NOTEBOOK, notebook, {**study.model_dump(), "extends": "", "compute": False})
    else:
        text = f"# Three regimes of pruning\n\n{gathered(study, pd.DataFrame(), pretraining_frame(study))}"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]), notebook)
    return notebook


def _is_current(study: Study | Replay) -> bool:
    """Whether every node is done and the analysis is younger than all that it reads."""
    folder, every = paths.results(study.study), nodes(study)
    read = [folder / "params.yaml", paths.REGIMES_NOTEBOOK, *(folder / path for path in every[-1].after)]
    last = folder / every[-1].notebook
    there = all(path.exists() for path in [*read, last]) and not (isinstance(study, Study) and outgrown(study))
    return there and last.stat().st_mtime >= max(p.stat().st_mtime for p in read)


def render(study: Study | Replay, analysis: Path | None = None) -> None:
    """Writes reports/<study>/: the regimes notebook (or `analysis`, an execution of it) as index.html, and a page for
    every other executed notebook. The old folder is replaced once the new one is whole."""
    results, *others, last = paths.results(study.study), *nodes(study)
    there = [node for node in others if (results / node.notebook).exists()]
    with whole_folder(paths.report(study.study).parent) as folder:
        for node in there:
            place = node.notebook.with_suffix(".html")
            up = "../" * (len(place.parts) - 1) + "index.html"
            _write(folder / place, page(results / node.notebook, node.name, [(study.study, up)]))
        _write(
            folder / "index.html",
            page(analysis or results / last.notebook, f"{study.study}: regimes of pruning", [], _links(there)),
        )


def compare(names: list[str]) -> Path:
    """Makes a page of studies side by side; returns it. Raises ParamsError for a study without an analysis."""
    names = list(dict.fromkeys(names))
    if len(names) < 2:
        raise ParamsError(f"studies are {names}; allowed are two or more, each of another name")
    comparison.check(names)
    place = paths.report("+".join(names))  # no study can have such a name
    with tempfile.TemporaryDirectory() as scratch, whole_folder(place.parent) as folder:
        executed = Path(scratch) / "comparison.ipynb"
        run_notebook(paths.COMPARISON_NOTEBOOK, executed, {"studies": names})
        reports = [
            f"- [{markdown(name)}](<../{quote(name)}/index.html>)" for name in names if paths.report(name).exists()
        ]
        links = "## Their reports\n\n" + "\n".join(reports) if reports else ""
        _write(folder / "index.html", page(executed, " and ".join(names), [], links))
    return place


def _links(there: list) -> str:
    if not there:
        return ""
    pages = [(node.name, quote(node.notebook.with_suffix(".html").as_posix())) for node in there]
    return "## The notebooks behind it\n\n" + "\n".join(f"- [{markdown(name)}](<{place}>)" for name, place in pages)


def _write(place: Path, made: tuple[str, dict[str, str]]) -> None:
    text, files = made
    for name, content in {place.name: text, **files}.items():
        path = place.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
