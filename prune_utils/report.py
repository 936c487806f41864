"""The report: a study's executed notebooks as pages that open from disk."""

from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config

from prune_utils import paths
from prune_utils.files import write_whole
from prune_utils.nodes import nodes
from prune_utils.params import read_yaml, validated


def render(params: Path) -> None:
    """Writes reports/<study>/index.html from the regimes notebook, and a page for every other executed notebook."""
    study = validated(read_yaml(params))
    folder, results = paths.report(study.study).parent, paths.results(study.study)
    pages = []
    for node in nodes(study)[:-1]:
        if (results / node.notebook).exists():
            page = Path(*node.notebook.parts).with_suffix(".html")
            write_whole(folder / page, _page(results / node.notebook, node.name, code=True))
            pages.append((node.name, page))
    links = "\n".join(f"- [{name}]({page.as_posix()})" for name, page in pages)
    last = nodes(study)[-1]
    write_whole(
        paths.report(study.study),
        _page(
            results / last.notebook,
            f"Three regimes of pruning: {study.study}",
            code=False,
            appendix=f"## The notebooks behind it\n\n{links}",
        ),
    )


def _page(notebook: Path, title: str, code: bool, appendix: str = "") -> str:
    """One notebook as a self-contained page; without `code`, only text, figures and tables."""
    content = nbformat.read(notebook, as_version=4)
    content.metadata["title"] = title
    # what papermill injected repeats the params file, and progress bars are of no use on paper
    content.cells = [
        c for c in content.cells if not {"parameters", "injected-parameters"} & set(c.metadata.get("tags", []))
    ]
    for cell in content.cells:
        cell.get("outputs", [])[:] = [o for o in cell.get("outputs", []) if not _is_noise(o)]
    if appendix:
        content.cells.append(nbformat.v4.new_markdown_cell(appendix))
    # a page must open without a network: no scripts from elsewhere
    settings = Config(
        {
            "HTMLExporter": {
                "exclude_input": not code,
                "exclude_input_prompt": True,
                "exclude_output_prompt": True,
                "mathjax_url": "",
                "require_js_url": "",
                "jquery_url": "",
                "mermaid_js_url": "",
                "embed_images": True,
            }
        }
    )
    return HTMLExporter(config=settings, template_name="lab").from_notebook_node(content)[0]


def _is_noise(output) -> bool:
    return (
        output.output_type == "stream"
        and output.name == "stderr"
        or ("application/vnd.jupyter.widget-view+json" in output.get("data", {}))
    )
