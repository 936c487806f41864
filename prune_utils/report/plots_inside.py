"""Figures of the encoder: features, attention heads, weights."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from prune_utils.pruning.families import KINDS, kind_and_layer
from prune_utils.report.captions import numbered
from prune_utils.report.style import GREY, INK, PERCENT, STYLE, Drawn, legend_right, lines, panel, panels, plain, shades
from prune_utils.study.words import percent

SEQUENTIAL = sns.light_palette(STYLE["gradual"][0], as_cmap=True)  # zero, the value of a pruned weight, has no colour


def similarity(frame: pd.DataFrame) -> Drawn:
    """Mean cosine with the 0 % run by sparsity (paper Fig. 2, right).

    Thin lines are layers; thick lines are means over layers (without the embeddings), dashed for other methods than
    gradual pruning, which start from the same run.
    """
    figure, axes = panel(width=7.4)
    gradual = frame[frame.method == "gradual"]
    layers = gradual.pivot_table(index="sparsity", columns="layer", values="cosine")
    for layer, colour in zip(layers, shades(layers.shape[1]), strict=True):
        name = f"layer {layer}" if layer else "embeddings"
        axes.plot(100 * layers.index, layers[layer], color=colour, linewidth=1, label=name)
    for method in (name for name in STYLE if name in set(frame.method)):
        line = "-" if method == "gradual" else "--"
        points = pd.concat([gradual[gradual.sparsity == 0], frame[frame.method == method]])
        each = points[points.layer > 0].groupby(["seed", "sparsity"]).cosine.mean()
        colour, _, label = STYLE[method]
        means = each.groupby("sparsity").mean()
        axes.plot(100 * means.index, means, line, color=colour, linewidth=2.2, label=f"{label}, mean")
        axes.scatter(100 * each.index.get_level_values("sparsity"), each, color=colour, s=14, zorder=3, linewidths=0)
    axes.set(xlabel=PERCENT, ylabel="mean cosine with the 0 % run")
    legend_right(axes)
    means = frame[frame.layer > 0].groupby(["sparsity", "method"]).cosine.mean().unstack()
    text = (
        f"*{numbered(frame).capitalize()}, one dot each. Thin: layers of the gradually pruned models. Thick: means over "
        "layers, without the embeddings.*"
    )
    alt = lines("Mean cosine with the features of the 0 % run", means, "{:.2f}")
    return Drawn(figure, "similarity", alt, frame, text)


def head_spread(frame: pd.DataFrame, one_shot: pd.DataFrame) -> Drawn:
    """Pruned share of the attention heads by sparsity, and the same minus the overall sparsity (paper Fig. 5).

    The band reaches from the least to the most pruned head over all layers and seeds; dashed: the overall sparsity.
    `one_shot`: the same frame of the 0 % run cut in one shot, whose ends are dotted.
    """
    figure, (left, right) = panels(1, 2, width=10.4, height=4)
    shares, cut = 100 * spread(frame), 100 * spread(one_shot)
    at, (colour, marker, _), other = 100 * shares.index, STYLE["gradual"], STYLE["one_shot"][0]
    for axes, minus in ((left, 0), (right, at)):
        part, ends = shares.sub(minus, axis=0), cut.sub(minus, axis=0)
        axes.fill_between(at, part["min"], part["max"], color=colour, alpha=0.25, linewidth=0, label="min to max")
        axes.plot(at, part["mean"], color=colour, marker=marker, label="mean over heads")
        axes.plot(100 * cut.index, ends["min"], ":", color=other, label="0 % run cut in one shot: min, max")
        axes.plot(100 * cut.index, ends["max"], ":", color=other)
        overall = {"linestyle": "--", "linewidth": 1.2, "label": "overall sparsity", "zorder": 1}
        axes.axline((0, 0), slope=int(axes is left), color=INK, **overall)
        axes.set(xlabel=PERCENT)
    left.set(ylabel="pruned share of a head (%)")
    right.set(ylabel="difference from overall sparsity (points)")
    left.legend()
    both = shares.join(cut.add_prefix("one shot "))
    text = (
        f"*Band: least to most pruned head over all layers of the gradually pruned models; dotted: of the 0 % run, cut "
        f"in one shot; {numbered(frame)}.*"
    )
    return Drawn(figure, "heads", lines("Pruned share of the attention heads, percent", both), both, text)


def head_map(frame: pd.DataFrame, sparsity: float) -> Drawn:
    """Pruned share of every head at one sparsity, layer by head, mean over the seeds in `frame`."""
    shares = 100 * frame[frame.sparsity == sparsity].pivot_table(index="layer", columns="head", values="pruned_share")
    rows, columns = shares.shape
    figure, axes = panel(width=2.4 + 0.6 * columns, height=1.4 + 0.42 * rows)
    # the colours span at least ten points, so that small differences look small
    reach = max(5, (shares - 100 * sparsity).abs().max(axis=None))
    image = axes.imshow(shares, aspect="auto", cmap="vlag", vmin=100 * sparsity - reach, vmax=100 * sparsity + reach)
    for row, column in np.ndindex(rows, columns):
        axes.text(column, row, f"{shares.iat[row, column]:.1f}", ha="center", va="center", fontsize=8, color="black")
    axes.set_xticks(range(columns), shares.columns)
    axes.set_yticks(range(rows), shares.index)
    axes.set(xlabel="head", ylabel="layer", title=f"{100 * sparsity:.0f} % sparsity")
    figure.colorbar(image, ax=axes, label="pruned share (%)")
    ends = f"{percent(sparsity)}: {shares.min(axis=None):.1f} to {shares.max(axis=None):.1f} %"
    alt = f"Pruned share of each attention head at {ends}"
    text = f"*{numbered(frame).capitalize()}. White: the overall sparsity.*"
    return Drawn(figure, "head_map", alt, frame[frame.sparsity == sparsity], text)


def weight_histograms(frame: pd.DataFrame) -> Drawn:
    """Densities of the weights, one panel per kind of matrix, one line per layer (paper Fig. 7)."""
    found = {kind_and_layer(name)[0] for name in frame.matrix.unique()}
    figure, grid = panels(2, -(-len(found) // 2), width=11, height=5, sharex=True)
    by_kind = dict(zip((kind for kind in KINDS if kind in found), grid, strict=False))
    for spare in grid[len(found) :]:
        spare.set_axis_off()
    layers = sorted({layer for _, layer in map(kind_and_layer, frame.matrix.unique()) if layer})
    colours = dict(zip([None, *layers], [STYLE["gradual"][0], *shades(len(layers))], strict=True))
    for name, part in frame.groupby("matrix", sort=False):
        kind, layer = kind_and_layer(name)
        density = part["count"] / part["count"].sum() / (part.right - part.left)
        by_kind[kind].plot((part.left + part.right) / 2, density, color=colours[layer], linewidth=1.2)
    for kind, axes in by_kind.items():
        axes.set(title=kind, ylim=(0, None))
    figure.supxlabel("weight", fontsize=12)
    figure.supylabel("density (per unit of weight)", fontsize=12)
    handles = [plt.Line2D([], [], color=colours[layer], label=f"layer {layer}") for layer in layers]
    figure.legend(handles=handles, loc="outside right center")
    count = frame.matrix.nunique()
    alt = f"Densities of the weights of {count} matrices of the 0 % run, each with one peak around zero"
    text = "*One seed, 0 % run. The outermost bins include everything beyond.*"
    return Drawn(figure, "histograms", alt, frame, text)


def mean_and_std(frame: pd.DataFrame, of: str | None = None) -> Drawn:
    """Mean and standard deviation of every matrix of the unpruned model, means over seeds (paper Table 3).

    Matrices are named as they are shown, see `families.label`; `of`: which model it is, by default the 0 % run.
    """
    data = frame[frame.sparsity == 0]
    dense = data.groupby("matrix", sort=False)[["mean", "std"]].mean()
    figure, axes = panel(width=6.4, height=0.9 + 0.19 * len(dense))
    axes.errorbar(dense["mean"], range(len(dense)), xerr=dense["std"], fmt="o", color=STYLE["gradual"][0], markersize=4)
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(dense)), dense.index, fontsize=8)
    axes.set(xlabel="weight: mean ± standard deviation", ylim=(len(dense) - 0.5, -0.5))
    alt = f"Mean weight of each matrix, standard deviations {data['std'].min():.3f} to {data['std'].max():.3f}"
    text = f"*{of or f'0 % run, means over {numbered(data)}'}. Bars: one standard deviation of the weights on either side.*"
    return Drawn(figure, "moments", alt, data, text)


def word_map(magnitudes: pd.DataFrame, top: float | None = None) -> Drawn:
    """Magnitudes of word embeddings, one row per word, one column per dimension (paper Fig. 8).

    `top` is the magnitude of the last colour; the default is the 99th percentile.
    """
    figure, axes = panel(width=8, height=1.2 + 0.15 * len(magnitudes))
    # otherwise a few outlying dimensions leave all others in one colour
    top = np.percentile(magnitudes, 99) if top is None else top
    image = axes.imshow(magnitudes, aspect="auto", interpolation="nearest", cmap=SEQUENTIAL, vmin=0, vmax=top or 1)
    axes.set_yticks(range(len(magnitudes)), map(plain, magnitudes.index), fontsize=7, parse_math=False)
    axes.set(xlabel="dimension of the embedding", ylabel="word, by mean magnitude")
    figure.colorbar(image, ax=axes, label="magnitude of the weight", extend="max", pad=0.01)
    ends = f"from the smallest mean ({magnitudes.index[0]}) to the largest ({magnitudes.index[-1]})"
    alt = f"Magnitudes of {len(magnitudes)} word embeddings, {ends}"
    text = "*One seed, 0 % run. Colours end at the 99th percentile of the magnitudes.*"
    return Drawn(figure, "words", alt, magnitudes.rename_axis("token"), text)


def subwords(by_length: pd.DataFrame, by_dimension: pd.DataFrame) -> Drawn:
    """Pruned share of the word embeddings by length of the subword, and of their dimensions in order (cf. paper Fig. 8).

    One line per sparsity, means over seeds. Right: dashed, a tenth of the pruned share; a dimension below it has lost
    almost nothing.
    """
    figure, (left, right) = panels(1, 2, width=10.4, height=4)
    means = 100 * by_length.pivot_table(index="length", columns="sparsity", values="pruned_share")
    places = by_dimension.groupby(["seed", "sparsity"]).pruned_share.rank("first").to_numpy()
    placed = by_dimension.assign(place=places)
    ordered = 100 * placed.pivot_table(index="place", columns="sparsity", values="pruned_share")
    for sparsity, colour in zip(means, shades(means.shape[1]), strict=True):
        left.plot(means.index, means[sparsity], color=colour, marker="o", markersize=4)
        right.plot(ordered.index, ordered[sparsity], color=colour, label=percent(sparsity))
        right.axhline(ordered[sparsity].mean() / 10, color=colour, linestyle="--", linewidth=0.8)
    left.set(xlabel="length of the subword (characters)", ylabel="pruned share of its embedding (%)", ylim=(0, None))
    right.set(xlabel="dimensions, least pruned first", ylabel="pruned share of the dimension (%)", ylim=(0, None))
    legend_right(right)
    alt = lines("Pruned share of embeddings by length of the subword, percent", means.rename(columns=percent))
    text = f"*Means over {numbered(by_length)}. Dashed: a tenth of the share pruned in all.*"
    return Drawn(figure, "subwords", alt, by_length, text)


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean, min and max of the pruned shares over all heads and seeds, by sparsity."""
    return frame.groupby("sparsity").pruned_share.agg(["mean", "min", "max"])
