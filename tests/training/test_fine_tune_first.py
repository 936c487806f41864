import shutil

import numpy as np
import pytest
import torch

from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.movement import mask_differences
from prune_utils.study import paths
from prune_utils.study.grid import Delayed
from prune_utils.study.params import extended, merge, read_yaml, validated
from prune_utils.training import fine_tune_first as module
from prune_utils.training.fine_tune_first import fine_tune_first
from prune_utils.training.finetuning import starting_model

TIMES = ("seconds", "finished")


class Interrupted(Exception):
    pass


@pytest.fixture
def study():
    changes = {"study": "first", "prunability": {"epochs": [2]}, "machine": {"save_steps": 2}}
    return validated(merge(extended(read_yaml(paths.PARAMS / "smoke.yaml")), changes))


@pytest.mark.slow
def test_the_tuned_model_is_pruned_and_compared_with_the_one_before(study, monkeypatch):
    cell = Delayed("sentiment", 0.6, study.finetuning.learning_rates[0], 0, 1)
    start = prunable_matrices(starting_model(study, cell.dense(), labels=2)[0])
    seen = []

    def compared(pruned, before, after, sparsity):
        assert all(torch.equal(before[name], matrix) for name, matrix in start.items())
        assert not all(torch.equal(after[name], matrix) for name, matrix in start.items())
        seen.append({name: matrix.clone() for name, matrix in after.items()})
        return mask_differences(pruned, before, after, sparsity)

    def pruned(model, masks):
        expected = magnitude_masks(seen[0], cell.sparsity)
        assert all(torch.equal(masks[name], mask) for name, mask in expected.items())
        apply_masks(model, masks)

    monkeypatch.setattr(module, "mask_differences", compared)
    monkeypatch.setattr(module, "apply_masks", pruned)
    fine_tune_first(study, cell)
    assert len(seen) == 1


@pytest.mark.slow
def test_cut_off_after_pruning_it_ends_as_an_undisturbed_one(study, monkeypatch):
    cell = Delayed("sentiment", 0.6, study.finetuning.learning_rates[0], 0, 2)
    folder = cell.folder("first")
    whole = fine_tune_first(study, cell)
    predictions = np.load(folder / "dev_predictions.npy")
    shutil.rmtree(folder)

    def stop(self, args, state, control, **kwargs):
        self.apply()
        if state.global_step == 2:
            raise Interrupted

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(FixedMask, "on_optimizer_step", stop)
        fine_tune_first(study, cell)
    assert not (folder / paths.RESULT).exists()
    assert (folder / "trainer-dense/checkpoint-6").exists() and (folder / "trainer-pruned/checkpoint-2").exists()

    again = fine_tune_first(study, cell)
    assert {k: v for k, v in again.items() if k not in TIMES} == {k: v for k, v in whole.items() if k not in TIMES}
    assert np.array_equal(np.load(folder / "dev_predictions.npy"), predictions)
    assert not list(folder.glob("trainer*"))

    monkeypatch.setattr(module, "train", None)
    assert fine_tune_first(study, cell) == again  # what is finished is only read
