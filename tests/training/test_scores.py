"""Scores of a model against scikit-learn, scipy and formulas worked out by hand; its logits are given."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from scipy.special import logsumexp, softmax
from scipy.stats import norm, pearsonr, rankdata
from sklearn.metrics import accuracy_score, f1_score, log_loss
from transformers import BertConfig, BertForSequenceClassification

from prune_utils.analysis.evidence import unlearnt
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.predictions import dev_correct
from prune_utils.analysis.results import cells_frame
from prune_utils.data.batches import padded
from prune_utils.report.tables import selection
from prune_utils.study import paths
from prune_utils.study.grid import Cell
from prune_utils.study.params import extended, merge, read_yaml, validated
from prune_utils.training import scores as module
from prune_utils.training.finetuning import finetune

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
    assert result["train_examples"] == 2
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
    assert set(result) == {"dev_accuracy", "dev_examples", "train_loss", "train_examples"}
    assert np.isnan(result["dev_accuracy"]) and result["dev_examples"] == 3
    assert result["train_loss"] == pytest.approx(np.log(2))  # of the training set alone
    assert not list(tmp_path.rglob("*.npy"))


def regression(predictions, answers):
    return np.asarray(predictions, np.float32)[:, None], np.asarray(answers, np.float32).tolist()


def test_a_regression_by_hand(scored, tmp_path):
    predictions, answers = [0.5, 1.0, 4.0, 2.0], [0.0, 2.0, 5.0, 1.5]
    result = scored(regression([1.0, 3.0], [1.5, 1.0]), regression(predictions, answers))
    x, y = np.subtract(predictions, np.mean(predictions)), np.subtract(answers, np.mean(answers))
    assert result["dev_pearson"] == pytest.approx((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))
    assert result["dev_spearman"] == pytest.approx(pearsonr(rankdata(predictions), rankdata(answers)).statistic)
    assert result["dev_accuracy"] == result["dev_pearson"] and result["dev_examples"] == 4
    assert result["dev_loss"] == pytest.approx((0.25 + 1 + 1 + 0.25) / 4)
    assert result["train_loss"] == pytest.approx((0.25 + 4) / 2)
    assert not {"dev_majority", "dev_f1", "dev_matthews"} & {*result}
    stored = np.load(tmp_path / "cell" / PREDICTIONS, allow_pickle=False)
    assert stored.dtype == np.float32 and stored.tolist() == predictions


def test_a_constant_regression_has_no_correlation_and_one_that_diverged_no_score(scored, tmp_path):
    result = scored(regression([1.0, 3.0], [1.5, 1.0]), regression([0.1] * 3, [0.1, 0.2, 0.4]))
    assert result["dev_accuracy"] == result["dev_pearson"] == result["dev_spearman"] == 0.0
    (tmp_path / "cell" / PREDICTIONS).unlink()
    result = scored(regression([1.0, 3.0], [1.5, 1.0]), regression([0.1, np.nan, 1], [0.1, 0.2, 0.4]))
    assert np.isnan(result["dev_accuracy"]) and not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize("labels, kind", [(2, np.uint8), (256, np.uint8), (257, np.uint16), (300, np.uint16)])
def test_predictions_of_many_classes_are_stored_whole(scored, tmp_path, labels, kind):
    logits = np.eye(labels, dtype=np.float32)[[labels - 1, 0, 1]]
    result = scored(([[0.0] * labels] * 2, [0, 1]), (logits, [labels - 1, 0, 0]))
    stored = np.load(tmp_path / "cell" / PREDICTIONS, allow_pickle=False)
    assert stored.tolist() == [labels - 1, 0, 1] and stored.dtype == kind
    assert result["dev_accuracy"] == pytest.approx(2 / 3)


def test_the_loss_of_a_regression_is_the_mean_squared_error():
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=20, num_labels=1, problem_type="regression", **shape)
    model = BertForSequenceClassification(config).eval()
    batch = padded([{"input_ids": [1, 2, 3][:n], "labels": y} for n, y in ((2, 0.5), (3, -1.25), (1, 4.0))], padding=0)
    assert batch["labels"].dtype == torch.float32
    out = model(**batch)
    assert out.loss.item() == pytest.approx(((out.logits[:, 0] - batch["labels"]) ** 2).mean().item())


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A study with a regression and a classification, whose cells from scratch are trained."""
    folder = tmp_path_factory.mktemp("score")
    random = np.random.default_rng(0)
    lines = [f"the {word} sleeps .\t{random.normal():.3f}" for word in ("dog", "cat", "child", "teacher") * 6]
    for part in ("train", "dev"):
        (folder / f"{part}.tsv").write_text("\n".join(["sentence\tlabel", *lines]) + "\n")
    changes = {
        "study": "mixed_test",
        "tasks": [
            {"source": "local", "name": "score", "folder": str(folder), "kind": "regression"},
            {"source": "embedded", "name": "sentiment", "train": 32, "dev": 16},
        ],
        "finetuning": {"learning_rates": [1e-3], "batch_size": 8},
        "grid": {"sparsities": [0.0, 0.6], "arms": ["dense", "scratch"]},
    }
    study = validated(merge(extended(read_yaml(paths.PARAMS / "smoke.yaml")), changes))
    cells = [Cell(task.name, "scratch", 0.0, 1e-3, 0) for task in study.tasks]
    return study, {cell.task: (finetune(study, cell), cell) for cell in cells}


def test_a_regression_is_trained_and_analysed_beside_a_classification(mixed):
    study, results = mixed
    score, cell = results["score"]
    stored = np.load(cell.folder(study.study) / PREDICTIONS, allow_pickle=False)
    answers = [
        float(line.split("\t")[1])
        for line in (paths.given(study.tasks[0].folder) / "dev.tsv").read_text().splitlines()[1:]
    ]
    assert stored.dtype == np.float32 and len(stored) == 24 and score["train_loss"] == pytest.approx(score["dev_loss"])
    assert score["dev_loss"] == pytest.approx(np.mean(np.subtract(stored, answers) ** 2), rel=1e-5)
    assert score["dev_accuracy"] == pytest.approx(pearsonr(stored, answers).statistic, abs=1e-5)
    frame = cells_frame(study, [cell for _, cell in results.values()])
    correct = dev_correct(study, frame)
    assert list(correct) == ["sentiment"]
    # a mean over two tasks, of which one is redrawn: half of that task's noise
    draws, alone = accuracy_means(frame, correct), accuracy_means(frame[frame.task == "sentiment"], correct)
    both = [np.sqrt(means.parts[0].covariance.diagonal().max()) for means in (draws, alone)]
    assert both[0] == pytest.approx(both[1] / 2) and both[1] > 0
    assert draws.covers == ("dev examples of classification tasks",) and alone.covers == ("dev examples",)
    assert dev_correct(study, frame[frame.task == "score"]) == {}
    assert accuracy_means(frame[frame.task == "score"], {}).covers == ()
    assert selection(study, frame[frame.task == "score"]).dev_accuracy.isna().all()


def test_a_regression_is_learnt_if_its_correlation_is_above_0():
    def cells(pearson, examples):
        of = {"arm": "dense", "selected": True, "task": "score", "dev_examples": examples}
        rows = [of | {"seed": seed, "dev_accuracy": r, "dev_pearson": r} for seed, r in enumerate(pearson)]
        return pd.DataFrame(rows)

    least = np.tanh(norm.ppf(0.95) / np.sqrt(100 - 3))  # one-sided, 5 %
    for shift, expected in ((0.01, []), (-0.01, ["score"])):
        assert unlearnt(cells([least + shift + 0.1, least + shift - 0.1], 100)) == expected
    assert unlearnt(cells([0.0], 1_500)) == unlearnt(cells([-1.0], 1_500)) == unlearnt(cells([1.0], 3)) == ["score"]
    assert unlearnt(cells([1.0], 100)) == []
    classes = pd.DataFrame(
        {"arm": "dense", "selected": True, "task": ["a", "b"], "seed": 0, "dev_examples": 100}
        | {"dev_accuracy": [0.6, 0.7], "dev_majority": [0.58, 0.5]}
    )
    both = pd.concat([classes, cells([0.9], 100)], ignore_index=True)
    assert unlearnt(classes) == unlearnt(both) == ["a"] and unlearnt(classes.drop(columns="dev_majority")) == []
