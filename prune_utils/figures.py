"""A figure as it is shown: a drawing, words for who cannot see it, and the numbers behind it."""

import base64
import html
import io

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from prune_utils.style import OUTPUT


def show(figure: Figure, name: str, alt: str, data: pd.DataFrame, caption: str = "") -> None:
    """Displays a figure in a notebook: SVG, PNG (for notebooks that are not trusted), its alternative text, the frame
    behind it as CSV, and under it a caption in Markdown. `name` is that of its files in the report."""
    bundle = {
        "image/svg+xml": svg(figure),
        "image/png": base64.b64encode(_saved(figure, "png")).decode(),
        "text/csv": data.to_csv(index=not isinstance(data.index, pd.RangeIndex)),
        "text/plain": alt,
    }
    display(bundle, raw=True, metadata={"figure": {"name": name, "alt": alt}})
    if caption:
        display(Markdown(caption))


def lines(what: str, table: pd.DataFrame, form: str = "{:.1f}") -> str:
    """Alternative text of a chart of lines, from its numbers: where each column begins and where it ends."""
    said = []
    for name, column in table.items():
        known = column.dropna()
        if len(known):
            ends = list(dict.fromkeys([known.index[0], known.index[-1]]))
            said.append(f"{name}: " + ", ".join(f"{form.format(known[at])} at {at:g}" for at in ends))
    return f"{what}, by {table.index.name}. {'; '.join(said)}." if said else f"{what}."


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same for the same figure."""
    return _saved(figure, "svg").decode()


def image(figure: Figure, alt: str) -> str:
    """The figure as an HTML image with its alternative text, for a widget: no string of it can act on the page."""
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{base64.b64encode(_saved(figure, "svg")).decode()}">'


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    with plt.rc_context(OUTPUT):
        figure.savefig(buffer, format=kind, **({"metadata": {"Date": None}} if kind == "svg" else {}))
    return buffer.getvalue()
