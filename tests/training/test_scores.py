"""Scores of a classifier against scikit-learn, scipy and formulas worked out by hand; its logits are given."""

from types import SimpleNamespace

import numpy as np
import pytest
from datasets import Dataset
from scipy.special import logsumexp, softmax
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, f1_score, log_loss

from prune_utils.training import scores as module

STUDY = SimpleNamespace(machine="the machine")
PREDICTIONS = "dev_predictions.npy"


def examples(labels):
    return Dataset.from_dict({"input_ids": [[1, 2]] * len(labels), "length": [2] * len(labels), "labels": labels})


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """A function from (logits, labels) of the training set and of the dev set to scores."""

    def predict(model, data, machine, tokenizer):
        assert "labels" not in data.column_names and (machine, tokenizer) == ("the machine", "the tokenizer")
        return (model[len(data)],)

    def of(train, dev):
        model = {len(labels): np.asarray(logits, dtype=np.float32) for logits, labels in (train, dev)}
        sets = examples(list(train[1])), examples(list(dev[1]))
        return module.scores(model, *sets, STUDY, "the tokenizer", tmp_path / "cell")

    monkeypatch.setattr(module, "predict", predict)
    return of


def drawn(labels, examples, seed):
    """Random logits and answers that agree more often than not."""
    random = np.random.default_rng(seed)
    answers = random.integers(labels, size=examples)
    logits = random.normal(size=(examples, labels)).astype(np.float32)
    logits[np.arange(examples), answers] += 0.8
    return logits, answers.tolist()


def test_two_labels_by_hand(scored, tmp_path):
    #          0 right   1 right   1 right   0 wrong    1 wrong
    logits = [[2.0, 0], [0, 2.0], [0, 1.0], [0, 1.0], [1.0, 0]]
    result = scored(([[0.0, 0.0], [np.log(3), 0.0]], [0, 0]), (logits, [0, 1, 1, 0, 1]))
    # true positives 2, true negatives 1, false positives 1, false negatives 1
    assert result["dev_accuracy"] == 0.6
    assert result["dev_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert result["dev_matthews"] == pytest.approx((2 * 1 - 1 * 1) / np.sqrt(3 * 3 * 2 * 2))
    assert result["dev_majority"] == 0.6 and result["dev_examples"] == 5
    assert result["dev_loss"] == pytest.approx(
        np.mean([np.log1p(np.exp(-margin)) for margin in (2, 2, 1, -1, -1)]), rel=1e-6
    )
    assert result["train_loss"] == pytest.approx((np.log(2) + np.log(4 / 3)) / 2, rel=1e-6)
    predictions = np.load(tmp_path / "cell" / PREDICTIONS, allow_pickle=False)
    assert predictions.tolist() == [0, 1, 1, 1, 0] and predictions.dtype == np.uint8


def test_two_labels_against_other_implementations(scored):
    train, dev = drawn(2, 31, seed=0), drawn(2, 50, seed=1)
    result, predicted = scored(train, dev), dev[0].argmax(1)
    assert result["dev_accuracy"] == accuracy_score(dev[1], predicted)
    assert result["dev_f1"] == pytest.approx(f1_score(dev[1], predicted))
    assert result["dev_matthews"] == pytest.approx(pearsonr(dev[1], predicted).statistic)  # equal for two labels
    assert result["dev_loss"] == pytest.approx(log_loss(dev[1], softmax(dev[0].astype(float), axis=1)))
    by_hand = logsumexp(train[0].astype(float), axis=1) - train[0][np.arange(31), train[1]]
    assert result["train_loss"] == pytest.approx(by_hand.mean())


def test_three_labels_have_no_f1_and_a_matthews_coefficient_of_three_labels(scored):
    train, dev = drawn(3, 20, seed=2), drawn(3, 60, seed=3)
    result, predicted = scored(train, dev), dev[0].argmax(1)
    assert result["dev_f1"] is None
    counted, truth = np.bincount(predicted, minlength=3), np.bincount(dev[1], minlength=3)
    right, every = (predicted == dev[1]).sum(), 60
    expected = right * every - counted @ truth
    expected /= np.sqrt((every**2 - counted @ counted) * (every**2 - truth @ truth))  # Gorodkin 2004
    assert result["dev_matthews"] == pytest.approx(expected)
    assert result["dev_majority"] == truth.max() / 60
    assert result["train_loss"] == pytest.approx(log_loss(train[1], softmax(train[0].astype(float), axis=1)))


def test_a_constant_classifier_scores_the_majority_and_no_correlation(scored):
    result = scored(([[0.0, 0.0]] * 2, [0, 1]), ([[0.0, 5.0]] * 4, [1, 1, 0, 1]))
    assert result["dev_accuracy"] == result["dev_majority"] == 0.75
    assert result["dev_matthews"] == 0 and result["dev_f1"] == pytest.approx(2 * 3 / (2 * 3 + 1))


def test_losses_of_confident_classifiers_are_finite(scored):
    result = scored(([[1000.0, -1000.0]] * 2, [0, 1]), ([[1000.0, -1000.0]] * 3, [0, 0, 1]))
    assert result["train_loss"] == 1000 and result["dev_loss"] == pytest.approx(2000 / 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_logit_that_is_not_finite_leaves_no_accuracy_and_no_predictions(scored, tmp_path, value):
    result = scored(([[0.0, 0.0]] * 2, [0, 1]), ([[0.0, 1.0], [value, 1.0], [0.0, 1.0]], [1, 1, 0]))
    assert set(result) == {"dev_accuracy", "dev_examples", "train_loss"}
    assert np.isnan(result["dev_accuracy"]) and result["dev_examples"] == 3
    assert result["train_loss"] == pytest.approx(np.log(2))  # of the training set alone
    assert not list(tmp_path.rglob("*.npy"))
