"""The report: a study's executed notebooks as one folder of pages that opens from disk."""

import tempfile
from pathlib import Path
from urllib.parse import quote

from prune_utils import paths
from prune_utils.execution import run_notebook
from prune_utils.files import whole_folder
from prune_utils.nodes import nodes
from prune_utils.pages import page
from prune_utils.params import load_study
from prune_utils.schema import Replay, Study
from prune_utils.workflow import check_same, record


def rebuild(params: Path) -> Path:
    """Makes the report of what is finished of a study; returns its first page.

    The analysis is executed anew where a result, the params or the notebook changed after it; nothing is trained.
    Raises ParamsError where nothing of the study is there.
    """
    study = load_study(params)
    folder = paths.results(study.study)
    check_same(study, folder)
    record(study)
    if _is_current(study):
        render(study)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            executed = Path(scratch) / "regimes.ipynb"
            run_notebook(paths.REGIMES_NOTEBOOK, executed, {**study.model_dump(), "extends": "", "compute": False})
            render(study, executed)
    return paths.report(study.study)


def _is_current(study: Study | Replay) -> bool:
    """Whether every node is done and the analysis is younger than all that it reads."""
    folder, every = paths.results(study.study), nodes(study)
    read = [folder / "params.yaml", paths.REGIMES_NOTEBOOK, *(folder / path for path in every[-1].after)]
    last = folder / every[-1].notebook
    return all(path.exists() for path in [*read, last]) and last.stat().st_mtime >= max(p.stat().st_mtime for p in read)


def render(study: Study | Replay, analysis: Path | None = None) -> None:
    """Writes reports/<study>/: the regimes notebook (or `analysis`, an execution of it) as index.html, and a page for
    every other executed notebook. The folder is replaced in one move."""
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


def _links(there: list) -> str:
    if not there:
        return ""
    pages = [(node.name, quote(node.notebook.with_suffix(".html").as_posix())) for node in there]
    return "## The notebooks behind it\n\n" + "\n".join(f"- [{name}]({place})" for name, place in pages)


def _write(place: Path, made: tuple[str, dict[str, str]]) -> None:
    text, files = made
    for name, content in {place.name: text, **files}.items():
        path = place.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
