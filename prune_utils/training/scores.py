"""Scores of a fine-tuned classifier: dev metrics, and the loss on its training set."""

from pathlib import Path

import numpy as np
from datasets import Dataset
from scipy.special import log_softmax
from sklearn.metrics import f1_score, matthews_corrcoef
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.study import paths
from prune_utils.study.schema import Study
from prune_utils.training.trainer import predict


def scores(
    model: PreTrainedModel,
    training: Dataset,
    dev: Dataset,
    study: Study,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
) -> dict[str, float]:
    """Dev metrics, and the loss (nats) on the whole training set; dev predictions are stored in `folder`."""
    return {
        **_dev_scores(model, dev, study, tokenizer, folder),
        "train_loss": float(_losses(*_predicted(model, training, study, tokenizer)).mean()),
    }


def _predicted(model, data, study: Study, tokenizer: PreTrainedTokenizerBase) -> tuple[np.ndarray, np.ndarray]:
    """Logits, shape (examples, labels), and labels, shape (examples,)."""
    unlabelled = data.remove_columns("labels")
    return predict(model, unlabelled, study.machine, tokenizer)[0].astype(np.float64), np.asarray(data[:]["labels"])


def _losses(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Cross-entropy per example, in nats."""
    return -log_softmax(logits, axis=1)[np.arange(len(answers)), answers]


def _dev_scores(model, dev, study: Study, tokenizer: PreTrainedTokenizerBase, folder: Path) -> dict[str, float]:
    """Dev metrics; F1 for two labels only, where its meaning is unambiguous.

    If the model diverged, the accuracy is NaN and no predictions are stored; such a cell is never selected.
    """
    logits, answers = _predicted(model, dev, study, tokenizer)
    if not np.isfinite(logits).all():
        return {"dev_accuracy": float("nan"), "dev_examples": len(answers)}
    predictions = logits.argmax(1)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / paths.PREDICTIONS, predictions.astype(np.uint8), allow_pickle=False)
    two = logits.shape[1] == 2
    return {
        "dev_accuracy": float((predictions == answers).mean()),
        "dev_loss": float(_losses(logits, answers).mean()),
        "dev_matthews": float(matthews_corrcoef(answers, predictions)),
        "dev_f1": float(f1_score(answers, predictions)) if two else None,
        "dev_majority": float(np.bincount(answers).max() / len(answers)),
        "dev_examples": len(answers),
    }
