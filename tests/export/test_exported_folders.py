"""Models exported from the smoke study: ordinary folders whose cards say what the study measured."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from prune_utils.analysis.predictions import encoded
from prune_utils.export import folder
from prune_utils.pruning.matrices import sparsities
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.record import read_csv, write_csv
from prune_utils.study.section import ParamsError


@pytest.fixture
def smoke(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", finished)
    monkeypatch.setattr(paths, "exported", lambda study, name: tmp_path / name)
    return load_study(paths.PARAMS / "smoke.yaml")


def cell(smoke, **at):
    cells = read_csv(paths.results(smoke.study) / paths.CELLS)
    return cells[cells.selected & (cells[[*at]] == at).all(axis=1)].iloc[0]


def test_a_fine_tuned_model_has_its_sparsity_and_the_accuracy_that_was_measured(smoke):
    made = folder.export(smoke, "pretrain", 0.6, 0, "sentiment")
    assert made.name == "pretrain-60-seed-0-sentiment"
    model = AutoModelForSequenceClassification.from_pretrained(made)
    measured = cell(smoke, arm="pretrain", target_sparsity=0.6, task="sentiment", seed=0)
    assert sparsities(model)["prunable"] >= 0.59
    dev = encoded(paths.task_data("smoke", "sentiment") / "dev")
    with torch.no_grad():
        said = [int(model.eval()(torch.tensor(ids)[None]).logits.argmax()) for ids in dev["input_ids"]]
    assert np.mean(np.array(said) == dev["labels"]) == pytest.approx(measured.dev_accuracy)
    assert not (made / "masks.safetensors").exists() and len(AutoTokenizer.from_pretrained(made)) > 0
    card = ModelCard.load(made / "README.md")
    (result,) = card.data.eval_results
    assert (result.dataset_name, result.metric_type) == ("sentiment", "accuracy")
    assert result.metric_value == pytest.approx(measured.dev_accuracy)
    assert "| prunable matrices | 60.0 % |" in card.content and "one seed" in card.content
    assert "C1, low pruning" in card.content and "built to show the effect" in card.content


def test_a_pre_trained_model_gives_the_losses_of_its_run(smoke):
    made = folder.export(smoke, "pretrain", 0.9, 0)
    full = AutoModelForMaskedLM.from_pretrained(paths.pretraining("smoke", "gradual", 0.9, 0) / paths.CHECKPOINT)
    small = AutoModelForMaskedLM.from_pretrained(made)
    ids = torch.arange(5, 37).view(2, 16)
    with torch.no_grad():
        assert torch.allclose(full.eval()(ids).logits, small.eval()(ids).logits, atol=1e-5)
    results = ModelCard.load(made / "README.md").data.eval_results
    assert [one.dataset_name for one in results] == ["acceptability", "sentiment"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("pretrain", 0.5, 0), "sparsity is 0.5; allowed are 0.6, 0.9"),
        (("pretrian", 0.6, 0), "arm is 'pretrian'; allowed are dense"),
        (("pretrain", 0.6, 3), "seed is 3; allowed are 0"),
        (("pretrain", 0.6, 0, "mnli"), "task is 'mnli'; allowed are None, acceptability, sentiment"),
        (("downstream", 0.6, 0), "arm downstream is not pruned in pre-training; give a task"),
        (("downstream", 0.6, 0, "sentiment"), r"was not kept; set machine.keep: \[downstream\]"),
    ],
)
def test_a_model_that_is_not_there_is_refused(smoke, given, said):
    with pytest.raises(ParamsError, match=said):
        folder.export(smoke, *given)


def test_a_study_without_an_analysis_is_refused(empty):
    with pytest.raises(ParamsError, match="no analysis yet"):
        folder.export(load_study(paths.PARAMS / "smoke.yaml"), "pretrain", 0.6, 0)


def test_the_cost_of_int8_is_measured_on_all_models_that_a_study_keeps(finished):
    command = [sys.executable, "benchmarks/quantised.py", "params/smoke.yaml"]
    place = {"PRUNE_UTILS_OUT": str(finished)}
    done = subprocess.run(command, cwd=paths.ROOT, env=os.environ | place, capture_output=True, text=True, check=True)
    found = re.findall(
        r"^(\w+) (\d+) %: float32 ([\d.]+) %, int8 ([\d.]+) %.* (\d+) models, 1 seeds$", done.stdout, re.M
    )
    assert [row[:2] for row in found] == [("dense", "0"), ("pretrain", "60"), ("pretrain", "90")]
    assert all(abs(float(full) - float(small)) < 20 for _, _, full, small, _ in found)


def test_of_several_fine_tunings_the_first_is_exported_at_its_own_rate(empty):
    study = load_study(paths.PARAMS / "smoke.yaml")
    at = {"arm": "pretrain", "target_sparsity": 0.6, "seed": 0, "task": "sentiment"}
    rows = [(0, 1e-3, False), (0, 3e-3, True), (1, 1e-3, True), (1, 3e-3, False)]
    frame = pd.DataFrame([at | {"repeat": r, "learning_rate": rate, "selected": chosen} for r, rate, chosen in rows])
    for order in (frame, frame[::-1]):
        write_csv(order, study, paths.CELLS)
        assert folder._cell(study, "pretrain", 0.6, 0, "sentiment").learning_rate == 3e-3
