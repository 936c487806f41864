"""One style for all figures, and how a figure is shown. Each arm keeps its colour and marker everywhere."""

import base64
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from prune_utils.analysis.regimes import Regimes
from prune_utils.study.sections.arms import SHIPPED

# looks of arms and of methods that share none with an arm
STYLE = {"gradual": ("#0072B2", "o", "magnitude, gradual")} | {
    name: tuple(row.look) for name, row in SHIPPED.rows.items() if row.look
}
# looks of further arms, in their order of appearance: Tol's muted colours but for the green of `layers`, and markers that few arms have
FURTHER = ("#332288", "#882255", "#999933", "#CC6677", "#44AA99", "#AA4499", "#88CCEE", "#DDCC77")
FURTHER_MARKERS, NEXT = ">*pH8", count()
INK, GREY, PAPER = "#333333", "#888888", "#ffffff"
BOUNDS = {"dense": (INK, "--", "dense"), "scratch": (GREY, ":", "from scratch")}
REGIME_SHADES = {"low": "#eef6ee", "medium": "#fdf6e3", "high": "#fbeaea"}
PERCENT = "sparsity of the prunable matrices (%)"
MARKERS = "os^XDvP"  # markers of tasks, with the colours of seaborn's "colorblind" palette
# settings for saving: text stays text, and equal figures give equal files
OUTPUT = {"svg.fonttype": "none", "svg.hashsalt": "prune_utils", "text.parse_math": False}
DRAWN = {
    **OUTPUT,
    "figure.dpi": 120,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    **dict.fromkeys(["axes.titlesize", "axes.labelsize"], 12),  # 7 points when scaled to a journal column of 3.3 inches
    **dict.fromkeys(["xtick.labelsize", "ytick.labelsize"], 11),
    **dict.fromkeys(["legend.fontsize", "legend.title_fontsize"], 10),
    "legend.frameon": False,
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK),
}


@cache
def look(name: str) -> tuple[str, str, str]:
    """Colour, marker and label of an arm or a method; an unknown name is its own label and keeps the look it once got."""
    if name in BOUNDS:
        return BOUNDS[name][0], "D", BOUNDS[name][2]
    if name in STYLE:
        return STYLE[name]
    at = next(NEXT)
    return FURTHER[at % len(FURTHER)], FURTHER_MARKERS[at % len(FURTHER_MARKERS)], name


def in_order(names: Iterable[str]) -> list[str]:
    """The different arms or methods in the order in which they are shown: those known here, then others by name."""
    order = [*BOUNDS, *STYLE]
    every = sorted(set(names), key=lambda name: (order.index(name) if name in order else len(order), name))
    for name in every:
        look(name)  # others get their looks in this order
    return every


def panels(rows: int, columns: int, width: float, height: float, **sharing) -> tuple[Figure, list[plt.Axes]]:
    """A figure with several axes, listed row by row; sizes in inches."""
    sns.set_theme(context="notebook", style="ticks", rc=DRAWN)
    figure, grid = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **sharing)
    sns.despine(figure)
    plt.close(figure)  # otherwise a figure is shown twice
    return figure, list(grid.flat)


def panel(width: float = 5.6, height: float = 3.8) -> tuple[Figure, plt.Axes]:
    """A figure with one axes."""
    figure, axes = panels(1, 1, width, height)
    return figure, axes[0]


def shades(count: int) -> list:
    """Colours of an ordered series, from light to dark; visible on white and on black."""
    middle = sns.color_palette("crest", as_cmap=True)(np.linspace(0.05, 0.75, count))
    return list(middle) if count > 1 else [STYLE["gradual"][0]]


@dataclass(frozen=True)
class Drawn:
    """A figure with its file name, alternative text, data and caption in Markdown."""

    figure: Figure
    name: str
    alt: str
    data: pd.DataFrame
    caption: str = ""


def show(drawn: Drawn) -> None:
    """Display a figure in a notebook: SVG, PNG (for notebooks that are not trusted), data as CSV, alternative text.

    The caption follows below.
    """
    bundle = {
        "image/svg+xml": svg(drawn.figure),
        "image/png": base64.b64encode(_saved(drawn.figure, "png")).decode(),
        "text/csv": drawn.data.to_csv(index=not isinstance(drawn.data.index, pd.RangeIndex)),
        "text/plain": drawn.alt,
    }
    display(bundle, raw=True, metadata={"figure": {"name": drawn.name, "alt": drawn.alt}})
    if drawn.caption:
        display(Markdown(drawn.caption))


def lines(what: str, table: pd.DataFrame, form: str = "{:.1f}") -> str:
    """Alternative text of a line chart: the first and the last value of each column."""
    said = []
    for name, column in table.items():
        known = column.dropna()
        if len(known):
            ends = list(dict.fromkeys([known.index[0], known.index[-1]]))
            said.append(f"{name}: " + ", ".join(f"{form.format(known[at])} at {at:g}" for at in ends))
    return f"{what}, by {table.index.name}. {'; '.join(said)}." if said else f"{what}."


def svg(figure: Figure) -> str:
    """The figure as SVG text; equal figures give equal text."""
    return _saved(figure, "svg").decode()


def image(drawn: Drawn) -> str:
    """A figure as an HTML image with its alternative text, for a widget. Its strings cannot inject markup or scripts."""
    picture = base64.b64encode(_saved(drawn.figure, "svg")).decode()
    return f'<img alt="{html.escape(drawn.alt)}" src="data:image/svg+xml;base64,{picture}">'


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    with plt.rc_context(OUTPUT):
        figure.savefig(buffer, format=kind, **({"metadata": {"Date": None}} if kind == "svg" else {}))
    return buffer.getvalue()


def legend_right(axes: plt.Axes, **options) -> None:
    """A legend on the right of the axes."""
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), **options)


def plain(word: str) -> str:
    """A word in ASCII with escapes, since no font covers all languages."""
    return word.encode("ascii", "backslashreplace").decode()


def dots(axes: plt.Axes, at: pd.Series, values: pd.Series, seeds: pd.Series, colour) -> None:
    """One dot per seed, if there are several."""
    if seeds.nunique() > 1:
        axes.scatter(at, values, color=colour, s=10, alpha=0.5, linewidths=0)


def mean_lines(axes: plt.Axes, points: pd.DataFrame, by: str, value: str, scale: float = 1) -> None:
    """One line per group through the means over seeds, one dot per seed, each group beside the others (see `shifts`).

    An unpruned point at 0 % is drawn once for all groups, unless a column `shared` says that a group has one of its own.
    """
    beside, at_zero = shifts(points[by]), points.target_sparsity == 0
    shared = points[at_zero & points.shared] if "shared" in points else points[at_zero]
    for name in in_order(points[by]):
        (colour, marker, label), group = look(name), points[points[by] == name]
        mean, own = group.groupby("target_sparsity")[value].mean(), group.drop(shared.index, errors="ignore")
        beyond = mean.index.isin(own.target_sparsity)
        at, marked = 100 * mean.index + beside[name] * beyond, list(np.flatnonzero(beyond))
        axes.plot(at, scale * mean, color=colour, marker=marker, label=label, markersize=6, markevery=marked)
        own = own[own.whole] if "whole" in own else own  # what was filled in is no measurement
        dots(axes, 100 * own.target_sparsity + beside[name], scale * own[value], own.seed, colour)
    if len(shared := shared.drop_duplicates("seed")):
        axes.plot(0, scale * shared[value].mean(), "D", color=INK, markersize=5)
        dots(axes, 0 * shared.target_sparsity, scale * shared[value], shared.seed, INK)


def shifts(names: Iterable[str]) -> dict[str, float]:
    """Points of sparsity by which each arm or method is drawn beside its own, so that bars and dots can be distinguished."""
    drawn = in_order(name for name in set(names) if name not in BOUNDS)
    step = min(0.8, 5 / max(1, len(drawn)))
    return {name: step * (place - (len(drawn) - 1) / 2) for place, name in enumerate(drawn)}


def shade(axes: plt.Axes, regimes: Regimes, sparsities: list[float]) -> None:
    """Shade the regimes; borders are drawn half-way between two measured sparsities."""
    at = 100 * np.array(sparsities)
    edges = [*at[:1], *(at[1:] + at[:-1]) / 2, *at[-1:]]
    bands = pd.DataFrame({"name": map(regimes.of, sparsities), "left": edges[:-1], "right": edges[1:]})
    bands = bands.groupby("name").agg({"left": "min", "right": "max"})
    for name, left, right in bands.reindex(REGIME_SHADES).dropna().itertuples():
        axes.axvspan(left, right, color=REGIME_SHADES[name], zorder=0, linewidth=0)
        above = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        axes.text((left + right) / 2, 1.01, name, fontsize=10, color=INK, **above)
