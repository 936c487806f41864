import copy

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prune_utils.inside import similarity
from prune_utils.inside.heads import head_shares
from prune_utils.inside.similarity import cosine_sums, mean_cosines
from prune_utils.inside.weights import histograms, statistics, word_magnitudes
from prune_utils.pruning.families import kind_and_layer
from prune_utils.pruning.families import label as in_words
from prune_utils.pruning.masks import lowest_mask, magnitude_mask, sparsity_of
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.report import plots_inside
from prune_utils.report.plots_inside import spread
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS
from prune_utils.workflow.graph import nodes
from prune_utils.workflow.progress import line

ACTIVATIONS = arrays(np.float32, (2, 3, 4), elements=st.floats(-4, 4, width=16)).map(torch.from_numpy)
ATTENTION = [f"encoder.layer.0.attention.{part}.weight" for part in ("self.query", "self.key", "self.value")]
ATTENTION.append("encoder.layer.0.attention.output.dense.weight")


def attention_masks(**pruned):
    """The attention of one layer, 4 wide, with nothing pruned but what is named."""
    masks = {name: torch.ones(4, 4, dtype=torch.bool) for name in ATTENTION}
    for name, where in pruned.items():
        masks[next(full for full in ATTENTION if name in full)][where] = False
    return masks


# --- similarity ---


def test_cosines_worked_by_hand():
    # two layers, one pair of three tokens, the last of them padding
    first = torch.tensor([[[1.0, 0.0], [3.0, 4.0], [1.0, 0.0]]])
    second = torch.tensor([[[0.0, 2.0], [4.0, 3.0], [1.0, 0.0]]])
    kept = torch.tensor([[1, 1, 0]])
    sums = cosine_sums([first, first], [second, -first], kept)
    assert sums.tolist() == pytest.approx([0 + 24 / 25, -1 - 1])
    assert cosine_sums([first], [second], torch.ones(1, 3, dtype=torch.long)).tolist() == pytest.approx([24 / 25 + 1])


@given(ACTIVATIONS, ACTIVATIONS, arrays(np.int64, (2, 3), elements=st.integers(0, 1)).map(torch.from_numpy))
def test_padding_does_not_count_and_length_does_not_matter(one, other, kept):
    sums = cosine_sums([one], [other], kept)
    assert abs(sums.item()) <= int(kept.sum()) + 1e-5
    noise = torch.where(kept.bool()[..., None], other, torch.full_like(other, 7.0))
    assert torch.equal(sums, cosine_sums([one], [noise], kept))
    # one example at a time gives the same sum
    parts = [cosine_sums([one[i : i + 1]], [other[i : i + 1]], kept[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(sums, sum(parts))


def test_models_with_other_numbers_of_layers_are_refused():
    layer = torch.ones(1, 2, 2)
    with pytest.raises(ValueError):
        cosine_sums([layer], [layer, layer], torch.ones(1, 2))


def batches_of(batch):
    kept = torch.ones_like(batch["input_ids"])
    kept[3:, 8:] = 0
    given = {"input_ids": batch["input_ids"], "token_type_ids": batch["token_type_ids"], "attention_mask": kept}
    return [{name: values[part] for name, values in given.items()} for part in (slice(0, 2), slice(2, 6))]


def test_a_model_is_like_itself_in_every_layer_and_unlike_its_pruned_self(tiny_bert, tiny_batch):
    tiny_bert.eval()
    pruned = copy.deepcopy(tiny_bert)
    apply_masks(pruned, {name: magnitude_mask(p, 0.9) for name, p in prunable_matrices(pruned).items()})
    batches = batches_of(tiny_batch)
    assert mean_cosines(tiny_bert.bert, tiny_bert.bert, batches) == pytest.approx([1, 1, 1])
    cosines = mean_cosines(pruned.bert, tiny_bert.bert, batches)
    assert len(cosines) == 3 and max(cosines) < 0.99
    assert mean_cosines(tiny_bert.bert, pruned.bert, batches) == pytest.approx(cosines)


def test_the_mean_is_over_tokens_of_all_batches(tiny_bert, tiny_batch):
    tiny_bert.eval()
    other = copy.deepcopy(tiny_bert)
    torch.nn.init.normal_(other.bert.embeddings.word_embeddings.weight, generator=torch.Generator().manual_seed(0))
    batches = batches_of(tiny_batch)
    means = [mean_cosines(tiny_bert.bert, other.bert, [batch]) for batch in batches]
    weights = [int(batch["attention_mask"].sum()) for batch in batches]
    assert weights == [24, 36]
    assert mean_cosines(tiny_bert.bert, other.bert, batches) == pytest.approx(np.average(means, 0, weights), abs=1e-6)


def test_held_out_pairs_are_chosen_evenly_and_batched_by_length(monkeypatch):
    study = load_study(PARAMS / "smoke.yaml")
    monkeypatch.setattr(similarity, "PAIRS", 5)
    monkeypatch.setattr(similarity, "BATCH_SIZE", 2)
    batches = similarity.held_out_batches(study)
    assert [len(batch["input_ids"]) for batch in batches] == [2, 2, 1]
    lengths = torch.cat([batch["attention_mask"].sum(1) for batch in batches])
    assert torch.equal(lengths, lengths.sort().values) and set(batches[0]) == {
        "input_ids",
        "token_type_ids",
        "attention_mask",
    }
    everything = similarity.prepared.pretraining_data(study, held_out=True)
    pairs = [everything[round(i)] for i in np.floor(np.linspace(0, len(everything) - 1, 5))]
    ids, answers = (pd.Series([pair[name] for pair in pairs]).map(np.array) for name in ("input_ids", "labels"))
    expected = [np.where(a < 0, read, a).tolist() for read, a in zip(ids, answers, strict=True)]  # before masking
    rows = [
        ids[: int(kept.sum())].tolist()
        for batch in batches
        for ids, kept in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    assert sorted(rows) == sorted(expected)
    mask = similarity.tokenizer_of(study).mask_token_id
    assert mask in np.concatenate(list(ids)) and mask not in np.concatenate(rows)


# --- heads ---


def test_a_head_whose_rows_and_columns_are_gone_is_gone():
    top, right = slice(0, 2), (slice(None), slice(2, 4))
    # head 1 has the upper two rows of query, key and value; head 2 the right two columns of the output
    shares = head_shares(attention_masks(query=top, key=top, value=top, output=right), heads=2)
    assert shares.to_dict("list") == {"layer": [1, 1], "head": [1, 2], "pruned_share": [0.75, 0.25]}
    left = (slice(None), slice(0, 2))
    whole = head_shares(attention_masks(query=top, key=top, value=top, output=left), heads=2)
    assert whole.pruned_share.tolist() == [1, 0]
    one_weight = head_shares(attention_masks(value=(3, 0)), heads=4)
    assert one_weight.pruned_share.tolist() == [0, 0, 0, 1 / 16]


@given(st.floats(0, 1), st.integers(0, 2**31))
def test_heads_together_are_as_sparse_as_their_layers_attention(sparsity, seed):
    generator = torch.Generator().manual_seed(seed)
    masks = {
        name.replace("layer.0", f"layer.{layer}"): lowest_mask(torch.rand(6, 6, generator=generator), sparsity)
        for name in ATTENTION
        for layer in range(2)
    }
    by_layer = head_shares(masks, heads=3).groupby("layer").pruned_share.mean()
    for layer in (0, 1):
        own = {name: mask for name, mask in masks.items() if f"layer.{layer}." in name}
        assert by_layer[layer + 1] == pytest.approx(sparsity_of(own))


def test_heads_of_a_model_are_those_of_its_layers(tiny_bert):
    masks = {name: magnitude_mask(p, 0.5) for name, p in prunable_matrices(tiny_bert).items()}
    shares = head_shares(masks, tiny_bert.config.num_attention_heads)
    assert shares[["layer", "head"]].values.tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert shares.pruned_share.mean() == pytest.approx(0.5)


# --- weights ---


def test_moments_of_a_known_matrix_are_of_its_kept_weights():
    matrix = {"pooler.dense.weight": torch.tensor([[1.0, 3.0], [0.0, 0.0]])}
    dense = statistics(matrix, {"pooler.dense.weight": torch.ones(2, 2, dtype=torch.bool)}).iloc[0]
    assert (dense["size"], dense.pruned_share, dense["mean"]) == (4, 0, 1)
    assert dense["std"] == pytest.approx((6 / 4) ** 0.5)
    pruned = statistics(matrix, {"pooler.dense.weight": torch.tensor([[True, True], [False, False]])}).iloc[0]
    assert (pruned["size"], pruned.pruned_share, pruned["mean"], pruned["std"]) == (4, 0.5, 2, 1)
    nothing = statistics(matrix, {"pooler.dense.weight": torch.zeros(2, 2, dtype=torch.bool)}).iloc[0]
    assert nothing.pruned_share == 1 and np.isnan(nothing["mean"]) and np.isnan(nothing["std"])


def test_histogram_of_known_weights():
    # the wider matrix has standard deviation 1: edges at -4, -2, 0, 2, 4
    frame = histograms({"a": torch.tensor([1.0, -1.0, 1.0, -1.0]), "b": torch.tensor([0.1, 0.1, 0.1])}, bins=4)
    assert frame.left[:4].tolist() == [-4, -2, 0, 2] and frame.right[:4].tolist() == [-2, 0, 2, 4]
    assert frame[frame.matrix == "a"]["count"].tolist() == [0, 2, 2, 0]
    assert frame[frame.matrix == "b"]["count"].tolist() == [0, 0, 3, 0]


def test_histogram_counts_what_lies_far_out_at_its_ends():
    weights = torch.zeros(1000)
    weights[:2] = torch.tensor([100.0, -100.0])
    counts = histograms({"a": weights}, bins=10)["count"]
    assert (counts.iloc[0], counts.iloc[-1], counts.sum()) == (1, 1, 1000)


def test_every_matrix_has_a_kind_and_a_layer(tiny_bert):
    named = [kind_and_layer(name) for name in prunable_matrices(tiny_bert)]
    assert sorted(named, key=str) == sorted(
        [("word embeddings", None), ("pooler", None)]
        + [
            (kind, layer)
            for layer in (1, 2)
            for kind in ("query", "key", "value", "attention output", "intermediate", "output")
        ],
        key=str,
    )


def test_words_are_sorted_by_magnitude_and_evenly_chosen():
    embeddings = torch.tensor([[-3.0, 3.0], [0.0, 0.0], [1.0, -1.0], [2.0, 2.0], [9.0, 9.0]])
    chosen = word_magnitudes(embeddings, ["a", "b", "c", "d"], most=3)  # the fifth row is no token's
    assert list(chosen.index) == ["b", "c", "a"]
    assert chosen.values.tolist() == [[0, 0], [1, 1], [3, 3]]


@given(st.integers(1, 50), st.integers(1, 50))
def test_no_word_is_chosen_twice(size, most):
    embeddings = torch.arange(float(size)).view(size, 1)
    chosen = word_magnitudes(embeddings, [str(i) for i in range(size)], most)
    ranks = [int(word) for word in chosen.index]
    assert len(ranks) == min(size, most) and ranks == sorted(set(ranks)) and ranks[0] == 0
    assert most == 1 or ranks[-1] == size - 1


# --- figures ---


def similarities(methods=("gradual", "random"), sparsities=(0.0, 0.5, 0.9), seeds=(0, 1)):
    """Cosines that fall by 0.5 · sparsity and 0.1 a layer, 0.02 apart between seeds."""
    return pd.DataFrame(
        [
            {"seed": seed, "method": method, "sparsity": s, "layer": layer, "cosine": 1 - s * (0.5 + 0.1 * layer) - c}
            for seed in seeds
            for method in methods
            for s in sparsities
            if s or method == "gradual"
            for layer in range(3)
            for c in [0.02 * seed * bool(s)]
        ]
    )


def test_the_figure_of_similarity_shows_layers_and_their_mean():
    axes = plots_inside.similarity(similarities()).figure.axes[0]
    lines = {handle.get_label(): handle for handle in axes.lines}
    assert list(lines["layer 2"].get_xdata()) == pytest.approx([0, 50, 90])
    assert list(lines["layer 2"].get_ydata()) == pytest.approx([1, 1 - 0.35 - 0.01, 1 - 0.63 - 0.01])
    # random masks start from the same 0 % run; the means leave out layer 0, the embeddings
    for name in ("magnitude, gradual, mean", "random masks, mean"):
        assert list(lines[name].get_ydata()) == pytest.approx([1, 1 - 0.325 - 0.01, 1 - 0.585 - 0.01])
    assert lines["random masks, mean"].get_linestyle() == "--"
    alone = plots_inside.similarity(similarities(methods=("gradual",), sparsities=(0.0,), seeds=(0,)))
    assert len(alone.figure.axes[0].lines) == 4


def test_the_figures_of_heads_show_their_spread():
    masks = attention_masks(query=slice(0, 2), key=slice(0, 2), value=slice(0, 2))
    frame = pd.concat(
        [
            head_shares(masks, 2).assign(seed=0, sparsity=0.375),
            head_shares(attention_masks(), 2).assign(seed=0, sparsity=0.0),
        ]
    )
    assert spread(frame).loc[0.375].tolist() == [0.375, 0, 0.75]
    one_shot = frame.assign(pruned_share=frame.pruned_share / 3)
    left, right = plots_inside.head_spread(frame, one_shot).figure.axes
    assert list(left.lines[0].get_ydata()) == [0, 37.5] and list(right.lines[0].get_ydata()) == [0, 0]
    assert [list(line.get_ydata()) for line in left.lines[1:3]] == [[0, 0], [0, 25]]
    assert [list(line.get_ydata()) for line in right.lines[1:3]] == [[0, -37.5], [0, -12.5]]
    band = right.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (-37.5, 37.5)
    shown = plots_inside.head_map(frame, 0.375)
    assert [text.get_text() for text in shown.figure.axes[0].texts] == ["75.0", "0.0"]


def test_the_figures_of_weights_show_every_matrix(tiny_bert):
    matrices = {name: p.detach() for name, p in prunable_matrices(tiny_bert).items()}
    panels = plots_inside.weight_histograms(histograms(matrices)).figure.axes
    assert {axes.get_title(): len(axes.lines) for axes in panels} == {
        **dict.fromkeys(("query", "key", "value", "attention output", "intermediate", "output"), 2),
        "pooler": 1,
        "word embeddings": 1,
    }
    for axes in panels:  # no peak is cut off
        assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > max(line.get_ydata().max() for line in axes.lines)
    masks = {name: torch.ones(p.shape, dtype=torch.bool) for name, p in matrices.items()}
    frame = statistics(matrices, masks).assign(sparsity=0.0, seed=0)
    axes = plots_inside.mean_and_std(frame.assign(matrix=frame.matrix.map(in_words))).figure.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == 14 and labels[:2] == ["word embeddings", "layer 1 query"] and labels[-1] == "pooler"


def test_words_are_labels_and_not_mathtext(tmp_path):
    words = ["$x", "a$b$", "_", "\\", "中", "<unk>", "&"]
    figure = plots_inside.word_map(pd.DataFrame(np.zeros((7, 3)), index=words)).figure
    figure.savefig(tmp_path / "words.svg")
    written = (tmp_path / "words.svg").read_text()
    for label in ("$x", "a$b$", "\\u4e2d", "&lt;unk&gt;", "&amp;"):
        assert f">{label}</text>" in written


# --- the node ---


def test_the_analysis_comes_between_pre_training_and_the_regimes_and_costs_no_estimate():
    study = load_study(PARAMS / "smoke.yaml")
    every = nodes(study)
    inside = next(node for node in every if node.name == "inside the encoder")
    trained = [path for node in every if node.template == nodes(study)[0].template for path in node.frames]
    assert list(inside.after) == trained and inside.examples == 0
    assert [node.name for node in every[-2:]] == ["regimes", "details"] and set(inside.frames) <= set(every[-2].after)
    assert line(study).endswith("?")
