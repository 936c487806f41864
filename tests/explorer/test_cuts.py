"""Cuts through magnitudes against the patterns and numpy; stored matrices against the model; the inside."""

import shutil

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoTokenizer, BertConfig, BertForPreTraining
from views import control, rows_of, texts

from prune_utils.explorer import studies, view_inside, view_weights
from prune_utils.inside.heads import head_shares, matrix_shares
from prune_utils.pruning import families, stored
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.scores import by_magnitude
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.report import style


def matrices(draw):
    shapes = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4))
    values = st.integers(-3, 3)  # many ties, and zeros of both signs
    made = {}
    for place, (rows, columns) in enumerate(shapes):
        flat = draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
        made[f"m{place}"] = -torch.tensor(flat, dtype=torch.float32).view(rows, columns) / 7
    return made


@given(st.data(), st.integers(0, 99))
def test_cuts_are_those_of_the_patterns(data, whole):
    ours, sparsity = matrices(data.draw), whole / 100
    own, overall = by_magnitude("matrix", ours, sparsity), by_magnitude("model", ours, sparsity)
    made = view_weights.Cuts(ours)
    for name, matrix in ours.items():
        assert torch.equal(made.own(name, sparsity).mask, own[name])
        assert torch.equal(made.overall(name, sparsity).mask, overall[name])
        for cut, every in (
            (made.own(name, sparsity), matrix),
            (made.overall(name, sparsity), torch.cat([m.flatten() for m in ours.values()])),
        ):
            count = round(sparsity * every.numel())
            assert cut.threshold == (np.sort(np.abs(every.numpy().ravel()))[count - 1] if count else None)
            assert cut.pruned + cut.kept == matrix.numel()
        counts, edges = made.histogram(name, 7)
        assert counts.sum() == matrix.numel() and len(edges) == 8
        assert counts.tolist() == np.histogram(matrix.abs().numpy(), edges)[0].tolist()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 9))
def test_blocks_of_a_mask_hold_its_pruned_weights(rows, columns, most, seed):
    mask = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    shares = view_weights.blocks(mask, most)
    assert shares.shape == (min(rows, most), min(columns, most)) and ((shares >= 0) & (shares <= 1)).all()
    edges = [np.linspace(0, n, min(n, most) + 1).astype(int) for n in (rows, columns)]
    areas = np.outer(*map(np.diff, edges))
    assert (shares * areas).sum() == pytest.approx(int((~mask).sum()))
    if max(rows, columns) <= most:
        assert np.array_equal(shares, (~mask).numpy())


def test_heads_of_a_matrix_are_rows_or_columns():
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[:2, :3] = False
    assert matrix_shares("encoder.layer.0.attention.self.key.weight", mask, 2).to_dict() == {1: 0.5, 2: 0.0}
    assert matrix_shares("encoder.layer.0.attention.output.dense.weight", mask, 2).to_dict() == {1: 0.5, 2: 0.0}
    assert matrix_shares("encoder.layer.0.attention.output.dense.weight", mask, 3).to_dict() == {
        1: 0.5,
        2: 0.25,
        3: 0,
    }
    assert matrix_shares("pooler.dense.weight", mask, 2) is None


def test_shares_of_matrices_average_to_those_of_whole_heads(here):
    made = view_weights.cuts_of(here)
    masks = {name: made.own(name, 0.5).mask for name in made.matrices}
    parts = [
        matrix_shares(f"encoder.layer.1.attention.{part}.weight", masks[f"encoder.layer.1.attention.{part}.weight"], 2)
        for part in ("self.query", "self.key", "self.value", "output.dense")
    ]
    whole = head_shares(masks, 2)
    assert sum(parts).div(4).tolist() == pytest.approx(whole[whole.layer == 2].pruned_share.tolist())


def test_stored_matrices_are_the_models_in_its_order(here):
    folder = here.checkpoint(0.9, 0)
    theirs = prunable_matrices(BertForPreTraining.from_pretrained(folder))
    ours = stored.matrices(folder)
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert stored.words(folder) == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))


def test_layers_are_in_the_order_of_their_numbers():
    shape = {"hidden_size": 4, "num_attention_heads": 1, "intermediate_size": 4, "vocab_size": 9}
    every = list(prunable_matrices(BertForPreTraining(BertConfig(num_hidden_layers=12, **shape))))
    assert families.in_order(sorted(every)) == every and len(every) == 74


def test_the_slider_of_weights_shows_the_counts_of_the_file(here, finished):
    view = view_weights.slider(here)
    with safe_open(here.checkpoint(0.0, 0) / "model.safetensors", framework="numpy") as file:
        key = np.abs(file.get_tensor("bert.encoder.layer.1.attention.self.key.weight")).ravel()
    control(view, "Matrix").value = "encoder.layer.1.attention.self.key.weight"
    control(view, "Sparsity (%)").value = 37
    pruned = round(0.37 * key.size)
    shown = rows_of(texts(view))[view_weights.WAYS[0]]
    assert shown["pruned"] == str(pruned) and shown["kept"] == str(key.size - pruned)
    assert float(shown["cut at magnitude"]) == pytest.approx(np.sort(key)[pruned - 1], rel=1e-3)
    assert texts(view).count("<img") == 1 and "head 2" in texts(view)
    control(view, "Sparsity (%)").value = 0
    assert ">none<" in texts(view)


def test_the_drawn_histogram_is_shaded_up_to_the_cut():
    made = view_weights.Cuts({"m": torch.arange(100.0).view(10, 10)})
    figure = view_weights.cut(made, "m", {"own": made.own("m", 0.25)})
    kept, pruned = figure.axes[0].patches
    assert pruned.get_data().edges[-1] == 24 and kept.get_data().values.sum() == 100


@pytest.mark.parametrize("sparsity", [0.01, 0.25, 0.5, 0.99])
@pytest.mark.parametrize("name", ["small", "large", "zeros"])
def test_a_cut_below_or_above_all_of_a_matrix_is_drawn(name, sparsity):
    magnitude = torch.arange(100.0).view(10, 10)
    made = view_weights.Cuts({"small": magnitude, "large": 1000 + magnitude, "zeros": 0 * magnitude})
    figure = view_weights.cut(made, name, view_weights.ways(made, name, sparsity))
    for axes, one in zip(figure.axes, view_weights.ways(made, name, sparsity).values(), strict=False):
        kept, pruned = axes.patches
        end = pruned.get_data().edges[-1]
        assert end == min(one.threshold, made.matrices[name].max() or 1)
        assert style.svg(figure)


def test_pruned_words_go_and_the_others_stay_where_they_were(here):
    before, after = view_inside.magnitudes(here, 0.0), view_inside.magnitudes(here, 0.9)
    assert list(before.index) == list(after.index) and before.mean(axis=1).is_monotonic_increasing
    mask = load_masks(here.checkpoint(0.9, 0) / MASKS)["embeddings.word_embeddings.weight"]
    words = stored.words(here.checkpoint(0.9, 0))
    kept = mask[[words.index(word) for word in after.index]].numpy()
    assert (after.to_numpy()[~kept] == 0).all() and (after.to_numpy() > 0).sum() <= kept.sum()


def test_what_was_not_measured_inside_is_a_sentence_and_the_rest_is_shown(finished, empty):
    shutil.copytree(finished / "results/smoke", empty / "results/smoke")
    (empty / "results/smoke/inside/heads.csv").unlink()
    opened = studies.opened()
    assert "Not measured" in texts(view_inside.heads(opened))
    view = view_inside.slider(opened)
    assert "Not measured" in texts(view) and texts(view).count("<img") == 2
    control(view, "Sparsity").value = 0.0
    assert "Cosine of the features with those of the 0 % run, 0 %" in texts(view)


def test_who_cannot_see_the_images_hears_their_numbers(here):
    said = [image["alt"] for image in BeautifulSoup(texts(view_inside.slider(here)), "html.parser")("img")]
    heads, cosines = (here.inside(name) for name in ("heads", "similarity"))
    shares = 100 * heads[heads.sparsity == 0.9].pruned_share
    assert f"at 90 %: {shares.min():.1f} to {shares.max():.1f} %, mean {shares.mean():.1f} %." in said[0]
    zeros = (view_inside.magnitudes(here, 0.9).to_numpy() == 0).mean()
    assert f"at 90 %: {100 * zeros:.1f} % of them are zero." in said[1]
    cosine = cosines[(cosines.sparsity == 0.9) & (cosines.method == "gradual") & (cosines.layer > 0)].cosine
    assert f"{cosine.min():.3f} to {cosine.max():.3f} by layer, mean {cosine.mean():.3f}." in said[2]
