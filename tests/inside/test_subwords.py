import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from prune_utils.inside import subwords
from prune_utils.pruning.masks import magnitude_mask
from prune_utils.report import plots_inside


def tokenizer_with(*tokens):
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[unused0]", *tokens])}
    model = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    return PreTrainedTokenizerFast(tokenizer_object=model, pad_token="[PAD]", unk_token="[UNK]")


def test_marks_do_not_count_and_special_tokens_are_left_out():
    found = subwords.lengths(tokenizer_with("a", "##ing", "word", "#", "##", "##é", "Ġthe", "▁the", "Ġ"))
    assert found.to_dict() == {3: 1, 4: 3, 5: 4, 6: 1, 7: 2, 8: 1, 9: 3, 10: 3, 11: 1}


def test_shares_and_correlation_worked_by_hand():
    # the first two rows are no subwords; of the others, one of 1 character loses all, two of 2 a half, one of 5 nothing
    mask = torch.tensor([[1, 1], [0, 0], [0, 0], [0, 1], [0, 1], [1, 1]]).bool()
    characters = pd.Series({2: 1, 3: 2, 4: 2, 5: 5})
    by_length = subwords.by_length(mask, characters)
    assert by_length.to_dict("list") == {"length": [1, 2, 5], "tokens": [1, 2, 1], "pruned_share": [1, 0.5, 0]}
    assert subwords.by_dimension(mask, characters).to_dict("list") == {
        "dimension": [1, 2],
        "pruned_share": [0.75, 0.25],
    }
    found = subwords.summary(mask, characters)
    assert found["correlation"] == found["low"] == found["high"] == pytest.approx(-1)
    assert (found["tokens"], found["dimensions"], found["pruned_share"]) == (4, 2, 0.5)
    assert (found["least"], found["spared"]) == (0.25, 0)
    nothing = subwords.summary(torch.ones(6, 2, dtype=torch.bool), characters)
    assert np.isnan(nothing["correlation"]) and np.isnan(nothing["low"])


def test_a_dimension_of_large_weights_is_spared():
    weights = torch.randn(400, 20, generator=torch.Generator().manual_seed(0))
    weights[:, 3] *= 100
    found = subwords.summary(magnitude_mask(weights, 0.5), pd.Series(range(1, 401)))
    assert found["spared"] == 1 and found["least"] < 0.05


@given(st.integers(0, 2**31), st.floats(0.1, 0.9))
def test_shares_average_to_the_mask_s_and_the_correlation_is_pandas_s(seed, sparsity):
    generator = torch.Generator().manual_seed(seed)
    mask = magnitude_mask(torch.randn(30, 8, generator=generator), sparsity)
    characters = pd.Series(torch.randint(1, 6, (30,), generator=generator).numpy())
    by_length, found = subwords.by_length(mask, characters), subwords.summary(mask, characters)
    share = float((~mask).double().mean())
    assert np.average(by_length.pruned_share, weights=by_length.tokens) == pytest.approx(share)
    assert subwords.by_dimension(mask, characters).pruned_share.mean() == pytest.approx(share) == found["pruned_share"]
    rows = pd.Series((~mask).double().mean(1).numpy())
    if rows.nunique() > 1:
        # Spearman's correlation is Pearson's of the ranks
        assert found["correlation"] == pytest.approx(rows.rank().corr(characters.rank()))
        assert found["low"] <= found["correlation"] <= found["high"]


def test_the_interval_of_a_correlation_holds_the_truth_as_often_as_it_says():
    random, held, truth, count = np.random.default_rng(0), 0, 0.4, 60
    for _ in range(1000):
        one, other = random.standard_normal((2, count))
        both = pd.DataFrame({"x": one, "y": truth * one + np.sqrt(1 - truth**2) * other})
        low, high = subwords._interval(both.corr("spearman").x.y, count)
        held += low < 6 / np.pi * np.arcsin(truth / 2) < high  # Spearman's correlation of two normal variables
    assert 930 <= held <= 970


def test_the_figure_shows_lengths_and_dimensions():
    mask = torch.tensor([[0, 0], [0, 1], [1, 1]]).bool()
    characters = pd.Series({0: 1, 1: 2, 2: 5})
    found = [f(mask, characters).assign(seed=0, sparsity=0.5) for f in (subwords.by_length, subwords.by_dimension)]
    left, right = plots_inside.subwords(*found).figure.axes
    assert list(left.lines[0].get_xdata()) == [1, 2, 5] and list(left.lines[0].get_ydata()) == [100, 50, 0]
    assert list(right.lines[0].get_ydata()) == pytest.approx([100 / 3, 200 / 3])
    assert right.lines[1].get_ydata()[0] == pytest.approx(5)
