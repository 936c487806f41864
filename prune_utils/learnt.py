"""Whether a task was learnt at all: before that, its accuracies say nothing of pruning."""

import numpy as np
import pandas as pd
from scipy import stats

from prune_utils.estimates import RISK


def unlearnt(cells: pd.DataFrame) -> list[str]:
    """The tasks on which the dense model, mean over seeds, does not beat the majority class of the dev set by more
    than its examples' chance (a one-sided test of a share). Empty where a table does not tell the majority."""
    if "dev_majority" not in cells:
        return []
    dense = cells[cells.selected & (cells.arm == "dense")]
    means = dense.groupby("task")[["dev_accuracy", "dev_majority", "dev_examples"]].mean()
    chance = np.sqrt(means.dev_majority * (1 - means.dev_majority) / means.dev_examples)
    beaten = means.dev_accuracy > means.dev_majority + stats.norm.ppf(1 - RISK) * chance
    return sorted(means.index[~beaten])
