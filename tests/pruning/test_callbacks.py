import copy
from types import SimpleNamespace

import pytest
import torch
from tiny import STATE, train_steps
from torch.nn.utils import clip_grad_norm_

from prune_utils.pruning.callbacks import FixedMask, Frozen, GradualPruning
from prune_utils.pruning.masks import magnitude_mask
from prune_utils.pruning.matrices import check_zeros, prunable_matrices
from prune_utils.pruning.patterns import SparsityMismatch
from prune_utils.pruning.schedule import Schedule


def test_kept_weights_step_as_if_the_pruned_did_not_exist(tiny_bert, tiny_batch):
    """Against an independent optimiser that holds only the kept weights, as one vector, with momentum and clipping."""
    reference = copy.deepcopy(tiny_bert)
    masks = {name: magnitude_mask(p, 0.6) for name, p in prunable_matrices(tiny_bert).items()}
    norms = train_steps(tiny_bert, tiny_batch, FixedMask(tiny_bert, masks), steps=5)

    names = {f"bert.{name}": mask for name, mask in masks.items()}
    parameters = dict(reference.named_parameters())
    kept = {n: names.get(n, torch.ones_like(p, dtype=torch.bool)) for n, p in parameters.items()}
    alone = torch.cat([p.detach()[kept[n]] for n, p in parameters.items()]).requires_grad_()
    optimizer = torch.optim.AdamW([alone], lr=1e-2, weight_decay=0.1)
    for norm in norms:
        start = 0
        for n, p in parameters.items():
            size = int(kept[n].sum())
            p.data.zero_()
            p.data[kept[n]] = alone.detach()[start : start + size]
            start += size
            p.grad = None
        reference(**tiny_batch).loss.backward()
        alone.grad = torch.cat([p.grad[kept[n]] for n, p in parameters.items()])
        assert clip_grad_norm_([alone], 0.1).item() == pytest.approx(norm, rel=1e-4)
        optimizer.step()
    ours = torch.cat([p.detach()[kept[n]] for n, p in tiny_bert.named_parameters()])
    torch.testing.assert_close(ours, alone.detach(), rtol=1e-4, atol=1e-6)


def test_the_norm_would_differ_without_masked_gradients(tiny_bert, tiny_batch):
    masks = {name: magnitude_mask(p, 0.6) for name, p in prunable_matrices(tiny_bert).items()}
    callback = FixedMask(tiny_bert, masks)
    callback.apply()
    tiny_bert(**tiny_batch).loss.backward()
    whole = clip_grad_norm_(tiny_bert.parameters(), 1e9).item()
    tiny_bert.zero_grad()
    assert train_steps(tiny_bert, tiny_batch, callback, steps=1)[0] < 0.99 * whole


def test_momentum_and_decay_do_not_move_pruned_weights(tiny_bert, tiny_batch):
    optimizer = torch.optim.AdamW(tiny_bert.parameters(), lr=1e-2, weight_decay=0.1)
    tiny_bert(**tiny_batch).loss.backward()
    optimizer.step()  # every weight has momentum now
    masks = {name: magnitude_mask(p, 0.6) for name, p in prunable_matrices(tiny_bert).items()}
    callback = FixedMask(tiny_bert, masks)
    callback.on_train_begin(None, STATE, None)
    for _ in range(3):
        optimizer.zero_grad()
        tiny_bert(**tiny_batch).loss.backward()
        optimizer.step()
        callback.on_optimizer_step(None, STATE, None)
        check_zeros(tiny_bert, masks)


def test_frozen_weights_keep_their_bits_and_the_others_move(tiny_bert, tiny_batch):
    matrices = prunable_matrices(tiny_bert)
    optimizer = torch.optim.AdamW(tiny_bert.parameters(), lr=1e-2, weight_decay=0.1)
    tiny_bert(**tiny_batch).loss.backward()
    optimizer.step()  # every weight has momentum now
    start = {name: p.detach().clone() for name, p in matrices.items()}
    masks = {name: magnitude_mask(p, 0.6) for name, p in matrices.items()}
    callback = Frozen(tiny_bert, masks)
    callback.on_train_begin(None, STATE, None)
    for _ in range(3):
        optimizer.zero_grad()
        tiny_bert(**tiny_batch).loss.backward()
        assert not any(p.grad[~masks[name]].any() for name, p in matrices.items())
        optimizer.step()
        callback.on_optimizer_step(None, STATE, None)
    callback.check()
    for name, p in matrices.items():
        bits, before = p.detach().view(torch.int32), start[name].view(torch.int32)
        assert torch.equal(bits[~masks[name]], before[~masks[name]])
        assert not torch.equal(p, start[name])
    name = max(matrices, key=lambda name: int((~masks[name]).sum()))
    matrices[name].data[~masks[name]] *= 1.0001
    with pytest.raises(SparsityMismatch, match=f"frozen weights of {name} have changed"):
        callback.check()


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.9])
def test_frozen_zeros_are_a_fixed_mask(tiny_bert, tiny_batch, sparsity):
    """If the frozen values are zero, the kept weights take the steps of the `pretrain` arm, bit by bit."""
    masks = {name: magnitude_mask(p, sparsity) for name, p in prunable_matrices(tiny_bert).items()}
    FixedMask(tiny_bert, masks).apply()
    twin = copy.deepcopy(tiny_bert)
    pruned = train_steps(tiny_bert, tiny_batch, FixedMask(tiny_bert, masks), steps=5)
    assert train_steps(twin, tiny_batch, Frozen(twin, masks), steps=5) == pruned
    for ours, theirs in zip(tiny_bert.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_hooks_are_gone_after_training(tiny_bert, tiny_batch):
    masks = {name: magnitude_mask(p, 0.9) for name, p in prunable_matrices(tiny_bert).items()}
    train_steps(tiny_bert, tiny_batch, FixedMask(tiny_bert, masks), steps=1)
    tiny_bert.zero_grad()
    tiny_bert(**tiny_batch).loss.backward()
    assert tiny_bert.bert.pooler.dense.weight.grad[~masks["pooler.dense.weight"]].count_nonzero() > 0


def test_gradual_pruning_follows_its_schedule(tiny_bert):
    plan = Schedule(target_sparsity=0.8, end_step=20, frequency=5)
    callback = GradualPruning(tiny_bert, plan)
    callback.on_train_begin(None, STATE, None)
    for step in range(1, 26):
        before = callback.sparsity
        callback.on_step_end(None, SimpleNamespace(global_step=step), None)
        if plan.renews(step):
            assert callback.sparsity == pytest.approx(plan.sparsity(step), abs=2e-3)
        else:
            assert callback.sparsity == before
    assert check_zeros(tiny_bert, callback.masks) == pytest.approx(0.8, abs=1e-3)


def test_a_pruned_weight_returns_with_its_value_when_others_shrink_below_it(tiny_bert):
    weight = tiny_bert.bert.pooler.dense.weight
    with torch.no_grad():
        weight.copy_(torch.arange(1.0, 257.0).view(16, 16))
    callback = GradualPruning(tiny_bert, Schedule(target_sparsity=0.5, end_step=100, frequency=10))
    callback.renew(0.5)
    assert (weight.view(-1)[:128] == 0).all() and weight.view(-1)[128] == 129
    with torch.no_grad():
        weight.view(-1)[200] = 0.5  # was 201, now below every weight that was pruned
    callback.renew(0.5)
    assert weight.view(-1)[200] == 0 and weight.view(-1)[127] == 128  # the largest of the pruned is back, as it was
    assert int((weight == 0).sum()) == 128


def test_state_survives_a_save(tiny_bert, tmp_path):
    callback = GradualPruning(tiny_bert, Schedule(target_sparsity=0.5, end_step=100, frequency=10))
    callback.renew(0.4)
    callback.save(tmp_path)
    other = GradualPruning(tiny_bert, callback.schedule)
    other.load(tmp_path)
    assert all(torch.equal(other.masks[n], callback.masks[n]) for n in callback.masks)
    assert all(torch.equal(other.underlying[n], callback.underlying[n]) for n in callback.underlying)
