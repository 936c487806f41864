"""A tiny study end to end, by the commands a user gives."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from urllib.parse import unquote

import bs4
import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from click.testing import CliRunner
from commands import command, run, would_run
from hostile import NAME
from papermill.cli import papermill
from smoke import TIMES, begin_with, cells_of, compare_with_smoke, one_rate, prunability_of

from prune_utils.analysis.claims import CLAIMS
from prune_utils.analysis.factorial import MEAN
from prune_utils.analysis.results import collect, pretraining_frame
from prune_utils.data.inputs import identified
from prune_utils.pruning.masks import sparsity_of
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study import paths
from prune_utils.study.files import alone, held
from prune_utils.study.grid import Run, all_cells, all_runs
from prune_utils.study.params import load_study
from prune_utils.study.record import read_csv, record
from prune_utils.training.finetuning import finetune
from prune_utils.training.pretraining import pretrain
from prune_utils.workflow import reporting
from prune_utils.workflow.graph import nodes


def test_every_cell_has_its_row_and_its_columns(finished):
    cells = cells_of(finished)
    assert len(cells) == 2 * 2 * (3 + 2 * 5) and cells.selected.sum() == len(cells) / 2
    assert set(cells.columns) >= {
        *("arm", "method", "target_sparsity", "realised_sparsity", "task", "seed", "learning_rate", "selected"),
        *("dev_accuracy", "train_loss", "pretrain_loss", "seconds"),
    }
    assert cells.dev_accuracy.between(0, 1).all()
    at = one_rate(finished)
    for arm in ("pretrain", "downstream", "random", "information_deletion", "frozen"):
        assert at.realised_sparsity[arm, 0.9] == pytest.approx(0.9, abs=1e-3)
    for arm in ("pretrain", "downstream", "random"):
        assert at.final_sparsity[arm, 0.9] == pytest.approx(0.9, abs=2e-3)
    # its weights were free to move; those of words that the task does not have got no gradient
    assert at.final_sparsity["information_deletion", 0.9] < 0.8
    assert at.final_sparsity["frozen", 0.9] < 0.1  # its weights are fixed, not zero
    # the dense model, trained on without pruning
    assert at.final_sparsity["downstream", 0.0] == at.final_sparsity["dense", 0.0]
    assert at.train_loss["downstream", 0.0] != at.train_loss["dense", 0.0]
    assert np.isnan(at.pretrain_loss["scratch", 0.0])
    assert at.pretrain_loss["pretrain", 0.9] == at.pretrain_loss["information_deletion", 0.9]


def test_frames_of_notebooks_are_the_rows_of_the_study(finished):
    results = finished / "results/smoke"
    parts = pd.concat([pd.read_csv(path) for path in results.glob("finetune/*/seed-0/*.csv")], ignore_index=True)
    whole = cells_of(finished).sort_values("finished", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(parts.sort_values("finished", kind="stable", ignore_index=True), whole)
    runs = pd.concat([pd.read_csv(path) for path in results.glob("pretrain/**/*.csv")])
    assert len(runs) == len(pd.read_csv(results / "pretraining.csv")) == 1 + 3 + 2


def test_what_is_inside_the_encoder_has_its_rows(finished):
    similarity, heads, weights = (
        pd.read_csv(finished / f"results/smoke/inside/{name}.csv") for name in ("similarity", "heads", "weights")
    )
    cosine = similarity.groupby(["method", "sparsity"]).cosine
    assert set(cosine.groups) == {("gradual", s) for s in (0.0, 0.6, 0.9)} | {("random", 0.6), ("random", 0.9)}
    assert (cosine.size() == 3).all()  # the embeddings and two layers
    assert cosine.min()["gradual", 0.0] == pytest.approx(1)
    assert cosine.max()["gradual", 0.9] < 0.999 and cosine.max()["random", 0.9] < 0.999
    one_shot = pd.read_csv(finished / "results/smoke/inside/heads_one_shot.csv")
    keys = ["seed", "sparsity", "layer", "head"]
    pd.testing.assert_frame_equal(one_shot[keys], heads[keys])
    assert one_shot.groupby("sparsity").pruned_share.mean().to_dict() == pytest.approx(
        {0: 0, 0.6: 0.6, 0.9: 0.9}, abs=3e-3
    )
    embeddings = pd.read_csv(finished / "results/smoke/inside/embeddings.csv")
    assert list(embeddings.sparsity) == [0.6, 0.9] == list(embeddings.pruned_share.round(1))
    means = heads.groupby("sparsity").pruned_share.mean().to_dict()
    assert means == pytest.approx({0.0: 0.0, 0.6: 0.6, 0.9: 0.9}, abs=3e-3)
    assert set(weights.groupby("sparsity")["size"].count()) == {14}
    assert len(list((finished / "reports/smoke/inside/inside.files").glob("*.svg"))) >= 6
    sizes = pd.read_csv(finished / "results/smoke/inside/sizes.csv").set_index("sparsity")
    assert sizes.sparse_bytes[0.9] < sizes.dense_bytes[0.9]


def test_checkpoints_hold_their_masks(finished):
    for method in ("gradual", "random"):
        folder = finished / f"results/smoke/pretrain/{method}/sparsity-90/seed-0/checkpoint"
        assert sparsity_of(load_masks(folder / MASKS)) == pytest.approx(0.9, abs=1e-3)
        assert (folder / "model.safetensors").exists() and (folder / "tokenizer.json").exists()


def test_prunability_has_a_row_for_every_observation(finished):
    first = prunability_of(finished, "fine_tune_first").set_index("epochs")
    assert list(first.index) == [0, 1] and (first.target_sparsity == 0.6).all()
    assert first.realised_sparsity.to_numpy() == pytest.approx(0.6, abs=1e-3)
    exact = ["movement_mean", "movement_std", "difference_fine_tuning_alone"]
    assert (first.loc[0, exact] == 0).all() and (first.loc[1:, exact] > 0).all(axis=None)
    assert first.difference[0] > 0  # masks made in pre-training are not those of one shot
    # as many epochs as the dense arm: the same model, pruned in the same way, as in the downstream cell
    scores = ["dev_accuracy", "dev_loss", "train_loss"]
    assert list(first.loc[1, scores]) == list(one_rate(finished).loc[("downstream", 0.6), scores])
    moved = prunability_of(finished, "movement").iloc[0]
    assert (moved["mean"], moved["std"], moved.epochs) == (first.movement_mean[1], first.movement_std[1], 1)
    by_rank = prunability_of(finished, "movement_by_rank").head(10)
    assert list(by_rank.decile) == list(range(1, 11)) and by_rank["mean"].mean() == pytest.approx(moved["mean"], 0.05)
    differences = prunability_of(finished, "mask_difference")
    assert list(differences.sparsity[:2]) == [0.6, 0.9] and differences.difference[0] == first.difference[1]
    for folder in (finished / "results/smoke/prunability/sentiment/seed-0/sparsity-60").iterdir():
        assert {path.name for path in folder.iterdir()} == {
            ".lock",
            "result.json",
            "dev_predictions.npy",
            "dev_confidence.npy",
        }


def test_one_seed_gives_claims_and_no_verdicts(finished):
    claims = pd.read_csv(finished / "results/smoke/claims.csv")
    assert list(claims.claim) == list(CLAIMS) and set(claims.verdict) == {"undecided"}
    measured = claims.set_index("claim").measured
    assert measured[["C3", "C5", "C6", "C7", "C9", "C10"]].notna().all()
    best = cells_of(finished).query("selected").groupby(["arm", "target_sparsity"]).dev_accuracy.mean()
    gain = best["information_deletion", 0.9] - best["pretrain", 0.9]
    assert measured["C3"] == pytest.approx(100 * gain, abs=1e-3)
    split = pd.read_csv(finished / "results/smoke/factorial.csv").set_index(["task", "target_sparsity"])
    mean = split.loc[MEAN, 0.9]
    corners = best["dense", 0.0], *(best[arm, 0.9] for arm in ("information_deletion", "frozen", "pretrain"))
    sums = mean.dense, mean.dense + mean.deleting, mean.dense + mean.fixing, mean.dense + mean.total
    assert sums == pytest.approx([100 * corner for corner in corners]) and np.isnan(mean.total_low)
    regimes = json.loads((finished / "results/smoke/regimes.json").read_text())
    assert regimes["interval_covers"] == ["dev examples"] and regimes["low_until"]["interval"] is None


def test_the_report_stands_alone(finished):
    page = (finished / "reports/smoke/index.html").read_text()
    assert page.count("<figure>") >= 3 and 'src="http' not in page
    assert "Means are over 2 tasks and 1 seed" in page and "built to show the effect" in page
    for notebook in (finished / "results/smoke").rglob("*.ipynb"):
        assert not [
            c for c in nbformat.read(notebook, 4).cells for o in c.get("outputs", []) if o.output_type == "error"
        ]


@pytest.mark.parametrize("name", ["regimes", "details"])
def test_a_report_is_current_until_a_notebook_of_the_analysis_changes(finished, tmp_path, monkeypatch, name):
    shutil.copytree(finished / "results/smoke", tmp_path / "results/smoke", copy_function=shutil.copyfile)
    now = time.time()
    for path in (tmp_path / "results/smoke").rglob("*"):  # copies have times of their own
        os.utime(path, (now, now))
    monkeypatch.setattr(paths, "OUT", tmp_path)
    study = load_study(tmp_path / "results/smoke/params.yaml")
    assert reporting._is_current(study)
    os.utime(tmp_path / f"results/smoke/{name}.ipynb", (0, 0))  # as if the notebook that it was made from were newer
    assert not reporting._is_current(study)


def test_the_links_of_the_report_lead_to_its_pages(finished):
    index = finished / "reports/smoke/index.html"
    page = bs4.BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
    links = {unquote(a["href"].split("#")[0]) for a in page.find_all("a", href=True)}
    pages = {str(path.relative_to(index.parent)) for path in index.parent.rglob("*.html") if path != index}
    assert {link for link in links if link.endswith(".html") and "://" not in link} == pages


def test_a_second_run_has_nothing_to_do(finished):
    before = {path: path.stat().st_mtime_ns for path in (finished / "results/smoke").rglob("*.ipynb")}
    started = time.monotonic()
    done = run(finished, "study", paths.PARAMS / "smoke.yaml")
    assert done.returncode == 0 and "nothing" in done.stdout and ": started" not in done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert time.monotonic() - started < 30


def test_other_params_under_the_same_name_are_refused(finished, tmp_path):
    other = tmp_path / "smoke.yaml"
    content = yaml.safe_load((paths.PARAMS / "smoke.yaml").read_text())
    content["pretraining"]["steps"] = 13
    other.write_text(yaml.safe_dump(content))
    refused = run(finished, "study", other)
    assert refused.returncode == 2 and "pretraining.steps was 12 and is 13" in refused.stderr


def test_the_burn_in_is_repeated_to_the_last_digit(finished, empty):
    study = load_study(paths.PARAMS / "smoke.yaml")
    pretrain(study, Run("dense", 0.0, 0))
    frames = [pretraining_frame(study, [Run("dense", 0.0, 0)]).drop(columns=TIMES, errors="ignore")]
    frames.append(read_csv(finished / "results/smoke/pretrain/dense/seed-0/dense.csv")[frames[0].columns])
    pd.testing.assert_frame_equal(*frames, check_exact=True, check_dtype=False)
    weights = "results/smoke/pretrain/dense/seed-0/checkpoint/model.safetensors"
    assert (empty / weights).read_bytes() == (finished / weights).read_bytes()


def test_two_live_runs_do_not_share_a_folder(finished):
    with alone(finished / "results/smoke"):
        refused = run(finished, "study", paths.PARAMS / "smoke.yaml")
    assert refused.returncode == 2 and "is already running in another process" in refused.stderr


@pytest.mark.slow
def test_papermill_refuses_what_a_notebook_does_not_know(tmp_path):
    _, environment = command(tmp_path)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            str(paths.DETAILS_NOTEBOOK),  # which imports no transformers
            str(tmp_path / "out.ipynb"),
            "-f",
            "params/demo.yaml",
            "-p",
            "sparsty",
            "0.6",
            "--no-progress-bar",
        ],
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode and "unknown parameter sparsty" in done.stderr


def test_papermill_help_explains_every_parameter():
    for notebook in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        cell = next(c for c in nbformat.read(notebook, 4).cells if "parameters" in c.metadata.get("tags", []))
        for line in cell.source.splitlines():
            explained = line.startswith("#") or (": " in line.split("=")[0] and "  # " in line)
            assert explained, f"{notebook.name}: a parameter and its comment must fit in one line of 120: {line}"
        help_text = CliRunner().invoke(papermill, ["--help-notebook", str(notebook)]).stdout
        names = [line.split(":")[0] for line in cell.source.splitlines() if not line.startswith("#")]
        assert all(f"  {name}:" in help_text for name in names), help_text


def test_notebooks_are_committed_without_outputs_and_with_short_cells():
    for path in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        content = json.loads(path.read_text())
        code = [c for c in content["cells"] if c["cell_type"] == "code"]
        assert not any(c["outputs"] or c["execution_count"] for c in code), path
        assert all("".join(c["source"]).count("\n") < 20 for c in code), path


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
    compare_with_smoke(tmp_path, finished, cells=8)

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
    compare_with_smoke(tmp_path, finished, cells=13)
