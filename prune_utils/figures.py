"""A figure as it is shown: a drawing, words for who cannot see it, and the numbers behind it."""

import base64
import html
import io

import pandas as pd
from matplotlib.figure import Figure

from prune_utils.style import OUTPUT


class Shown:
    """A figure for a notebook's cell: SVG, PNG (for notebooks that are not trusted), its alternative text, and the
    frame behind it as CSV. `name` is that of its files in the report."""

    def __init__(self, figure: Figure, name: str, alt: str, data: pd.DataFrame):
        self.figure, self.name, self.alt, self.data = figure, name, alt, data

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        bundle = {
            "image/svg+xml": svg(self.figure),
            "image/png": base64.b64encode(_saved(self.figure, "png")).decode(),
            "text/csv": self.data.to_csv(index=not isinstance(self.data.index, pd.RangeIndex)),
            "text/plain": self.alt,
        }
        return bundle, {"figure": {"name": self.name, "alt": self.alt}}


def show(figure: Figure, name: str, alt: str, data: pd.DataFrame) -> Shown:
    """What a cell ends with that shows a figure: see Shown."""
    return Shown(figure, name, alt, data)


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same for the same figure."""
    return _saved(figure, "svg").decode()


def image(figure: Figure, alt: str) -> str:
    """The figure as an HTML image with its alternative text, for a widget: no string of it can act on the page."""
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{base64.b64encode(_saved(figure, "svg")).decode()}">'


def _saved(figure: Figure, kind: str) -> bytes:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    with plt.rc_context(OUTPUT):
        figure.savefig(buffer, format=kind, **({"metadata": {"Date": None}} if kind == "svg" else {}))
    return buffer.getvalue()
