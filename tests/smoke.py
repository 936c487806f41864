"""The frames of the smoke study, for tests to look at."""

import shutil

import pandas as pd
from hostile import NAME

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


def assert_equal_part(ours, theirs):
    """The rows of `ours`, a study of one task of smoke, equal those of smoke to the last digit."""
    by = [name for name in ("arm", "method", "target_sparsity", "epochs") if name in ours]
    ours, theirs = (
        frame.drop(columns=[*TIMES, "task", "selected"], errors="ignore").set_index(by) for frame in (ours, theirs)
    )
    pd.testing.assert_frame_equal(ours.sort_index(), theirs.loc[ours.index].sort_index(), check_exact=True)


def begin_with(theirs, ours):
    """Copies the dense run of a study and its random run at 60 %, with their notebooks and frames."""
    shutil.copytree(theirs / "pretrain/dense", ours / "pretrain/dense")
    theirs, ours = theirs / "pretrain/random", ours / "pretrain/random"
    shutil.copytree(theirs / "sparsity-60", ours / "sparsity-60")
    (ours / "seed-0").mkdir()
    shutil.copy2(theirs / "seed-0/sparsity-60-to-90.ipynb", ours / "seed-0/sparsity-60.ipynb")
    heading, *rows = (theirs / "seed-0/sparsity-60-to-90.csv").read_text().splitlines(keepends=True)
    (row,) = (row for row in rows if row.startswith("random,0.6,"))
    (ours / "seed-0/sparsity-60.csv").write_text(heading + row)


def compare_with_smoke(out, finished, cells):
    ours = cells_of(out, "small")
    assert len(ours) == cells and set(ours.task) == {NAME}
    assert_equal_part(ours, one_rate(finished).reset_index())
    runs = [pd.read_csv(folder / "pretraining.csv") for folder in (out / "results/small", finished / "results/smoke")]
    assert_equal_part(*runs)
    first = [prunability_of(out, "fine_tune_first", NAME, "small"), prunability_of(finished, "fine_tune_first")]
    assert_equal_part(*first)
