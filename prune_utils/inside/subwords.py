"""Pruned share of the word embeddings by length of the subword and by dimension (paper footnote 7 and Fig. 8)."""

import re

import numpy as np
import pandas as pd
from scipy import stats
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from prune_utils.analysis.findings.inside import SPARED_LIMIT
from prune_utils.analysis.noise.estimates import LEVEL
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.families import words_of
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study.grid import gradual_runs
from prune_utils.study.schema import Study

MARK = re.compile(r"^(##|Ġ|▁)(?=.)")  # not characters of a subword: how tokenizers mark its place in a word
UNUSED = re.compile(r"\[?unused_?\d+\]?")  # rows of BERT's vocabulary that stand for nothing


def lengths(tokenizer: PreTrainedTokenizerBase) -> pd.Series:
    """Characters of each subword, indexed by token id, without special and unused tokens. A mark such as ## does not
    count."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_ids)
    ordinary = {i: t for i, t in enumerate(tokens) if i not in special and not UNUSED.fullmatch(t)}
    return pd.Series({i: len(MARK.sub("", token)) for i, token in ordinary.items()}, dtype=int)


def by_length(mask: Tensor, characters: pd.Series) -> pd.DataFrame:
    """Mean pruned share of embeddings by length of the subword: columns length, tokens, pruned_share.

    `mask`: (vocabulary, width), 1 keeps; `characters`: see `lengths`.
    """
    shares = _of_rows(mask, characters).groupby(characters)
    return shares.agg(["size", "mean"]).set_axis(["tokens", "pruned_share"], axis=1).rename_axis("length").reset_index()


def by_dimension(mask: Tensor, characters: pd.Series) -> pd.DataFrame:
    """Pruned share of each dimension over the rows of `characters`: columns dimension (from 1), pruned_share."""
    shares = (~mask[characters.index.tolist()]).double().mean(0).numpy()
    return pd.DataFrame({"dimension": np.arange(1, len(shares) + 1), "pruned_share": shares})


def summary(mask: Tensor, characters: pd.Series) -> dict[str, float]:
    """What a mask of the word embeddings takes from short subwords, and what it leaves of dimensions.

    `correlation`: Spearman's, of the pruned share of a row and the length of its subword, over `tokens` rows; `low` and
    `high` are its 95 % interval over tokens (Fisher's z with the error of Bonett and Wright 2000). `least`: the smallest
    share pruned of one of the `dimensions`; `spared`: how many lose less than SPARED_LIMIT percent of `pruned_share`, the share of all.
    NaN where lengths or shares are all equal.
    """
    rows, dimensions = _of_rows(mask, characters), by_dimension(mask, characters).pruned_share
    constant = rows.nunique() < 2 or characters.nunique() < 2
    correlation = np.nan if constant else float(stats.spearmanr(rows, characters).statistic)
    low, high = _interval(correlation, len(rows))
    return {
        "tokens": len(rows),
        "correlation": correlation,
        "low": low,
        "high": high,
        "dimensions": len(dimensions),
        "pruned_share": float(dimensions.mean()),
        "least": float(dimensions.min()),
        "spared": int((100 * dimensions < SPARED_LIMIT * dimensions.mean()).sum()),
    }


def frames(study: Study, seeds: list[int]) -> dict[str, pd.DataFrame]:
    """`subwords` (see `by_length`), `dimensions` (see `by_dimension`) and `embeddings` (see `summary`) of every gradual run
    above 0 %, each with columns seed and sparsity."""
    characters, parts = lengths(tokenizer_of(study)), {"subwords": [], "dimensions": [], "embeddings": []}
    for run in gradual_runs(study, seeds):
        if run.sparsity == 0:
            continue
        masks = load_masks(run.checkpoint(study.study) / MASKS)
        mask = masks[words_of(masks)]
        known = characters[characters.index < len(mask)]
        found = by_length(mask, known), by_dimension(mask, known), pd.DataFrame([summary(mask, known)])
        for rows, frame in zip(parts.values(), found, strict=True):
            frame.insert(0, "seed", run.seed)
            frame.insert(1, "sparsity", run.sparsity)
            rows.append(frame)
    return {name: pd.concat(rows, ignore_index=True) for name, rows in parts.items()}


def _of_rows(mask: Tensor, characters: pd.Series) -> pd.Series:
    """Pruned share of the rows of `characters`."""
    return pd.Series((~mask[characters.index.tolist()]).double().mean(1).numpy(), characters.index)


def _interval(correlation: float, count: int) -> tuple[float, float]:
    if count < 4:
        return np.nan, np.nan
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt((1 + correlation**2 / 2) / (count - 3))
    with np.errstate(divide="ignore"):  # a correlation of 1 has an infinite z, and is its own interval
        return tuple(float(np.tanh(np.arctanh(correlation) + side * half)) for side in (-1, 1))
