"""Convert an executed notebook to a page that opens from disk: no scripts or external resources, light and dark."""

import html
import re
from pathlib import Path

import nbformat
import nh3
from latex2mathml.converter import convert
from nbconvert import HTMLExporter

from prune_utils.report.style import GREY, INK, PAPER, REGIME_SHADES

HERE = Path(__file__).parent
# tags used by Markdown, frames and highlighted code; other tags of an output are removed, but their text is kept
TAGS = {"a", "abbr", "b", "blockquote", "code", "em", "i", "li", "ol", "strong", "ul", "del", "sub", "sup"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "caption", "p", "br", "hr", "pre", "div", "span", "small"}
TAGS |= {f"h{level}" for level in range(1, 7)}
SPANS = {"style", "colspan", "rowspan"}
ATTRIBUTES = {"*": {"class", "id"}, "a": {"href"}, "th": SPANS, "td": SPANS}
# colours that follow the theme of a page; a figure's own file keeps its colours
THEMED = {INK: "ink", GREY: "grey", PAPER: "paper"}
THEMED |= {shade: f"regime-{name}" for name, shade in REGIME_SHADES.items()}
# tags of cells that a page omits: parameters repeat the params file, and some text is for readers of the notebook
OMITTED = {"parameters", "injected-parameters", "notebook-only"}
PROGRESS = "<progress"  # a progress bar
READABLE = 0.6  # smallest scale at which a figure is readable


def page(notebook: Path, title: str, trail: list[tuple[str, str]] = (), appendix: str = "") -> tuple[str, dict]:
    """The HTML of a page, and the files beside it, {name: text}: each figure as SVG and its data as CSV.

    `trail`: (label, link) of the pages above; `appendix`: Markdown appended to the page.
    """
    content = nbformat.read(notebook, as_version=4)
    content.cells = [cell for cell in content.cells if not OMITTED & set(cell.metadata.get("tags", []))]
    heading = ""
    for cell in content.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.splitlines()[0].lstrip("# ")
        cell.metadata["under"] = heading  # names tables for screen readers
        cell.get("outputs", [])[:] = [o for o in cell.get("outputs", []) if PROGRESS not in str(o.get("data"))]
    if appendix:
        content.cells.append(nbformat.v4.new_markdown_cell(appendix))
    files = _files(content, f"{notebook.stem}.files")
    exporter = HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(HERE)],
        filters={"harmless": harmless, "formulas": formulas, "themed": themed},
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    return exporter.from_notebook_node(content, {"page": {"title": title, "trail": trail}})[0], files


def _files(content: nbformat.NotebookNode, folder: str) -> dict[str, str]:
    """The files of a notebook's figures below `folder`; their places are noted in the metadata of the outputs."""
    files = {}
    for output in (o for cell in content.cells for o in cell.get("outputs", []) if "figure" in o.get("metadata", {})):
        figure = output.metadata["figure"]
        names = {kind: f"{folder}/{figure['name']}.{kind.lower()}" for kind in ("SVG", "CSV")}
        figure["files"] = [*names.items()]
        files |= {names["SVG"]: output.data["image/svg+xml"], names["CSV"]: output.data["text/csv"]}
    return files


def harmless(text: str) -> str:
    """Remove active content from HTML: scripts, event handlers, styles other than alignment, unknown tags."""
    # the content of <style> goes as well: pandas writes one before each frame
    return nh3.clean(text, TAGS, {"style"}, ATTRIBUTES, link_rel=None, filter_style_properties={"text-align"})


def formulas(text: str) -> str:
    """Convert the formulas in the HTML of a notebook's own text to MathML, which needs no script; code stays as it is."""
    parts = re.split(r"(<(?:code|pre)\b.*?</(?:code|pre)>)", text, flags=re.DOTALL)
    parts[::2] = [re.sub(r"\$\$([^$<]+)\$\$|\$([^$<]+)\$", _mathml, part) for part in parts[::2]]
    return "".join(parts)


def _mathml(found: re.Match) -> str:
    display = "block" if found[1] else "inline"
    return convert(html.unescape(found[1] or found[2]), display=display)


def themed(svg: str, name: str) -> str:
    """Prepare an SVG for a page: theme colours for ink, paper and bands, unique ids."""
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub("<[^>]*>", lambda tag: _themed(tag[0], name, used), svg)  # texts are not changed
    # natural width if there is room, smaller on a phone, but readable
    wide = float(re.search(r'width="([\d.]+)pt"', svg)[1])
    size = f'style="width: {wide:g}pt; min-width: {READABLE * wide:g}pt; max-width: 100%; height: auto"'
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', size, svg, count=1)


def _themed(tag: str, name: str, used: set[str]) -> str:
    tag = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", tag)
    return re.sub(rf"(fill|stroke): ({'|'.join(THEMED)})", lambda m: f"{m[1]}: var(--{THEMED[m[2]]}, {m[2]})", tag)
