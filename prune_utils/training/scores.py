"""Scores of a fine-tuned model: dev metrics, and the loss on its training set."""

from pathlib import Path

import numpy as np
from datasets import Dataset
from scipy.special import log_softmax
from scipy.stats import spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.study import paths
from prune_utils.study.schema import Study
from prune_utils.training.loop.trainer import predict

BINS = 15  # of confidence, as in the source


def scores(
    model: PreTrainedModel,
    training: Dataset,
    dev: Dataset,
    study: Study,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
) -> dict[str, float]:
    """Dev metrics, and the loss on the whole training set and its size; dev predictions and their confidence are stored in `folder`.

    `dev_accuracy` is what learning rates are selected by and what is averaged over tasks: the accuracy of a
    classification, and of a regression Pearson's correlation, 0 if all predictions are equal. Losses are cross-entropy
    in nats, and of a regression the mean squared error. Labels of a regression are floats.
    """
    found = _dev_scores(*_predicted(model, dev, study, tokenizer), folder)
    loss = float(_losses(*_predicted(model, training, study, tokenizer)).mean())
    return found | {"train_loss": loss, "train_examples": len(training)}


def _predicted(model, data, study: Study, tokenizer: PreTrainedTokenizerBase) -> tuple[np.ndarray, np.ndarray]:
    """Logits, shape (examples, labels) or, of a regression, (examples, 1), and labels, shape (examples,)."""
    unlabelled = data.remove_columns("labels")
    return predict(model, unlabelled, study.machine, tokenizer)[0].astype(np.float64), np.asarray(data[:]["labels"])


def _losses(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Loss per example: cross-entropy in nats, or the squared error of a regression."""
    if answers.dtype.kind == "f":
        return (logits[:, 0] - answers) ** 2
    return -log_softmax(logits, axis=1)[np.arange(len(answers)), answers]


def _dev_scores(logits: np.ndarray, answers: np.ndarray, folder: Path) -> dict[str, float]:
    """Dev metrics; F1 for two labels only, where its meaning is unambiguous.

    If the model diverged, the accuracy is NaN and no predictions are stored; such a cell is never selected.
    """
    count = {"dev_examples": len(answers)}
    if not np.isfinite(logits).all():
        return {"dev_accuracy": float("nan")} | count
    loss = {"dev_loss": float(_losses(logits, answers).mean())}
    regression, labels = answers.dtype.kind == "f", logits.shape[1]
    predictions = logits[:, 0] if regression else logits.argmax(1)
    stored = predictions.astype(np.float32 if regression else np.min_scalar_type(labels - 1))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / paths.PREDICTIONS, stored, allow_pickle=False)
    if regression:
        return _correlations(predictions, answers) | loss | count
    confidence = np.exp(log_softmax(logits, axis=1)).max(axis=1).astype(np.float32)
    np.save(folder / paths.CONFIDENCE, confidence, allow_pickle=False)
    return {
        "dev_accuracy": float((predictions == answers).mean()),
        **loss,
        "dev_matthews": float(matthews_corrcoef(answers, predictions)),
        "dev_f1": float(f1_score(answers, predictions, zero_division=0.0)) if labels == 2 else None,
        "dev_ece": calibration_error(logits, answers),
        "dev_majority": float(np.bincount(answers).max() / len(answers)),
        **count,
    }


def calibration_error(logits: np.ndarray, answers: np.ndarray) -> float:
    """Expected calibration error: by how much confidence and accuracy differ, mean over examples in bins of confidence.

    Source: Guo et al. 2017 (arXiv:1706.04599), equation 3, with BINS bins of equal width. Confidence is the softmax of the
    predicted label.
    """
    confidence = np.exp(log_softmax(logits, axis=1)).max(axis=1)
    right, bins = logits.argmax(1) == answers, np.minimum((BINS * confidence).astype(int), BINS - 1)
    return float(abs(np.bincount(bins, confidence - right)).sum() / len(answers))


def _correlations(predictions: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    pearson = spearman = 0.0  # undefined for constants
    if np.ptp(predictions) > 0 and np.ptp(answers) > 0:
        pearson = float(np.corrcoef(predictions, answers)[0, 1])
        spearman = float(spearmanr(predictions, answers).statistic)
    return {"dev_accuracy": pearson, "dev_pearson": pearson, "dev_spearman": spearman}
