"""One executed notebook as a page that opens from disk: no script, nothing from elsewhere, light and dark."""

import re
from pathlib import Path

import bleach
import nbformat
from bleach.css_sanitizer import CSSSanitizer
from nbconvert import HTMLExporter

from prune_utils.report.style import GREY, INK, PAPER, REGIME_SHADES

HERE = Path(__file__).parent
# what Markdown and frames are made of; whatever else a notebook's output holds is shown as text
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
TAGS = bleach.ALLOWED_TAGS | TABLES | {f"h{n}" for n in range(1, 7)} | {"p", "br", "hr", "pre", "div", "span", "small"}
ATTRIBUTES = {"*": ["class", "id"], "a": ["href"], "th": ["style", "colspan", "rowspan"], "td": ["style", "colspan"]}
# colours that the page chooses for its reader's theme; a file of its own keeps those it was drawn in
THEMED = {
    INK: "ink",
    GREY: "grey",
    PAPER: "paper",
    **{shade: f"regime-{name}" for name, shade in REGIME_SHADES.items()},
}
PROGRESS = "<progress"  # a bar of transformers, of no use once it is full
READABLE = 0.6  # of the size that a figure was drawn at


def page(notebook: Path, title: str, trail: list[tuple[str, str]] = (), appendix: str = "") -> tuple[str, dict]:
    """A page and the files that stand beside it, {name: text}: each figure as SVG, its numbers as CSV.

    `trail`: (label, link) of the pages above it; `appendix`: Markdown put at its end.
    """
    content = nbformat.read(notebook, as_version=4)
    # what papermill injected repeats the params file
    content.cells = [
        c for c in content.cells if not {"parameters", "injected-parameters"} & set(c.metadata.get("tags", []))
    ]
    heading = ""
    for cell in content.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.splitlines()[0].lstrip("# ")
        cell.metadata["under"] = heading  # by which those who cannot see it know a table from another
        cell.get("outputs", [])[:] = [o for o in cell.get("outputs", []) if PROGRESS not in str(o.get("data"))]
    if appendix:
        content.cells.append(nbformat.v4.new_markdown_cell(appendix))
    files = _files(content, f"{notebook.stem}.files")
    exporter = HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(HERE)],
        filters={"harmless": harmless, "themed": themed},
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    return exporter.from_notebook_node(content, {"page": {"title": title, "trail": trail}})[0], files


def _files(content: nbformat.NotebookNode, folder: str) -> dict[str, str]:
    """The files of a notebook's figures, under `folder`; where each lies is noted in its output's metadata."""
    files = {}
    outputs = [o for c in content.cells for o in c.get("outputs", []) if "figure" in o.get("metadata", {})]
    for output in outputs:
        figure = output.metadata["figure"]
        figure["files"] = []
        for kind, mime in (("SVG", "image/svg+xml"), ("CSV", "text/csv")):
            name = f"{folder}/{figure['name']}.{kind.lower()}"
            figure["files"].append([kind, name])
            files[name] = output.data[mime]
    return files


def harmless(text: str) -> str:
    """HTML with nothing in it that acts: tags and attributes that the page does not need become text."""
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)  # pandas puts one before each frame
    return bleach.clean(text, TAGS, ATTRIBUTES, css_sanitizer=CSSSanitizer(allowed_css_properties=["text-align"]))


def themed(svg: str, name: str) -> str:
    """A drawing to stand in a page: ink, paper and bands in the page's colours, ids of its own."""
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub("<[^>]*>", lambda tag: _themed(tag[0], name, used), svg)  # its texts stay what they are
    # as wide as it was drawn where there is room; on a phone small, but no smaller than can be read
    wide = float(re.search(r'width="([\d.]+)pt"', svg)[1])
    size = f'style="width: {wide:g}pt; min-width: {READABLE * wide:g}pt; max-width: 100%; height: auto"'
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', size, svg, count=1)


def _themed(tag: str, name: str, used: set[str]) -> str:
    tag = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", tag)
    return re.sub(rf"(fill|stroke): ({'|'.join(THEMED)})", lambda m: f"{m[1]}: var(--{THEMED[m[2]]}, {m[2]})", tag)
