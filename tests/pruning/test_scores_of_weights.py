"""Scores that read more than weights, against cases worked by hand and independent implementations."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import STATE
from torch import nn

from prune_utils.pruning import watching
from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.pruning.masks import Unrankable
from prune_utils.pruning.matrices import check_zeros, prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.pruning.scores import by_magnitude, chooser, score_of
from prune_utils.pruning.scores.block_fisher import BLOCK, DAMPING
from prune_utils.pruning.scores.soft_movement import PULL
from prune_utils.pruning.scores.trained_movement import RATE
from prune_utils.pruning.scores.uncertainty import SENSITIVITY, UNCERTAINTY
from prune_utils.pruning.watching import inputs, measure
from prune_utils.study.sections.arms import SCORES, SHIPPED, Zeros

SEED = st.integers(0, 2**31)


def seen(name: str, weight, batches):
    """The scores of one matrix after batches of gradients, or of inputs."""
    choose = chooser(Zeros(name, "matrix", "start", 1), 1)
    for batch in batches:
        choose.see("m", weight, batch)
    return choose.score.value({"m": weight}, choose.states, 0)["m"]


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_movement_by_hand():
    """A weight of 2 with gradients 0.5 and 1 moves towards zero: −2 · 0.5 − 2 · 1; one of −1 with the same, away: 1.5."""
    scores = seen("movement", torch.tensor([[2.0, -1.0]]), [torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 1.0]])])
    assert scores.tolist() == [[-3.0, 1.5]]


@given(SEED, st.integers(1, 6))
def test_trained_and_soft_movement_are_scores_under_adam(seed, steps):
    """Against autograd of a masked product and of the mean of σ(S), and torch's own optimiser."""
    weight, batches = normal(seed, 3, 4), [normal(seed + i + 1, 3, 4) for i in range(steps)]
    for name, pull in (("trained_movement", 0.0), ("soft_movement", PULL)):
        score = torch.zeros(3, 4, requires_grad=True)
        adam = torch.optim.Adam([score], lr=RATE)
        for gradient in batches:
            adam.zero_grad()
            mask = torch.ones(3, 4) + score - score.detach()  # straight through
            ((gradient * weight * mask).sum() + pull * torch.sigmoid(score).sum()).backward()
            adam.step()
        torch.testing.assert_close(seen(name, weight, batches), score.detach())


def test_trained_movement_counts_how_steadily_a_weight_moves_not_how_far():
    """Of two weights with the same sum of movements, the steady one goes first."""
    weight, batches = torch.ones(1, 2), [torch.tensor([[1.0, 0.0]])] * 8 + [torch.tensor([[0.0, 8.0]])]
    assert seen("movement", weight, batches).tolist() == [[-8.0, -8.0]]
    steady, sudden = seen("trained_movement", weight, batches)[0].tolist()
    assert steady < 2 * sudden < 0


@given(SEED, st.integers(1, 6))
def test_uncertainty_is_what_its_equations_say(seed, steps):
    weight, batches = normal(seed, 3, 4), [normal(seed + i + 1, 3, 4) for i in range(steps)]
    mean = spread = torch.zeros(3, 4)
    for gradient in batches:
        now = (weight * gradient).abs()
        mean = SENSITIVITY * mean + (1 - SENSITIVITY) * now
        spread = UNCERTAINTY * spread + (1 - UNCERTAINTY) * (now - mean).abs()
    torch.testing.assert_close(seen("uncertainty", weight, batches), mean * spread)


@given(SEED, st.integers(1, 6))
def test_the_diagonal_fisher_is_the_mean_of_squared_gradients(seed, examples):
    weight, batches = normal(seed, 3, 4), [normal(seed + i + 1, 3, 4) for i in range(examples)]
    squares = torch.stack(batches).square().mean(0)
    torch.testing.assert_close(seen("fisher", weight, batches), weight**2 * squares / 2)


@given(SEED)
def test_the_block_fisher_is_the_rise_of_a_quadratic_whose_other_weights_answer(seed):
    """By brute force: minimise δᵀ F δ / 2 over all δ that set one weight to zero, in float64, block by block."""
    weight, batches = normal(seed, 4, 15), [normal(seed + i + 1, 4, 15) for i in range(2 * BLOCK)]
    found, g = seen("block_fisher", weight, batches).flatten().double(), torch.stack(batches).double().flatten(1)
    for start, end in ((0, BLOCK), (BLOCK, 60)):
        part, w = g[:, start:end], weight.double().flatten()[start:end]
        fisher = part.T @ part / len(part) + DAMPING * torch.eye(end - start, dtype=torch.float64)
        for i in (0, (end - start) // 2, end - start - 1):
            others = [j for j in range(end - start) if j != i]
            delta = torch.zeros(end - start, dtype=torch.float64)
            delta[i] = -w[i]
            delta[others] = torch.linalg.solve(fisher[others][:, others], fisher[others, i] * w[i])
            assert found[start + i].item() == pytest.approx((delta @ fisher @ delta / 2).item(), rel=1e-3)


@given(SEED)
def test_a_block_fisher_of_gradients_that_know_nothing_of_each_other_is_the_diagonal_one(seed):
    """One gradient at a time: F is diagonal, and both scores are the same up to the damping."""
    weight = normal(seed, 1, 5)
    batches = list(torch.diag(normal(seed + 1, 5).abs() + 0.5)[:, None])
    torch.testing.assert_close(
        seen("block_fisher", weight, batches), seen("fisher", weight, batches), rtol=1e-3, atol=1e-6
    )


@given(SEED, st.floats(0, 1, allow_nan=False))
def test_with_inputs_of_one_activation_is_magnitude_row_by_row(seed, sparsity):
    weight = normal(seed, 5, 8)
    choose = chooser(Zeros("activation", "rows", "start", 1), 1)
    choose.see("m", weight, torch.ones(7, 8))
    assert torch.equal(choose({"m": weight}, sparsity)["m"], by_magnitude("rows", {"m": weight}, sparsity)["m"])


@given(SEED)
def test_activation_weighs_columns_by_the_norm_of_their_inputs(seed):
    weight, batches = normal(seed, 5, 8), [normal(seed + i + 1, 6, 8) for i in range(3)]
    norms = torch.linalg.vector_norm(torch.cat(batches), dim=0)
    torch.testing.assert_close(seen("activation", weight, batches), weight.abs() * norms)


def test_the_inputs_of_a_matrix_are_those_of_tokens_not_of_padding(tiny_bert, tiny_batch):
    tiny_bert.eval()
    batch = {**tiny_batch, "attention_mask": torch.ones_like(tiny_batch["input_ids"])}
    batch["attention_mask"][0, -3:] = 0
    tokens, read = int(batch["attention_mask"].sum()), {}
    hidden = tiny_bert.base_model(**{k: v for k, v in batch.items() if "label" not in k}, output_hidden_states=True)
    handles = inputs(tiny_bert, lambda name, x: read.update({name: x}))
    tiny_bert(**batch)
    for handle in handles:
        handle.remove()
    matrices = prunable_matrices(tiny_bert)
    assert set(read) == {name for name in matrices if "embeddings" not in name}
    assert all(x.shape == (tokens, matrices[n].shape[1]) for n, x in read.items() if "pooler" not in n)
    assert read["pooler.dense.weight"].shape[0] == len(tiny_batch["input_ids"])
    first = read["encoder.layer.0.attention.self.query.weight"]
    torch.testing.assert_close(first, hidden.hidden_states[0][batch["attention_mask"].bool()])


@pytest.mark.parametrize("name", [name for name, reads in SCORES.items() if reads == "examples"])
def test_measuring_changes_neither_weights_nor_gradients(tiny_bert, tiny_batch, name):
    before = {n: p.detach().clone() for n, p in tiny_bert.named_parameters()}
    batch = {**tiny_batch, "attention_mask": torch.ones_like(tiny_batch["input_ids"])}
    choose = chooser(Zeros(name, "matrix", "start", 1), 2)
    measure(tiny_bert, choose, [batch, batch])
    assert all(torch.equal(before[n], p) and p.grad is None for n, p in tiny_bert.named_parameters())
    masks = choose(prunable_matrices(tiny_bert), 0.6)
    score = choose.score.value(prunable_matrices(tiny_bert), choose.states, 0)
    for n, mask in masks.items():
        assert score[n][~mask].max() <= score[n][mask].min()


@pytest.mark.parametrize("name", [name for name, reads in SCORES.items() if reads == "training"])
def test_a_learnt_score_sees_the_gradients_of_the_pruned_network_and_the_values_of_pruned_weights(
    tiny_bert, tiny_batch, name
):
    """Step by step, against autograd on a copy whose pruned weights are zeros."""
    pruning = GradualPruning(tiny_bert, Schedule(0.7, 6, 2), chooser(Zeros(name, "matrix", "gradual"), 2))
    optimizer, states = torch.optim.SGD(tiny_bert.parameters(), lr=1e-2), {}
    pruning.on_train_begin(None, STATE, None)
    score, pruned_before = score_of(name), 0
    for step in range(1, 6):
        optimizer.zero_grad()
        loss = tiny_bert(**tiny_batch).loss
        wanted = torch.autograd.grad(loss, list(pruning.matrices.values()), retain_graph=True)
        for (n, p), gradient in zip(pruning.matrices.items(), wanted, strict=True):
            held = torch.where(pruning.masks[n], p.detach(), pruning.underlying[n])
            states[n] = {k: v.clone() for k, v in score.update(states.get(n, {}), held, gradient).items()}
        loss.backward()
        optimizer.step()
        pruning.on_optimizer_step(None, STATE, None)
        for n, state in states.items():
            for key, value in state.items():
                torch.testing.assert_close(pruning.choose.states[n][key], value)
        pruning.on_step_end(None, type(STATE)(global_step=step), None)
        pruned_before = max(pruned_before, pruning.sparsity)
    assert pruned_before > 0.6
    pruning.on_step_end(None, type(STATE)(global_step=6), None)
    check_zeros(tiny_bert, pruning.masks, 0.7)
    assert not pruning.choose.states and not pruning.underlying
    pruning.on_train_end(None, STATE, None)


def test_a_score_that_is_not_finite_or_has_seen_nothing_is_refused():
    weight = {"m": torch.ones(2, 2)}
    choose = chooser(Zeros("fisher", "matrix", "start", 1), 1)
    with pytest.raises(ValueError, match="a score that reads gradients has seen none"):
        choose(weight, 0.5)
    assert choose(weight, 0.0)["m"].all()
    choose.see("m", weight["m"], torch.full((2, 2), torch.nan))
    with pytest.raises(Unrankable, match="a score is NaN or infinite"):
        choose(weight, 0.5)


def test_wanda_prunes_a_linear_layer_as_a_loop_over_its_outputs():
    layer, x = nn.Linear(6, 3, bias=False), normal(1, 10, 6)
    choose = chooser(Zeros("activation", "rows", "start", 1), 1)
    choose.see("m", layer.weight.detach(), x)
    mask = choose({"m": layer.weight}, 0.5)["m"]
    for row, kept in zip(layer.weight.tolist(), mask.tolist(), strict=True):
        importance = [abs(w) * sum(v**2 for v in x[:, j].tolist()) ** 0.5 for j, w in enumerate(row)]
        assert [value in sorted(importance)[3:] for value in importance] == kept


def test_every_score_has_an_arm():
    assert {row.score for row in SHIPPED.rows.values()} == set(SCORES)


@pytest.mark.parametrize("tokens", [12, 15, 16])  # the model is 16 wide
def test_inputs_are_those_of_tokens_without_padding_and_of_one_token_for_the_pooler(tiny_bert, tokens):
    mask = torch.ones(6, tokens, dtype=torch.int64)
    mask[2, -3:] = 0
    found = {}
    handles = watching.inputs(tiny_bert, lambda name, seen: found.setdefault(name, seen.shape))
    ids = torch.full_like(mask, 7)
    tiny_bert(ids, labels=ids, next_sentence_label=mask[:, 0], attention_mask=mask)
    for handle in handles:
        handle.remove()
    pooler = {name: shape for name, shape in found.items() if "pooler" in name}
    assert list(pooler.values()) == [(6, 16)]
    assert {shape[0] for name, shape in found.items() if name not in pooler} == {6 * tokens - 3}
