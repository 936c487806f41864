"""The frames of the smoke study, for tests to look at."""

import pandas as pd

TIMES = ["seconds", "finished"]  # differ between two runs of the same study


def cells_of(out, study="smoke"):
    return pd.read_csv(out / f"results/{study}/cells.csv")


def one_rate(out):
    """The cells of smoke's sentiment task at its first learning rate, by arm and sparsity."""
    cells = cells_of(out)
    return cells[(cells.task == "sentiment") & (cells.learning_rate == 1e-3)].set_index(["arm", "target_sparsity"])


def prunability_of(out, name, task="sentiment", study="smoke"):
    frame = pd.read_csv(out / f"results/{study}/prunability/seed-0/{name}.csv")
    return frame[frame.task == task].reset_index(drop=True)
