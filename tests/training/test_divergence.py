"""A fine-tuning that diverges leaves a result without numbers, and the rest of the study goes on."""

import numpy as np
import pytest
import torch

from prune_utils.analysis.predictions import dev_correct
from prune_utils.analysis.results import cells_frame, mean_over_tasks
from prune_utils.pruning.masks import magnitude_mask, magnitude_masks
from prune_utils.pruning.scores import by_magnitude
from prune_utils.study import paths
from prune_utils.study.files import read_json
from prune_utils.study.grid import all_cells
from prune_utils.study.params import extended, merge, read_yaml, validated
from prune_utils.training.finetuning import fine_tuned, finetune_all, starting_model

GOOD, DIVERGES = 1e-3, 1e30  # learning rates


@pytest.fixture(scope="module")
def study():
    changes = {
        "study": "divergence_test",
        "tasks": [{"source": "embedded", "name": "sentiment", "train": 32, "dev": 16}],
        "corpus": {"documents": 60, "held_out_documents": 10},
        "pretraining": {"burn_in_steps": 2, "steps": 2, "ramp_steps": 2},
        "finetuning": {"learning_rates": [GOOD, DIVERGES], "batch_size": 8},
        "prunability": {"sparsity": 0.5},
        "grid": {"sparsities": [0.0, 0.5], "arms": ["dense", "downstream"]},
    }
    return validated(merge(extended(read_yaml(paths.PARAMS / "smoke.yaml")), changes))


@pytest.fixture(scope="module")
def results(study):
    """Results by arm and learning rate, trained in a few seconds; of `downstream`, at 50 %."""
    every = all_cells(study)
    return {
        (cell.arm, cell.learning_rate): result for cell, result in zip(every, finetune_all(study, every), strict=True)
    }


def cell(study, arm, rate):
    *_, found = (cell for cell in all_cells(study) if (cell.arm, cell.learning_rate) == (arm, rate))
    return found


def test_a_diverged_dense_cell_has_a_result_without_an_accuracy(study, results):
    dense = cell(study, "dense", DIVERGES)
    assert any(torch.isnan(p).any() for p in fine_tuned(study, dense).parameters())
    result = results["dense", DIVERGES]
    assert result["dev_accuracy"] is None and result["train_loss"] is None and result["dev_examples"] == 16
    assert result == read_json(dense.folder(study.study) / paths.RESULT)
    assert "dev_loss" not in result and not (dense.folder(study.study) / paths.PREDICTIONS).exists()


def test_the_downstream_cell_of_a_diverged_dense_cell_is_a_hole(study, results):
    hole, folder = results["downstream", DIVERGES], cell(study, "downstream", DIVERGES).folder(study.study)
    assert hole == {
        "arm": "downstream",
        "method": "one_shot",
        "target_sparsity": 0.5,
        "task": "sentiment",
        "seed": 0,
        "learning_rate": DIVERGES,
        "dev_accuracy": None,
    }
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == [paths.RESULT]


def test_the_cells_of_the_other_learning_rate_have_all_their_numbers(results):
    for arm in ("dense", "downstream"):
        result = results[arm, GOOD]
        assert 0 <= result["dev_accuracy"] <= 1 and np.isfinite([result["dev_loss"], result["train_loss"]]).all()
    assert results["downstream", GOOD]["final_sparsity"] >= results["downstream", GOOD]["realised_sparsity"] > 0.49


def test_a_diverged_cell_is_never_selected(study, results):
    frame = cells_frame(study)
    assert len(frame) == 6 and set(frame[frame.selected].learning_rate) == {GOOD} and frame.selected.sum() == 3
    assert frame[frame.learning_rate == DIVERGES].dev_accuracy.isna().all()
    assert mean_over_tasks(frame).dev_accuracy.notna().all()
    only = cells_frame(study, [cell(study, arm, DIVERGES) for arm in ("dense", "downstream")])
    assert len(only) == 2 and not only.selected.any()  # not even if there is nothing else to select
    assert mean_over_tasks(only).empty


def test_diverged_cells_have_no_row_among_the_predictions(study, results):
    correct = dev_correct(study, cells_frame(study))["sentiment"]
    assert correct.shape == (3, 16) and set(correct.index.get_level_values("learning_rate")) == {GOOD}
    for (arm, sparsity, _, rate), row in correct.iterrows():
        assert (arm, sparsity) == ("downstream", 0) or row.mean() == results[arm, rate]["dev_accuracy"]


def test_weights_that_are_not_finite_have_no_magnitude_mask(study, results):
    with pytest.raises(ValueError, match="NaN"):
        starting_model(study, cell(study, "downstream", DIVERGES), labels=2)
    for value in (float("nan"), float("inf"), -float("inf")):
        weight = torch.randn(6, 4)
        weight[2, 3] = value
        for refused in (
            lambda weight=weight: magnitude_mask(weight, 0.5),
            lambda weight=weight: magnitude_masks({"good": torch.ones(2, 2), "bad": weight}, 0.5),
            lambda weight=weight: by_magnitude("matrix", {"bad": weight}, 0.5),
            lambda weight=weight: by_magnitude("model", {"good": torch.ones(2, 2), "bad": weight}, 0.5),
        ):
            with pytest.raises(ValueError, match="NaN"):
                refused()
