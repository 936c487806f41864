"""Patterns of whole units, against loops over them and torch's own masks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prune_utils.pruning.masks import pruned_count, sparsity_of
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.patterns import SparsityMismatch, pattern_of
from prune_utils.pruning.patterns.blocks import SIDE
from prune_utils.pruning.scores import by_magnitude

SPARSITY = st.floats(0, 1, allow_nan=False)
UP, DOWN = (f"encoder.layer.0.{name}.dense.weight" for name in ("intermediate", "output"))
LINEAR = "embeddings.word_embeddings.weight"


def whole_numbers(*shape, seed=0):
    """Weights without ties, of either sign."""
    generator = torch.Generator().manual_seed(seed)
    values = 1 + torch.randperm(math.prod(shape), generator=generator).float()
    return (values * torch.where(torch.rand(len(values), generator=generator) < 0.5, -1.0, 1.0)).view(shape)


@given(st.integers(1, 6), st.integers(1, 5), st.sampled_from([(2, 4), (1, 2)]), st.integers(0, 2**31))
def test_n_of_m_keeps_the_largest_of_every_group(rows, groups, kept, seed):
    n, m = kept
    matrix = whole_numbers(rows, groups * m, seed=seed)
    mask = by_magnitude(f"{n}:{m}", {"m": matrix}, 1 - n / m)["m"]
    for row, marks in zip(matrix.abs().tolist(), mask.tolist(), strict=True):
        for start in range(0, len(row), m):
            largest = sorted(row[start : start + m])[-n:]
            assert [value in largest for value in row[start : start + m]] == marks[start : start + m]
    pattern_of(f"{n}:{m}").check({"m": mask}, 1 - n / m, 0)
    assert by_magnitude(f"{n}:{m}", {"m": matrix}, 0.0)["m"].all()


def test_two_of_four_is_what_torchs_semi_structured_layout_takes():
    """torch compresses a matrix to two of every four neighbours; ours comes back from that whole."""
    from torch.sparse._semi_structured_conversions import (
        sparse_semi_structured_from_dense_cutlass,
        sparse_semi_structured_to_dense_cutlass,
    )

    matrix = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)).half()
    pruned = matrix * by_magnitude("2:4", {"m": matrix}, 0.5)["m"]
    assert torch.equal(
        sparse_semi_structured_to_dense_cutlass(*sparse_semi_structured_from_dense_cutlass(pruned)), pruned
    )


def test_n_of_m_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="m has 6 columns; N:M pruning needs a multiple of 4"):
        by_magnitude("2:4", {"m": torch.ones(2, 6)}, 0.5)
    with pytest.raises(ValueError, match=r"sparsity is 0.3; 2:4 has 0.5"):
        by_magnitude("2:4", {"m": torch.ones(2, 8)}, 0.3)


@given(st.integers(1, 3 * SIDE), st.integers(1, 3 * SIDE), SPARSITY, st.integers(0, 2**31))
def test_blocks_of_lowest_mean_go_whole(rows, columns, sparsity, seed):
    matrix = whole_numbers(rows, columns, seed=seed)
    mask = by_magnitude("blocks", {"m": matrix}, sparsity)["m"]
    pattern_of("blocks").check({"m": mask}, sparsity, 0)
    kept, pruned = [], []
    for top in range(0, rows, SIDE):
        for left in range(0, columns, SIDE):
            block = slice(top, top + SIDE), slice(left, left + SIDE)
            assert mask[block].all() or not mask[block].any()
            (kept if mask[block].all() else pruned).append(matrix[block].abs().mean().item())
    assert len(pruned) == pruned_count(len(kept) + len(pruned), sparsity)
    assert not kept or not pruned or max(pruned) <= min(kept) + 1e-3


@given(SPARSITY, st.integers(1, 6), st.booleans(), st.integers(0, 2**31))
def test_units_of_lowest_sum_go_with_their_row_and_their_column(sparsity, units, gated, seed):
    up, down = whole_numbers(units * (1 + gated), 3, seed=seed), whole_numbers(3, units, seed=seed + 1)
    matrices = {UP: up, DOWN: down, LINEAR: torch.ones(4, 3)}
    masks = by_magnitude("units", matrices, sparsity)
    pattern_of("units").check(masks, sparsity, 0)
    sums = [up[i::units].abs().sum().item() + down[:, i].abs().sum().item() for i in range(units)]
    alive = masks[DOWN].any(0)
    assert int((~alive).sum()) == pruned_count(units, sparsity) and masks[LINEAR].all()
    assert torch.equal(masks[UP], alive.repeat(1 + gated)[:, None].expand_as(up))
    kept, pruned = ([s for s, a in zip(sums, alive.tolist(), strict=True) if a == which] for which in (True, False))
    assert not kept or not pruned or max(pruned) <= min(kept)


def test_the_layer_of_lowest_mean_goes_whole(tiny_bert):
    matrices = {name: p.detach().clone() for name, p in prunable_matrices(tiny_bert).items()}
    for name in matrices:
        if ".layer.1." in name:
            matrices[name] *= 0.5
    masks = by_magnitude("layers", matrices, 0.5)
    assert all(mask.any() != (".layer.1." in name) for name, mask in masks.items())
    pattern_of("layers").check(masks, 0.5, 0)


def test_a_pruned_unit_does_not_reach_the_output(tiny_bert, tiny_batch):
    masks = by_magnitude("units", prunable_matrices(tiny_bert), 0.25)
    apply_masks(tiny_bert, masks)
    tiny_bert.eval()
    before = tiny_bert(**tiny_batch).mlm_nll
    unit = int((~masks[UP].any(1)).nonzero()[0])
    with torch.no_grad():
        tiny_bert.bert.encoder.layer[0].intermediate.dense.bias[unit] += 5.0
    assert torch.equal(tiny_bert(**tiny_batch).mlm_nll, before)


@pytest.mark.parametrize("pattern", ["units", "layers", "blocks", "2:4"])
def test_one_weight_less_is_found(tiny_bert, pattern):
    masks = by_magnitude(pattern, prunable_matrices(tiny_bert), 0.5)
    assert 0 < sparsity_of(masks) <= 0.5 + 1e-9
    pattern_of(pattern).check(masks, 0.5, 2)
    name = next(name for name in (UP, UP.replace(".0.", ".1.")) if masks[name].any())
    masks[name][tuple(masks[name].nonzero()[0])] = False
    with pytest.raises(SparsityMismatch, match=f"{name} "):
        pattern_of(pattern).check(masks, 0.5, 2)


@given(st.sampled_from([("encoder", "matrix"), ("encoder:model", "model")]), SPARSITY, st.integers(0, 2**31))
def test_an_encoders_pattern_is_the_same_inside_the_layers_and_nothing_outside(names, sparsity, seed):
    name_of_pattern, inside = names
    matrices = {UP: whole_numbers(8, 4, seed=seed), DOWN: whole_numbers(4, 8, seed=seed), LINEAR: whole_numbers(9, 4)}
    masks = by_magnitude(name_of_pattern, matrices, sparsity)
    layers = {name: matrices[name] for name in (UP, DOWN)}
    for name, mask in by_magnitude(inside, layers, sparsity).items():
        assert torch.equal(masks[name], mask)
    assert masks[LINEAR].all()
    pattern_of(name_of_pattern).check(masks, sparsity, 0)
    masks[LINEAR][0, 0] = False
    with pytest.raises(SparsityMismatch, match="lies outside of the layers"):
        pattern_of(name_of_pattern).check(masks, sparsity, 0)
