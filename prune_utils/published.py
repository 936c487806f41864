"""What the paper published, measured as any study is."""

from functools import cache

import pandas as pd

from prune_utils import paths
from prune_utils.evidence import Evidence, evidence_of
from prune_utils.params import load_study


@cache
def the_paper() -> Evidence:
    """The evidence of the paper's own tables."""
    return evidence_of(load_study(paths.PARAMS / "published.yaml"))


def beside(cells: pd.DataFrame) -> pd.DataFrame:
    """Ours beside theirs: dev accuracies (percent) of a study and of the paper, where task, arm and sparsity meet.

    Columns arm, target_sparsity, task, ours, theirs, difference, and noise: the standard deviation of the paper's
    own 0 % rows of that task. Empty where no task is the same.
    """
    theirs = the_paper().cells
    noise = theirs[theirs.arm == "dense"].groupby("task").dev_accuracy.std() * 100
    keys = ["arm", "target_sparsity", "task"]
    ours, theirs = (
        frame[frame.selected].groupby(keys).dev_accuracy.mean().mul(100).rename(name)
        for frame, name in ((cells, "ours"), (theirs, "theirs"))
    )
    both = pd.concat([ours, theirs], axis=1, join="inner").reset_index()
    return both.assign(difference=both.ours - both.theirs, noise=both.task.map(noise))
