import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prune_utils.pruning.masks import pruned_count, sparsity_of
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices
from prune_utils.pruning.patterns import SparsityMismatch, pattern_of
from prune_utils.pruning.patterns.heads import sums
from prune_utils.pruning.scores import by_magnitude, chooser, score_of
from prune_utils.study.sections.arms import PATTERNS, Zeros

QUERY, KEY, VALUE, OUTPUT = (
    f"encoder.layer.0.attention.{name}.weight" for name in ("self.query", "self.key", "self.value", "output.dense")
)
WORDS = "embeddings.word_embeddings.weight"
SHAPES = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=4)
SPARSITY = st.floats(0, 1, allow_nan=False)
TIED = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])


def over_all(matrices, sparsity, heads):
    return by_magnitude("model", matrices, sparsity)


def per_matrix(matrices, sparsity, heads):
    return by_magnitude("matrix", matrices, sparsity)


def by_head(matrices, sparsity, heads):
    return by_magnitude("heads", matrices, sparsity, heads)


def head_magnitudes(matrices, heads):
    return sums(score_of("magnitude").value(matrices, {}, 0), heads)


def drawn(shapes, seed):
    """Matrices without ties between any two of their magnitudes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [a * b for a, b in shapes]
    values = 1 + torch.randperm(sum(sizes), generator=generator).float()
    values *= torch.where(torch.rand(len(values), generator=generator) < 0.5, -1.0, 1.0)
    return {f"m{i}": part.view(shape) for i, (part, shape) in enumerate(zip(values.split(sizes), shapes, strict=True))}


def attention(*layers):
    """Matrices of layers of two heads, of one unit each, whose weights are ± a value given for each head."""
    signs = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    made = {}
    for i, values in enumerate(layers):
        rows = signs * torch.tensor(values)[:, None]
        made |= {n.replace("layer.0", f"layer.{i}"): rows.clone() for n in (QUERY, KEY, VALUE)}
        made[OUTPUT.replace("layer.0", f"layer.{i}")] = rows.T.clone()
    return made | {WORDS: torch.full((3, 2), 0.001)}


def test_global_ranks_two_matrices_together():
    matrices = {"small": torch.tensor([[1.0, -2.0], [3.0, 4.0]]), "large": torch.tensor([[-5.0, 2.5], [8.0, 7.0]])}
    masks = over_all(matrices, 0.5, 0)
    assert masks["small"].tolist() == [[False, False], [False, True]]
    assert masks["large"].tolist() == [[True, False], [True, True]]


def test_of_equal_magnitudes_the_earlier_matrix_goes_first():
    masks = over_all({"a": torch.ones(2, 2), "b": torch.ones(1, 2)}, 0.5, 0)
    assert masks["a"].tolist() == [[False, False], [False, True]] and masks["b"].all()


@given(SHAPES, st.data(), SPARSITY)
def test_global_count_is_exact_under_ties_and_kept_are_no_smaller(shapes, data, sparsity):
    matrices = {
        f"m{i}": torch.tensor(data.draw(st.lists(TIED, min_size=a * b, max_size=a * b))).view(a, b)
        for i, (a, b) in enumerate(shapes)
    }
    masks = over_all(matrices, sparsity, 0)
    every = torch.cat([m.flatten() for m in matrices.values()])
    keep = torch.cat([m.flatten() for m in masks.values()])
    assert int((~keep).sum()) == pruned_count(len(every), sparsity)
    expected = np.ones(len(every), dtype=bool)
    expected[np.argsort(np.abs(every.numpy()), kind="stable")[: pruned_count(len(every), sparsity)]] = False
    assert np.array_equal(keep.numpy(), expected)
    pattern_of("model").check(masks, sparsity, 0)


@given(SHAPES, st.integers(0, 2**31), SPARSITY)
def test_global_agrees_with_torch_prune(shapes, seed, sparsity):
    matrices = drawn(shapes, seed)
    layers = {}
    for name, matrix in matrices.items():
        layers[name] = nn.Linear(*reversed(matrix.shape), bias=False)
        layers[name].weight.data = matrix.clone()
    count = pruned_count(sum(m.numel() for m in matrices.values()), sparsity)
    prune.global_unstructured([(m, "weight") for m in layers.values()], prune.L1Unstructured, amount=count)
    for name, mask in over_all(matrices, sparsity, 0).items():
        assert torch.equal(mask, layers[name].weight_mask.bool())


@given(SHAPES, st.integers(0, 2**31), SPARSITY)
def test_global_over_one_matrix_is_per_matrix(shapes, seed, sparsity):
    one = dict(list(drawn(shapes, seed).items())[:1])
    assert torch.equal(over_all(one, sparsity, 0)["m0"], per_matrix(one, sparsity, 0)["m0"])


@given(SHAPES, st.integers(0, 2**31), SPARSITY)
def test_random_scores_prune_what_a_random_draw_prunes(shapes, seed, sparsity):
    matrices, generator = drawn(shapes, seed), torch.Generator().manual_seed(seed)
    masks = chooser(Zeros("random", "matrix", "start"), 1, seed)(matrices, sparsity)
    for name, matrix in matrices.items():
        first = torch.randperm(matrix.numel(), generator=generator)[: pruned_count(matrix.numel(), sparsity)]
        assert (~masks[name]).flatten().nonzero().flatten().tolist() == sorted(first.tolist())


def test_random_scores_do_not_look_at_magnitudes():
    matrices = {"m": torch.arange(100_000.0).view(100, 1000)}
    mask = chooser(Zeros("random", "matrix", "start"), 1)(matrices, 0.5)["m"]
    assert 0.49 < (~mask).view(-1)[:50_000].float().mean() < 0.51


def test_scaling_a_matrix_changes_the_global_mask_and_no_other():
    matrices = drawn([(6, 6), (6, 6)], 0)
    scaled = matrices | {"m1": 1000 * matrices["m1"]}
    assert sparsity_of(over_all(scaled, 0.5, 0)) == 0.5
    assert not over_all(scaled, 0.5, 0)["m0"].any() and over_all(matrices, 0.5, 0)["m0"].any()
    for name, mask in per_matrix(scaled, 0.5, 0).items():
        assert torch.equal(mask, per_matrix(matrices, 0.5, 0)[name])


def test_matrices_drawn_alike_are_pruned_nearly_alike_by_global_and_per_matrix():
    torch.manual_seed(0)
    matrices = {f"m{i}": torch.randn(200, 200) for i in range(3)}
    shares = [1 - mask.float().mean().item() for mask in over_all(matrices, 0.6, 0).values()]
    assert shares == pytest.approx([0.6] * 3, abs=0.02) and len(set(shares)) > 1


def test_the_magnitude_of_a_head_is_that_of_its_rows_and_columns():
    matrices = attention([3.0, 1.0])
    # in each of four matrices two weights of the head's value
    assert {layer: m.tolist() for layer, m in head_magnitudes(matrices, 2).items()} == {1: [24.0, 8.0]}
    matrices[OUTPUT][0, 1] = 100.0  # in column 1, so of head 1
    assert head_magnitudes(matrices, 2)[1].tolist() == [24.0, 8.0 - 1.0 + 100.0]


def test_the_smallest_heads_of_the_model_go_whole_and_nothing_else():
    masks = by_head(attention([3.0, 1.0], [0.5, 2.0]), 0.5, 2)
    for layer, keep in (("layer.0", [True, False]), ("layer.1", [False, True])):
        for name in (QUERY, KEY, VALUE):
            assert masks[name.replace("layer.0", layer)].tolist() == [[k, k] for k in keep]
        assert masks[OUTPUT.replace("layer.0", layer)].tolist() == [keep, keep]
    assert masks[WORDS].all()


@given(SPARSITY, st.sampled_from([1, 2, 4, 8]), st.integers(0, 2**31))
def test_the_count_of_heads_is_exact_and_checked(sparsity, heads, seed):
    generator = torch.Generator().manual_seed(seed)
    names = [n.replace("layer.0", f"layer.{i}") for i in range(3) for n in (QUERY, KEY, VALUE, OUTPUT)]
    matrices = {n: torch.randint(1, 3, (16, 16), generator=generator).float() for n in names}  # many ties
    masks = by_head(matrices, sparsity, heads)
    pattern_of("heads").check(masks, sparsity, heads)
    assert sparsity_of(masks) == pytest.approx(round(sparsity * 3 * heads) / (3 * heads))


def test_a_pruned_head_does_not_reach_the_output(tiny_bert, tiny_batch):
    """Its contribution is nothing: with biases of value at 0, whatever goes into it changes no output."""
    layer = tiny_bert.bert.encoder.layer[0].attention
    masks = by_head(prunable_matrices(tiny_bert), 0.25, 2)
    assert sum(int((~m).sum()) for m in masks.values()) == 4 * 8 * 16
    name = next(n for n, m in masks.items() if not m.all())
    layer = tiny_bert.bert.encoder.layer[int(name.split(".")[2])].attention
    head = 0 if not masks[name][0].any() else 1
    apply_masks(tiny_bert, masks)
    tiny_bert.eval()
    before = tiny_bert(**tiny_batch).mlm_nll
    with torch.no_grad():
        layer.self.value.bias[8 * head : 8 * head + 8] += 5.0
    assert torch.equal(tiny_bert(**tiny_batch).mlm_nll, before)
    with torch.no_grad():
        layer.self.value.bias[8 - 8 * head : 16 - 8 * head] += 5.0
    assert not torch.allclose(tiny_bert(**tiny_batch).mlm_nll, before)


@pytest.mark.parametrize("pattern", [*PATTERNS, "2:4", "1:2"])
def test_each_promise_is_kept_by_its_own_masks_and_broken_by_one_weight(tiny_bert, pattern):
    masks = by_magnitude(pattern, prunable_matrices(tiny_bert), 0.5, 2)
    apply_masks(tiny_bert, masks)
    check_zeros(tiny_bert, masks, 0.5, pattern)
    names = [f"encoder.layer.{layer}.attention.self.value.weight" for layer in (1, 0)]
    name = next(name for name in names if masks[name].any())
    masks[name][tuple(masks[name].nonzero()[0])] = False
    with torch.no_grad():
        prunable_matrices(tiny_bert)[name].mul_(masks[name])
    with pytest.raises(SparsityMismatch, match=f"{name} |a sparsity of 50 % requires"):
        check_zeros(tiny_bert, masks, 0.5, pattern)


@pytest.mark.parametrize(
    "made, held_to", [("model", "matrix"), ("heads", "matrix"), ("matrix", "heads"), ("matrix", "rows")]
)
def test_masks_do_not_keep_the_promise_of_another_pattern(tiny_bert, made, held_to):
    masks = by_magnitude(made, prunable_matrices(tiny_bert), 0.5, 2)
    apply_masks(tiny_bert, masks)
    with pytest.raises(SparsityMismatch):
        check_zeros(tiny_bert, masks, 0.5, held_to)


def test_half_of_the_heads_pruned_where_a_quarter_was_asked_for_is_found(tiny_bert):
    masks = by_head(prunable_matrices(tiny_bert), 0.5, 2)
    apply_masks(tiny_bert, masks)
    with pytest.raises(
        SparsityMismatch, match="the model has 2 of 4 attention heads pruned; a sparsity of 25 % requires 1"
    ):
        check_zeros(tiny_bert, masks, 0.25, "heads")


@pytest.mark.parametrize("n, m", [(4, 5), (7, 10), (9, 10), (2, 4)])
def test_n_of_m_is_chosen_at_its_share_of_the_grid(n, m):
    share = round(1 - n / m, 2)
    masks = pattern_of(f"{n}:{m}").choose({"m": torch.rand(3, 2 * m)}, share, 1)
    pattern_of(f"{n}:{m}").check(masks, share, 1)


def test_a_head_owns_its_rows_of_each_block_of_a_fused_matrix():
    """Rows of all queries, then of all keys, then of all values: two heads of two rows in each."""
    of_head = torch.tensor([1.0, 1, 10, 10]).repeat(3)
    fused, output = of_head[:, None].expand(12, 4), torch.tensor([1.0, 1, 10, 10]).expand(4, 4)
    found = sums({"layers.0.attn.Wqkv.weight": fused, "layers.0.attn.Wo.weight": output}, heads=2)
    assert {layer: units.tolist() for layer, units in found.items()} == {1: [32.0, 320.0]}
