import os
import platform
import resource
import signal

import numpy as np
import pytest
import torch
from tiny import MACHINE, RECIPE

from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.study.files import write_json
from prune_utils.training.loop.machine import keep_freed_memory
from prune_utils.training.loop.resuming import discard, resumable
from prune_utils.training.loop.trainer import arguments, predict, train


def test_a_processor_trains_in_bfloat16_too(tiny_bert, pairs, words, tmp_path):
    machine = MACHINE.model_copy(update={"precision": "bfloat16"})
    assert arguments(tmp_path, machine).bf16
    before = tiny_bert.get_input_embeddings().weight.detach().clone()
    train(tiny_bert, pairs, RECIPE.model_copy(update={"steps": 2}), 3, tmp_path / "run", machine, words)
    after = tiny_bert.get_input_embeddings().weight
    assert torch.isfinite(after).all() and not torch.equal(before, after) and after.dtype == torch.float32


class Interrupted(Exception):
    pass


def interrupt():
    raise Interrupted


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def pruned(model, pairs, words, folder, stop_at=None, stop=interrupt):
    pruning = GradualPruning(model, Schedule(target_sparsity=0.7, end_step=16, frequency=3))
    if stop_at:
        ends = pruning.on_step_end

        def on_step_end(args, state, control, **kwargs):
            if state.global_step == stop_at:
                stop()
            ends(args, state, control, **kwargs)

        pruning.on_step_end = on_step_end
    train(model, pairs, RECIPE, 3, folder, MACHINE, words, pruning)
    return pruning


@pytest.mark.parametrize("stop", [interrupt, terminate])
@pytest.mark.parametrize("stop_at", [5, 12, 20], ids=["before a checkpoint", "on the ramp", "after the ramp"])
def test_an_interrupted_training_ends_as_an_undisturbed_one(tiny_bert, pairs, words, tmp_path, stop_at, stop):
    start = {name: tensor.clone() for name, tensor in tiny_bert.state_dict().items()}
    expected = pruned(tiny_bert, pairs, words, tmp_path / "whole").masks
    whole = {name: tensor.clone() for name, tensor in tiny_bert.state_dict().items()}
    assert any(not torch.equal(whole[name], start[name]) for name in whole)

    tiny_bert.load_state_dict(start)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted if stop is interrupt else KeyboardInterrupt):
        pruned(tiny_bert, pairs, words, tmp_path / "cut", stop_at, stop)
    assert signal.getsignal(signal.SIGTERM) == before
    if stop is terminate:  # nothing is lost: the step is finished and saved
        assert resumable(tmp_path / "cut").name == f"checkpoint-{stop_at}"
    torch.manual_seed(99)  # whatever happened since
    tiny_bert.load_state_dict(start)
    for parameter in prunable_matrices(tiny_bert).values():
        parameter.grad = None
        parameter._post_accumulate_grad_hooks = None  # the process that was cut off is gone, and its hooks
    masks = pruned(tiny_bert, pairs, words, tmp_path / "cut").masks
    assert all(torch.equal(tiny_bert.state_dict()[name], whole[name]) for name in whole)
    assert all(torch.equal(masks[name], expected[name]) for name in expected)

    # and killed after the last step, before its result is safe, it is not trained again
    tiny_bert.load_state_dict(start)
    pruned(tiny_bert, pairs, words, tmp_path / "whole")
    assert all(torch.equal(tiny_bert.state_dict()[name], whole[name]) for name in whole)


def test_checkpoints_are_discarded_marks_first(tmp_path, monkeypatch):
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-5" / "model.safetensors").write_text("")
    write_json(tmp_path / "checkpoint-5" / "whole.json", {"bytes": {"model.safetensors": 0}})
    assert resumable(tmp_path)
    monkeypatch.setattr("shutil.rmtree", lambda *a, **k: None)  # killed before this
    discard(tmp_path)
    monkeypatch.undo()
    assert resumable(tmp_path) is None


def test_a_checkpoint_cut_off_while_written_is_not_resumed_from(tmp_path):
    for step in (5, 10, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (5, 10):
        (tmp_path / f"checkpoint-{step}" / "weights").write_text("five")
        write_json(tmp_path / f"checkpoint-{step}" / "whole.json", {"step": step, "bytes": {"weights": 4}})
    assert resumable(tmp_path).name == "checkpoint-10"
    assert not (tmp_path / "checkpoint-100").exists()
    (tmp_path / "checkpoint-10" / "weights").write_text("fi")  # cut off later, as by a copy
    assert resumable(tmp_path).name == "checkpoint-5" and not (tmp_path / "checkpoint-10").exists()
    assert resumable(tmp_path / "nothing") is None


def test_predictions_come_back_in_the_order_of_the_data(tiny_bert, pairs, words):
    together = predict(tiny_bert, pairs, MACHINE, words)
    for index in (0, 17, 39):
        alone = predict(tiny_bert, pairs.select([index]), MACHINE, words)
        for one, many in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], many[index], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
def test_freed_memory_is_used_again_without_asking_the_system():
    def faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.empty(64 * 2**20, dtype=torch.uint8).fill_(1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    keep_freed_memory()
    # at first the heap still grows, by a block or a few
    assert min(faults() for _ in range(10)) < 64 * 2**20 / resource.getpagesize() / 10
