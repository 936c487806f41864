"""One style for all figures: arms keep their colour and marker everywhere."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
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
