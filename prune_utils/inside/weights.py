"""What the weights of every prunable matrix look like: moments, histograms, magnitudes of words (paper Table 3,
Figs. 7 and 8)."""

import numpy as np
import pandas as pd
from torch import Tensor

from prune_utils.study.grid import Run
from prune_utils.study.schema import Study

WORDS = 40  # in the heat map at most
RANGE = 4  # standard deviations of the widest matrix that a histogram spans on either side


def checkpoint(study: Study, sparsity: float, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The prunable matrices of a gradual run and their masks, both by name."""
    # here and not above: the names and histograms of this file need no transformers, nor the seconds it takes
    from prune_utils.pruning.checkpoints import load_checkpoint
    from prune_utils.pruning.matrices import prunable_matrices
    from prune_utils.training.modeling import MaskedBert

    folder = Run("gradual", sparsity, seed).checkpoint(study.study)
    model, masks, _ = load_checkpoint(MaskedBert, folder, sparsity)
    return {name: p.detach() for name, p in prunable_matrices(model).items()}, masks


def statistics(matrices: dict[str, Tensor], masks: dict[str, Tensor]) -> pd.DataFrame:
    """Columns matrix, size, pruned_share, mean, std, a row a matrix: moments of the kept weights alone, since a
    pruned weight is no part of the model; std is the population's. NaN where nothing is kept."""
    rows = []
    for name, weight in matrices.items():
        mask = masks[name]
        kept = pd.Series(weight.double()[mask].numpy())
        rows.append(
            {
                "matrix": name,
                "size": mask.numel(),
                "pruned_share": 1 - kept.size / mask.numel(),
                "mean": kept.mean(),
                "std": kept.std(ddof=0),
            }
        )
    return pd.DataFrame(rows)


def weights_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """`statistics` of every gradual run: columns matrix, sparsity, seed, size, pruned_share, mean, std."""
    parts = [
        statistics(*checkpoint(study, sparsity, seed)).assign(sparsity=sparsity, seed=seed)
        for seed in seeds
        for sparsity in study.grid.sparsities
    ]
    columns = ["matrix", "sparsity", "seed", "size", "pruned_share", "mean", "std"]
    return pd.concat(parts, ignore_index=True)[columns]


def histograms(matrices: dict[str, Tensor], bins: int = 80) -> pd.DataFrame:
    """Columns matrix, left, right, count: how many weights lie between `left` and `right`.

    All matrices share their bins, RANGE standard deviations of the widest one to either side of zero; the
    outermost bins hold what lies beyond too, so that every weight is counted.
    """
    edge = RANGE * max(weight.double().std(correction=0).item() for weight in matrices.values())
    edges, parts = np.linspace(-edge, edge, bins + 1), []
    for name, weight in matrices.items():
        counts, _ = np.histogram(weight.double().numpy().clip(-edge, edge), edges)
        parts.append(pd.DataFrame({"matrix": name, "left": edges[:-1], "right": edges[1:], "count": counts}))
    return pd.concat(parts, ignore_index=True)


def word_magnitudes(embeddings: Tensor, tokens: list[str], most: int = WORDS) -> pd.DataFrame:
    """|w| of some words: a row a token, a column a dimension of the embedding, in the model's order.

    `embeddings`: (vocabulary, width), of which the first rows are those of `tokens`. Rows are sorted by their mean
    magnitude, the smallest first; of more than `most` tokens, those at evenly spaced ranks are taken, the first
    and the last among them.
    """
    magnitude = embeddings[: len(tokens)].abs()
    order = magnitude.mean(1).argsort(stable=True).numpy()
    chosen = order[np.linspace(0, len(order) - 1, min(len(order), most)).astype(int)]
    return pd.DataFrame(magnitude[chosen].numpy(), index=[tokens[i] for i in chosen])
