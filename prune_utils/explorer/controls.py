"""Building blocks of the views: controls, HTML that follows them, tables, and messages on missing data."""

from collections.abc import Callable
from functools import wraps

import ipywidgets
import pandas as pd
from IPython.display import HTML

from prune_utils.explorer.studies import Absent, Opened
from prune_utils.report.escaping import in_html, no_formula

LAB = "jp-RenderedHTMLCommon"  # JupyterLab's class for text and tables in the colours of its theme
SLIDERS = {
    ipywidgets.Dropdown: ipywidgets.SelectionSlider,
    ipywidgets.BoundedIntText: ipywidgets.IntSlider,
    ipywidgets.BoundedFloatText: ipywidgets.FloatSlider,
}
MARGIN = "2px 18px 2px 0"


def view(show: Callable) -> Callable:
    """Decorate a view: it shows nothing without a study, and a message if its data are missing."""

    @wraps(show)
    def shown(opened: Opened | None):
        if opened is None:
            return None
        try:
            return show(opened)
        except Absent as absent:
            return HTML(paragraph(absent))

    return shown


def follows(show: Callable[..., str], *controls: ipywidgets.Widget) -> ipywidgets.HTML:
    """HTML made by `show` from the values of controls, updated whenever one of them changes."""
    page = ipywidgets.HTML(layout={"width": "100%"})
    page.add_class(LAB)

    def renew(change=None) -> None:
        try:
            page.value = show(*(control.value for control in controls))
        except Absent as absent:
            page.value = paragraph(absent)

    for control in controls:
        control.observe(renew, "value")
    renew()
    return page


def row(*controls: ipywidgets.Widget) -> ipywidgets.Box:
    """Controls side by side, wrapped in a narrow window."""
    return ipywidgets.Box(controls, layout={"flex_flow": "row wrap", "align_items": "center", "width": "100%"})


def labelled(kind: type, description: str, width: str | None = None, **options) -> ipywidgets.Widget:
    """A control with a description of its natural width."""
    layout = {"margin": MARGIN, "width": width}
    return kind(description=description, style={"description_width": "initial"}, layout=layout, **options)


def with_slider(control: ipywidgets.Widget) -> ipywidgets.Box:
    """A control with a linked slider. The control carries the description, since a slider has no name for screen readers."""
    same = {
        name: getattr(control, name) for name in ("value", "options", "min", "max", "step") if hasattr(control, name)
    }
    layout = {"width": "min(18em, 100%)", "margin": MARGIN}
    slider = SLIDERS[type(control)](readout=False, continuous_update=False, layout=layout, **same)
    ipywidgets.link((control, "value"), (slider, "value"))
    return ipywidgets.HBox([control, slider], layout={"flex_flow": "row wrap", "align_items": "center"})


def paragraph(text: object) -> str:
    return f"<p>{in_html(text)}</p>"


def table(frame: pd.DataFrame, caption: str = "", index: bool = True) -> str:
    """A frame as an HTML table that scrolls in a narrow window; all its strings are escaped."""
    page = no_formula(frame.to_html(border=0, index=index, escape=True, na_rep="", index_names=False))
    title = f'<caption style="text-align: left; white-space: nowrap">{in_html(caption)}</caption>' if caption else ""
    page = page.replace(">", f' style="margin: 0 0 12px 0">{title}', 1)
    page = page.replace("<td>", '<td style="white-space: nowrap">')
    return f'<div style="overflow-x: auto">{page}</div>'
