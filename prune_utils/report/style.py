"""One style for all figures: arms keep their colour and marker everywhere."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.figure import Figure

# Okabe & Ito's colours, told apart with any colour vision; their yellow is too pale on white, so heads are brown
STYLE = {
    "pretrain": ("#0072B2", "o", "pruned in pre-training"),
    "gradual": ("#0072B2", "o", "magnitude, gradual"),
    "information_deletion": ("#D55E00", "s", "information deletion"),
    "downstream": ("#009E73", "^", "pruned after fine-tuning"),
    "random": ("#CC79A7", "X", "random masks"),
    "one_shot": ("#56B4E9", "D", "magnitude, one shot"),
    "global": ("#E69F00", "v", "magnitude, global"),
    "heads": ("#8C6D31", "P", "whole heads (share of heads)"),
}
INK, GREY, PAPER = "#333333", "#888888", "#ffffff"
BOUNDS = {"dense": (INK, "--", "dense"), "scratch": (GREY, ":", "from scratch")}
REGIME_SHADES = {"low": "#eef6ee", "medium": "#fdf6e3", "high": "#fbeaea"}
PERCENT = "sparsity of the prunable matrices (%)"
MARKERS = "os^XDvP"  # of tasks, with the colours of seaborn's "colorblind"
# what is read when a figure is saved: letters stay letters, and the same figure gives the same file
OUTPUT = {"svg.fonttype": "none", "svg.hashsalt": "prune_utils", "text.parse_math": False}
DRAWN = {
    **OUTPUT,
    "figure.dpi": 120,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    **dict.fromkeys(["axes.titlesize", "axes.labelsize"], 12),  # at a journal's column of 3.3 inches, 7 points
    **dict.fromkeys(["xtick.labelsize", "ytick.labelsize"], 11),
    **dict.fromkeys(["legend.fontsize", "legend.title_fontsize"], 10),
    "legend.frameon": False,
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK),
}


def panels(rows: int, columns: int, width: float, height: float, **sharing) -> tuple[Figure, list[plt.Axes]]:
    """A figure of several axes, row by row; sizes in inches."""
    sns.set_theme(context="notebook", style="ticks", rc=DRAWN)
    figure, grid = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **sharing)
    sns.despine(figure)
    plt.close(figure)  # a figure returned from a cell is shown once, not twice
    return figure, list(grid.flat)


def panel(width: float = 5.6, height: float = 3.8) -> tuple[Figure, plt.Axes]:
    """A figure of one."""
    figure, axes = panels(1, 1, width, height)
    return figure, axes[0]


def shades(count: int) -> list:
    """Colours of things in an order, from light to dark; neither end is lost on white or on black."""
    middle = sns.color_palette("crest", as_cmap=True)(np.linspace(0.05, 0.75, count))
    return list(middle) if count > 1 else [STYLE["gradual"][0]]


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
