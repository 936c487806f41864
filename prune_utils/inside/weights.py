"""Weights of the prunable matrices: moments, histograms, magnitudes of words (paper Table 3, Figs. 7 and 8)."""

import numpy as np
import pandas as pd
from torch import Tensor

from prune_utils.study.grid import Run, gradual_runs
from prune_utils.study.schema import Study

WORDS = 40  # largest number of words in the heat map
RANGE = 4  # histograms span this many standard deviations of the widest matrix on either side


def checkpoint(study: Study, sparsity: float, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The prunable matrices of a gradual run and their masks, both by name."""
    # imported here because transformers takes seconds, and the other functions do not need it
    from prune_utils.pruning.checkpoints import load_checkpoint
    from prune_utils.pruning.matrices import prunable_matrices
    from prune_utils.training.modeling import MaskedEncoder

    folder = Run("gradual", sparsity, seed).checkpoint(study.study)
    model, masks, _ = load_checkpoint(MaskedEncoder, folder, sparsity)
    return {name: p.detach() for name, p in prunable_matrices(model).items()}, masks


def statistics(matrices: dict[str, Tensor], masks: dict[str, Tensor]) -> pd.DataFrame:
    """One row per matrix: matrix, size, pruned_share, mean, std.

    Moments are those of the kept weights; std is the population standard deviation. NaN if no weight is kept.
    """
    rows = []
    for name, weight in matrices.items():
        size, kept = weight.numel(), pd.Series(weight.double()[masks[name]].numpy())
        rows.append([name, size, 1 - kept.size / size, kept.mean(), kept.std(ddof=0)])
    return pd.DataFrame(rows, columns=["matrix", "size", "pruned_share", "mean", "std"])


def weights_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """`statistics` of every gradual run: columns matrix, sparsity, seed, size, pruned_share, mean, std."""
    parts = [
        statistics(*checkpoint(study, run.sparsity, run.seed)).assign(sparsity=run.sparsity, seed=run.seed)
        for run in gradual_runs(study, seeds)
    ]
    columns = ["matrix", "sparsity", "seed", "size", "pruned_share", "mean", "std"]
    return pd.concat(parts, ignore_index=True)[columns]


def histograms(matrices: dict[str, Tensor], bins: int = 80) -> pd.DataFrame:
    """Histograms of the weights: columns matrix, left, right, count.

    All matrices share the bins, which span RANGE standard deviations of the widest matrix on either side of zero. The
    outermost bins include everything beyond, so that every weight is counted.
    """
    edge = RANGE * max(weight.double().std(correction=0).item() for weight in matrices.values())
    edges, parts = np.linspace(-edge, edge, bins + 1), []
    for name, weight in matrices.items():
        counts, _ = np.histogram(weight.double().numpy().clip(-edge, edge), edges)
        parts.append(pd.DataFrame({"matrix": name, "left": edges[:-1], "right": edges[1:], "count": counts}))
    return pd.concat(parts, ignore_index=True)


def word_magnitudes(embeddings: Tensor, tokens: list[str], most: int = WORDS) -> pd.DataFrame:
    """Magnitudes of word embeddings: one row per token, one column per dimension.

    `embeddings`: (vocabulary, width), whose first rows belong to `tokens`. Rows are sorted by mean magnitude, smallest
    first. If there are more than `most` tokens, evenly spaced ranks are taken, including the first and the last.
    """
    magnitude = embeddings[: len(tokens)].abs()
    order = magnitude.mean(1).argsort(stable=True).numpy()
    chosen = order[np.linspace(0, len(order) - 1, min(len(order), most)).astype(int)]
    return pd.DataFrame(magnitude[chosen].numpy(), index=[tokens[i] for i in chosen])
