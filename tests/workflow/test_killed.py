"""A study that is stopped and killed goes on to the frames of an undisturbed one."""

import shutil
import signal
import subprocess
import time

import pandas as pd
import psutil
import pytest
import yaml
from commands import command, would_run
from hostile import NAME
from smoke import TIMES, cells_of, one_rate, prunability_of

from prune_utils.analysis.results import collect
from prune_utils.data.inputs import identified
from prune_utils.study import paths
from prune_utils.study.files import held
from prune_utils.study.grid import all_cells, all_runs
from prune_utils.study.params import load_study
from prune_utils.study.record import record
from prune_utils.training.finetuning import finetune
from prune_utils.training.pretraining import pretrain
from prune_utils.workflow.nodes import nodes


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the study did not come this far"
        time.sleep(0.005)


def started(out, params, condition):
    """The front process of a study that was started, once `condition` holds."""
    words, environment = command(out, "study", params)
    process = subprocess.Popen(
        words,
        env=environment,
        cwd=paths.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: condition() or process.poll() is not None)
    assert process.poll() is None, "the study ended before it could be killed"
    return process


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


@pytest.mark.slow(100)
def test_stopped_and_killed_in_the_middle_it_goes_on_to_the_same_frames_and_grows(
    finished, small, tmp_path, monkeypatch
):
    results = tmp_path / "results/small"
    begin_with(finished / "results/smoke", results)  # to save time; the gradual runs and all cells are trained here
    # in the middle of pre-training: a checkpoint of the ramp is there, the run's result is not
    gradual = results / "pretrain/gradual/sparsity-60/seed-0"
    process = started(tmp_path, small, lambda: any(gradual.glob("trainer-all/checkpoint-5/whole.json")))
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:  # as when the machine is switched off
        one.send_signal(signal.SIGKILL)
    process.wait()
    assert not (gradual / "result.json").exists()
    dense = (results / "pretrain/dense/seed-0/dense.ipynb").stat().st_mtime_ns
    # in the middle of fine-tuning: some cells are finished, others are not
    tuned, cell = results / "finetune" / NAME / "seed-0", "*/*/*/result.json"
    process = started(tmp_path, small, lambda: any(tuned.glob(cell)))
    every = psutil.Process(process.pid).children(recursive=True)
    process.terminate()  # to the front process alone, as `kill` does
    assert process.wait(30) == 130 and process.stderr.read().strip() == "stopped; run the same command to resume"
    wait_for(lambda: not held(results) and not any(one.is_running() for one in every), 10)
    kept = {path: path.stat().st_mtime_ns for path in tuned.glob(cell)}
    # the cells are so small that the others may end before the signal reaches their notebook
    assert 1 <= len(kept) <= 7 and not (results / "cells.csv").exists()

    frames = [tuned / "sparsity-00-to-60.csv", results / "prunability/seed-0/fine_tune_first.csv"]
    process = started(tmp_path, small, lambda: all(frame.exists() for frame in frames))
    process.terminate()  # while the analyses run
    assert process.wait(30) == 130
    assert (results / "pretrain/dense/seed-0/dense.ipynb").stat().st_mtime_ns == dense
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    monkeypatch.setattr(paths, "OUT", tmp_path)
    collect(load_study(small))
    compare_with_smoke(tmp_path, finished, cells=7)

    # the grid grows: the graph makes all but the dense run again, and finished trainings are read, not repeated
    content = yaml.safe_load(small.read_text()) | {"grid": {"sparsities": [0.0, 0.6, 0.9]}}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content))
    grown = identified(load_study(tmp_path / "small.yaml"))
    record(grown, [])
    planned = would_run(grown)
    assert len(planned - {"all", "report"}) == len(nodes(grown)) - 1 and not any("dense" in rule for rule in planned)
    old = {path: path.stat().st_mtime_ns for path in results.rglob("result.json")}
    for one in all_runs(grown):
        pretrain(grown, one)
    for one in all_cells(grown):
        finetune(grown, one)
    collect(grown)
    assert {path: path.stat().st_mtime_ns for path in old} == old
    compare_with_smoke(tmp_path, finished, cells=12)


def compare_with_smoke(out, finished, cells):
    ours = cells_of(out, "small")
    assert len(ours) == cells and set(ours.task) == {NAME}
    assert_equal_part(ours, one_rate(finished).reset_index())
    runs = [pd.read_csv(folder / "pretraining.csv") for folder in (out / "results/small", finished / "results/smoke")]
    assert_equal_part(*runs)
    first = [prunability_of(out, "fine_tune_first", NAME, "small"), prunability_of(finished, "fine_tune_first")]
    assert_equal_part(*first)
