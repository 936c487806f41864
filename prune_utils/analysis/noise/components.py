"""Fine-tuning and pre-training as sources of the noise over seeds, where models were fine-tuned several times."""

import pandas as pd

from prune_utils.analysis.noise.measured import apart
from prune_utils.analysis.noise.seeds import Units, units


def components(cells: pd.DataFrame, value: str = "dev_accuracy") -> pd.DataFrame:
    """What a fine-tuning and what a pre-training contribute to the noise, if models were fine-tuned several times.

    Columns fine_tuning and pre_training: standard deviations of one mean over tasks, by sparsity, of the arms
    whose variance is pooled. A fine-tuning varies about the mean of those of its pre-trained model, once the effects of its
    training seed and of the condition are removed; the rest of the spread over seeds is that of pre-training.
    """
    cells = cells[~cells.arm.isin(apart(cells))]
    of_seed = [units(own.assign(seed=own.repeat), value) for _, own in cells.groupby("seed")]
    inner = _by_sparsity(of_seed)
    outer = _by_sparsity([units(cells, value)])
    tuning = inner.reindex(outer.index)
    rest = (outer - tuning / cells.repeat.nunique()).clip(lower=0)
    return pd.DataFrame({"fine_tuning": tuning**0.5, "pre_training": rest**0.5})


def _by_sparsity(every: list[Units]) -> pd.Series:
    """Variance of one row of a table by sparsity, pooled over tables, effects of row and condition removed."""
    sums, freedom = [], []
    for found in every:
        table = found.values
        rest = (table - table.mean()).sub((table - table.mean()).mean(axis=1), axis=0)
        left = (len(table) - 1) * (1 - 1 / table.shape[1])
        sums.append((rest**2).sum().groupby(level=1).sum())
        freedom.append(left * table.T.groupby(level=1).size())
    return pd.concat(sums, axis=1).sum(axis=1) / pd.concat(freedom, axis=1).sum(axis=1)
