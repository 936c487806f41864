"""How the explorer's views are shown: controls, pages that follow them, tables, and sentences on what is absent."""

from collections.abc import Callable
from functools import wraps

import ipywidgets
import pandas as pd
from IPython.display import HTML

from prune_utils.explorer.studies import Absent, Opened
from prune_utils.report import escaping
from prune_utils.report.escaping import in_html, no_formula

LAB = "jp-RenderedHTMLCommon"  # JupyterLab's class for text and tables, in the colours of its theme


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
    style, said = {"description_width": "initial"}, escaping.description(description)
    return kind(*values, description=said, style=style, layout=layout, **options)


def with_slider(control: ipywidgets.Widget) -> ipywidgets.Box:
    """A control and a slider that moves with it. A slider alone has no name that a screen reader could say: the
    control has the description, and takes what is typed or chosen."""
    limits = {"options": control.options} if hasattr(control, "options") else {"min": control.min, "max": control.max}
    kind = ipywidgets.FloatSlider if isinstance(control, ipywidgets.BoundedFloatText) else ipywidgets.IntSlider
    kind = ipywidgets.SelectionSlider if "options" in limits else kind
    steps = {"step": control.step} if hasattr(control, "step") else {}
    layout = {"width": "min(18em, 100%)", "margin": "2px 18px 2px 0"}
    slider = kind(value=control.value, readout=False, continuous_update=False, layout=layout, **limits, **steps)
    ipywidgets.link((control, "value"), (slider, "value"))
    return ipywidgets.HBox([control, slider], layout={"flex_flow": "row wrap", "align_items": "center"})


def paragraph(text: str) -> str:
    return f"<p>{in_html(text)}</p>"


def table(frame: pd.DataFrame, caption: str = "", index: bool = True) -> str:
    """A frame as an HTML table that scrolls on its own where the window is narrow; all of its text is text."""
    page = no_formula(frame.to_html(border=0, index=index, escape=True, na_rep="", index_names=False))
    title = f'<caption style="text-align: left; white-space: nowrap">{in_html(caption)}</caption>' if caption else ""
    page = page.replace(">", f' style="margin: 0 0 12px 0">{title}', 1).replace(
        "<td>", '<td style="white-space: nowrap">'
    )
    return f'<div style="overflow-x: auto">{page}</div>'
