"""Studies whose borders are known, with noise like the paper's: what the analysis is checked against."""

import numpy as np
import pandas as pd

SPARSITIES = [round(0.1 * step, 1) for step in range(1, 10)]
MARGIN = 0.5  # points
# the standard deviation of each task's four 0 % rows in the paper's Table 1, in points
NOISE = {"MNLI": 0.29, "QQP": 0.06, "QNLI": 0.51, "SST-2": 0.15, "CoLA": 0.90}
ARMS = ("pretrain", "information_deletion", "downstream", "random")


def cells(seeds: int, fall: np.ndarray, gain: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """A study of `seeds` seeds; of one, a table like the paper's, in which each arm has a 0 % row of its own."""
    rows = []
    for seed in range(seeds):
        for task, noise in NOISE.items():
            shift = random.normal(0, noise)  # the seed's own
            means = [("dense", 0.0, 0.0)] if seeds > 1 else []
            means += [("pretrain", s, -f) for s, f in zip(SPARSITIES, fall, strict=True)]
            means += [("information_deletion", s, g - f) for s, f, g in zip(SPARSITIES, fall, gain, strict=True)]
            rows += [(arm, s, task, seed, 85 + shift + mean + random.normal(0, noise)) for arm, s, mean in means]
            if seeds == 1:
                rows += [("dense", 0.0, task, run, 85 + shift + random.normal(0, noise)) for run in range(len(ARMS))]
    frame = pd.DataFrame(rows, columns=["arm", "target_sparsity", "task", "seed", "dev_accuracy"])
    return frame.assign(dev_accuracy=frame.dev_accuracy / 100, selected=True, pretrain_loss=float("nan"))
