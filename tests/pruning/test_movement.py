import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from prune_utils.pruning.masks import magnitude_mask, pruned_count
from prune_utils.pruning.movement import (
    mask_difference,
    mask_differences,
    movement,
    ranks,
    sort_order_movement,
)

ELEMENTS = st.floats(-4, 4, width=32) | st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])  # ties among them
MATRIX = arrays(np.float32, (4, 5), elements=ELEMENTS).map(torch.from_numpy)
OTHER = arrays(np.float32, (3, 3), elements=ELEMENTS).map(torch.from_numpy)
BITS = arrays(np.bool_, (4, 5)).map(torch.from_numpy)


def by_starting_rank(before, after, bins):
    return list(movement({"m": before}, {"m": after}, bins).by_starting_rank)


def test_a_swap_of_two_ranks_moves_these_two():
    before = torch.tensor([[0.1, -0.4], [0.2, 0.3]])  # ranks 0 3 / 1 2
    after = torch.tensor([[0.1, -0.4], [-0.3, 0.2]])  # ranks 0 3 / 2 1
    assert torch.equal(ranks(before), torch.tensor([0, 3, 1, 2]))
    assert torch.equal(sort_order_movement(before, after), torch.tensor([[0.0, 0.0], [0.25, 0.25]]).double())


def test_a_cycle_of_all_ranks():
    before, after = torch.arange(1.0, 6.0), torch.tensor([2.0, 3.0, 4.0, 5.0, 1.0])  # four by one, the last by four
    assert sort_order_movement(before, after).tolist() == [0.2, 0.2, 0.2, 0.2, 0.8]
    found = movement({"a": before}, {"a": after}, bins=5)
    assert found.mean == pytest.approx(8 / 25) and found.std == pytest.approx(0.24)
    assert found.by_starting_rank == pytest.approx((0.2, 0.2, 0.2, 0.2, 0.8))


def test_it_is_the_starting_rank_that_is_binned():
    before, after = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 4.0, 2.0, 3.0])
    # the second weight starts in the lower half and ends in the upper: by ending rank these were 1/8 and 3/8
    assert by_starting_rank(before, after, bins=2) == [0.25, 0.25]
    assert by_starting_rank(before, after, bins=4) == [0.0, 0.5, 0.25, 0.25]
    assert by_starting_rank(after, before, bins=4) == [0.0, 0.25, 0.25, 0.5]


def test_a_bin_without_weights_is_a_hole():
    found = by_starting_rank(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0]), bins=3)
    assert np.isnan(found).tolist() == [0, 0, 1]


def test_every_weight_counts_once_whatever_the_size_of_its_matrix():
    before = {"small": torch.tensor([1.0, 2.0]), "large": torch.arange(1.0, 7.0)}
    after = {"small": torch.tensor([2.0, 1.0]), "large": torch.arange(1.0, 7.0)}
    found = movement(before, after, bins=2)
    assert found.mean == 2 * 0.5 / 8 and found.by_starting_rank == (0.125, 0.125)
    assert found.std == pytest.approx(np.std([0.5, 0.5, 0, 0, 0, 0, 0, 0]))


@given(MATRIX, MATRIX, OTHER, OTHER)
def test_pooled_moments_are_those_of_everything_laid_end_to_end(a, b, c, d):
    moved = torch.cat([sort_order_movement(a, b).flatten(), sort_order_movement(c, d).flatten()])
    found = movement({"a": a, "c": c}, {"a": b, "c": d}, bins=3)
    assert found.mean == pytest.approx(moved.mean().item())
    assert found.std == pytest.approx(moved.std(unbiased=False).item(), abs=1e-7)
    bins = torch.cat([ranks(a) * 3 // 20, ranks(c) * 3 // 9])
    assert found.by_starting_rank == pytest.approx([moved[bins == i].mean().item() for i in range(3)])


@given(MATRIX, MATRIX)
def test_movement_is_that_of_ordinal_ranks_and_symmetric(before, after):
    first, last = (rankdata(np.abs(w.numpy()).ravel(), method="ordinal") for w in (before, after))
    moved = sort_order_movement(before, after)
    assert np.array_equal(moved.numpy().ravel(), np.abs(first - last) / 20)
    assert torch.equal(moved, sort_order_movement(after, before))


@given(MATRIX, st.sampled_from([0.5, 2.0, 1024.0, -1.0]))
def test_neither_scale_nor_sign_moves_anything(weight, scale):
    weight = torch.where(weight.abs() < 1e-30, torch.zeros(()), weight)  # scaling would lose denormals
    found = movement({"a": weight}, {"a": scale * weight})
    assert (found.mean, found.std) == (0.0, 0.0) and not any(found.by_starting_rank)


def test_equal_magnitudes_that_change_places_do_not_move():
    before = torch.tensor([1.0, -1.0, 2.0, 1.0])
    assert not sort_order_movement(before, torch.tensor([-1.0, 1.0, 2.0, -1.0])).any()
    assert ranks(before).tolist() == [0, 1, 3, 2]


@given(MATRIX, st.floats(0, 1))
def test_ranks_are_the_order_in_which_weights_are_pruned(weight, sparsity):
    kept = (ranks(weight) >= pruned_count(weight.numel(), sparsity)).view_as(weight)
    assert torch.equal(kept, magnitude_mask(weight, sparsity))


def test_mask_difference_is_over_all_matrices_together():
    masks = {"a": torch.tensor([True, False]), "b": torch.tensor([[True, True, False], [False, True, False]])}
    others = {"a": torch.tensor([False, True]), "b": torch.tensor([[True, True, False], [False, False, True]])}
    assert mask_difference(masks, others) == 0.5  # two of two and two of six
    assert mask_difference(masks, masks) == 0.0
    assert mask_difference(masks, {name: ~mask for name, mask in masks.items()}) == 1.0


@given(BITS, BITS, BITS)
def test_mask_difference_is_a_distance(a, b, c):
    def d(x, y):
        return mask_difference({"m": x}, {"m": y})

    assert d(a, b) == d(b, a) and (d(a, b) == 0) == torch.equal(a, b)
    assert d(a, c) <= d(a, b) + d(b, c) + 1e-12


def test_what_fine_tuning_alone_did_is_told_apart():
    before = {"m": torch.tensor([1.0, 2.0, 3.0, 4.0])}  # keeps the last two at one half
    after = {"m": torch.tensor([3.5, 2.0, 3.0, 4.0])}  # keeps the first and the last
    found = mask_differences({"m": torch.tensor([True, False, False, True])}, before, after, 0.5)
    assert found == {"difference": 0.0, "difference_fine_tuning_alone": 0.5}
    same = mask_differences({"m": torch.tensor([False, False, True, True])}, before, before, 0.5)
    assert same == {"difference": 0.0, "difference_fine_tuning_alone": 0.0}


@pytest.mark.parametrize("others", [{"a": torch.ones(2)}, {"b": torch.ones(3)}, {}], ids=["shape", "name", "none"])
def test_other_matrices_are_refused(others):
    for compare in (movement, mask_difference):
        with pytest.raises(ValueError, match="both models must have the same matrices; they differ in"):
            compare({"a": torch.ones(3)}, others)


def test_other_shapes_and_weights_without_rank_are_refused():
    with pytest.raises(ValueError, match=r"same shape, got \(2, 3\) and \(3, 2\)"):
        sort_order_movement(torch.ones(2, 3), torch.ones(3, 2))
    with pytest.raises(ValueError, match="NaN or infinite"):
        sort_order_movement(torch.ones(2), torch.tensor([1.0, float("nan")]))
