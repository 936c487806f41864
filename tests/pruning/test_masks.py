import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch.nn.utils import prune

from prune_utils.pruning.masks import kth_smallest, magnitude_mask, pruned_count, sparsity_of

SPARSITY = st.floats(0, 1, allow_nan=False)
WEIGHTS = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats(-4, 4, width=32)
).map(torch.from_numpy)
TIED = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])
).map(torch.from_numpy)


@given(WEIGHTS | TIED, SPARSITY)
def test_count_is_exact_and_kept_weights_are_no_smaller(weight, sparsity):
    mask = magnitude_mask(weight, sparsity)
    assert mask.shape == weight.shape and mask.dtype == torch.bool
    assert int((~mask).sum()) == round(sparsity * weight.numel())
    kept, pruned = weight[mask].abs(), weight[~mask].abs()
    assert not len(kept) or not len(pruned) or kept.min() >= pruned.max()


@given(WEIGHTS | TIED, SPARSITY)
def test_agrees_with_torch_prune_at_the_same_count(weight, sparsity):
    ours = magnitude_mask(weight, sparsity)
    theirs = (
        prune.L1Unstructured(amount=pruned_count(weight.numel(), sparsity))
        .compute_mask(weight, torch.ones_like(weight))
        .bool()
    )
    # under ties another choice among equals is as good: what is kept must have the same magnitudes
    assert torch.equal(weight[ours].abs().sort().values, weight[theirs].abs().sort().values)
    if weight.abs().unique().numel() == weight.numel():
        assert torch.equal(ours, theirs)


@given(TIED, SPARSITY)
def test_of_equal_magnitudes_the_earlier_goes_first(weight, sparsity):
    count = pruned_count(weight.numel(), sparsity)
    by_rank = np.argsort(np.abs(weight.numpy().ravel()), kind="stable")
    expected = np.ones(weight.numel(), dtype=bool)
    expected[by_rank[:count]] = False
    assert np.array_equal(magnitude_mask(weight, sparsity).numpy().ravel(), expected)


@given(WEIGHTS, SPARSITY, st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaling_a_matrix_changes_no_mask(weight, sparsity, scale):
    weight = torch.where(weight.abs() < 1e-30, torch.zeros(()), weight)  # scaling would lose denormals
    assert torch.equal(magnitude_mask(weight, sparsity), magnitude_mask(scale * weight, sparsity))


@given(WEIGHTS, SPARSITY, SPARSITY)
def test_a_sparser_mask_keeps_a_subset(weight, one, other):
    sparser, denser = magnitude_mask(weight, max(one, other)), magnitude_mask(weight, min(one, other))
    assert not (sparser & ~denser).any()


def test_nothing_is_changed_in_place():
    weight = torch.randn(5, 5)
    before = weight.clone()
    magnitude_mask(weight, 0.5)
    assert torch.equal(weight, before)


def test_half_precision_ranks_like_its_own_values():
    weight = torch.randn(64, 64).bfloat16()
    assert int((~magnitude_mask(weight, 0.3)).sum()) == round(0.3 * 64 * 64)


@pytest.mark.parametrize("sparsity", [-0.1, 1.2, float("nan")])
def test_a_sparsity_that_is_no_fraction_is_refused(sparsity):
    with pytest.raises(ValueError, match="sparsity must be between 0 and 1, got"):
        magnitude_mask(torch.ones(2, 2), sparsity)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_without_rank_is_refused(value):
    with pytest.raises(ValueError, match="NaN or infinite"):
        magnitude_mask(torch.tensor([[1.0, value]]), 0.5)


def test_sparsity_of_masks_is_over_all_of_them():
    assert sparsity_of({"a": torch.tensor([True, False]), "b": torch.zeros(2, dtype=torch.bool)}) == 0.75
    assert sparsity_of({}) == 0.0


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50), st.data())
def test_the_smallest_values_are_counted_as_a_sort_counts_them(values, data):
    k = data.draw(st.integers(1, len(values)))
    assert kth_smallest(torch.tensor(values, dtype=torch.float32), k).item() == sorted(values)[k - 1]
