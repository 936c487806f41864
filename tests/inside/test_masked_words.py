"""Accuracy at masked tokens by the frequency of the word, against the evaluation of a run."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.inside import words_lost
from prune_utils.data import prepared
from prune_utils.data.masked_tokens import frequencies, unmasked
from prune_utils.inside.masked_words import thirds
from prune_utils.study import paths
from prune_utils.study.grid import Run
from prune_utils.study.params import load_study
from prune_utils.study.record import read_csv
from prune_utils.training.pretraining import pretrain


@given(st.lists(st.integers(0, 20), min_size=3, max_size=300), st.integers(0, 2**31))
def test_thirds_go_by_frequency_and_no_word_is_in_two(words, seed):
    words, counts = np.array(words), np.random.default_rng(seed).integers(0, 50, 21)
    found = pd.DataFrame({"word": words, "count": counts[words], "third": thirds(words, counts)})
    assert found.groupby("word").third.nunique().eq(1).all() and found.third.between(1, 3).all()
    ranges = found.groupby("third")["count"].agg(["min", "max"])
    assert (ranges["min"].to_numpy()[:-1] >= ranges["max"].to_numpy()[1:]).all()


def test_thirds_of_words_of_which_none_is_common_are_equal():
    assert thirds(np.arange(9), np.arange(9)[::-1]).tolist() == [1] * 3 + [2] * 3 + [3] * 3


def test_frequencies_are_those_of_the_text_before_masking(finished, monkeypatch):
    monkeypatch.setattr(paths, "OUT", finished)
    pairs = prepared.pretraining_data(load_study(paths.PARAMS / "smoke.yaml"))
    ids = list(chain.from_iterable(unmasked(pair) for pair in pairs.to_list()))
    assert frequencies(pairs, 10_000).tolist() == np.bincount(ids, minlength=10_000).tolist()
    assert len(frequencies(pairs)) == max(ids) + 1


def test_the_thirds_together_are_the_evaluation_of_the_run(finished, monkeypatch):
    """The smoke study has fewer held-out pairs than are read, so that all are."""
    monkeypatch.setattr(paths, "OUT", finished)
    study = load_study(paths.PARAMS / "smoke.yaml")
    frame = read_csv(paths.inside("smoke") / "masked_words.csv")
    labels = prepared.pretraining_data(study, held_out=True)[:]["labels"]
    tokens = sum((np.asarray(row) != -100).sum() for row in labels)
    for sparsity, part in frame.groupby("sparsity"):
        result = pretrain(study, Run("gradual", sparsity, 0))
        assert part.tokens.sum() == tokens and len(part) == 3
        assert np.average(part.accuracy, weights=part.tokens) == pytest.approx(result["mlm_accuracy"], abs=1e-6)
        assert np.average(part.loss, weights=part.tokens) == pytest.approx(result["mlm_loss"], abs=1e-4)


def test_words_lost_are_falls_from_the_same_seed():
    rows = [
        (s, x, t, a + 0.1 * s)
        for s in (0, 1)
        for x, t, a in ((0.0, 1, 0.8), (0.0, 3, 0.4), (0.9, 1, 0.7), (0.9, 3, 0.1))
    ]
    frame = pd.DataFrame(rows, columns=["seed", "sparsity", "third", "accuracy"])
    found = words_lost(Evidence(None, None, None, None, None, analyses={"masked_words": frame}))
    assert found[["sparsity", "frequent", "rare", "more"]].to_numpy().tolist() == [pytest.approx([0.9, 10, 30, 20])]
    assert words_lost(Evidence(None, None, None, None, None)).empty
