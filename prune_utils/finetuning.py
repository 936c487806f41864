"""Fine-tuned cells: one task, one arm, one sparsity, one learning rate, one seed, from checkpoint to numbers."""

from pathlib import Path

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import f1_score, matthews_corrcoef
from torch import Tensor
from tqdm.auto import tqdm
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from prune_utils import paths, prepared, text
from prune_utils.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.files import alone, read_json, write_json
from prune_utils.grid import Cell
from prune_utils.masks import magnitude_mask
from prune_utils.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.modeling import new_configuration
from prune_utils.pretraining import pretrain
from prune_utils.provenance import provenance
from prune_utils.pruning import FixedMask
from prune_utils.schema import Study
from prune_utils.training import Recipe, discard, predict, train


def finetune(study: Study, cell: Cell) -> dict:
    """The result of a cell, trained unless it is finished already; its dev predictions lie beside it."""
    folder = cell.folder(study.study)
    with alone(folder):
        if not (folder / paths.RESULT).exists():
            if cell.arm == "downstream":
                finetune(study, cell.dense())
            _train(study, cell)
    return read_json(folder / paths.RESULT)


def finetune_all(study: Study, cells: list[Cell]) -> list[dict]:
    """The results of many cells, with a progress bar."""
    return [finetune(study, cell) for cell in tqdm(cells, desc="cells")]


def starting_model(study: Study, cell: Cell, labels: int) -> tuple[PreTrainedModel, dict[str, Tensor], float]:
    """The classifier that a cell begins with, the masks it was pruned with, and its measured sparsity.

    Every arm of a seed starts from the same dense model: `dense` from its 0 % run, `downstream` from the
    `dense` cell, the others from the runs pruned from it. `scratch` has the same shape and drawn weights.
    """
    if cell.arm == "scratch":
        config = new_configuration(study, text.tokenizer(study.corpus))
        config.num_labels = labels
        set_seed(cell.seed)
        model = AutoModelForSequenceClassification.from_config(config)
        return model, all_kept(model), 0.0
    if cell.arm == "downstream":
        folder = cell.dense().folder(study.study)
        model, _, _ = load_checkpoint(AutoModelForSequenceClassification, folder / paths.CHECKPOINT, 0.0)
        masks = {name: magnitude_mask(p, cell.sparsity) for name, p in prunable_matrices(model).items()}
        apply_masks(model, masks)
        return model, masks, check_zeros(model, masks, cell.sparsity)
    method, sparsity = cell.pretrained()
    pretrain(study, method, sparsity, cell.seed)
    folder = paths.pretraining(study.study, method, sparsity, cell.seed) / paths.CHECKPOINT
    set_seed(cell.seed)  # the new head is drawn alike in all arms
    return load_checkpoint(AutoModelForSequenceClassification, folder, sparsity, method, num_labels=labels)


def _train(study: Study, cell: Cell) -> None:
    folder, recipe = cell.folder(study.study), study.finetuning
    tokenizer = text.tokenizer(study.corpus)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    model, masks, realised = starting_model(study, cell, labels=len(training.unique("labels")))
    keeps_mask = cell.arm not in ("dense", "scratch", "information_deletion")
    epochs = recipe.epochs.of(cell.arm, cell.sparsity)
    seconds, _ = train(
        model,
        training,
        Recipe(
            -(-epochs * len(training) // recipe.batch_size),
            recipe.batch_size,
            cell.learning_rate,
            recipe.weight_decay,
            recipe.warmup_share,
            recipe.max_grad_norm,
            cell.seed,
        ),
        folder / "trainer",
        study.machine,
        tokenizer,
        FixedMask(model, masks) if keeps_mask else None,
    )
    if keeps_mask:
        check_zeros(model, masks, cell.sparsity, cell.method)
    if cell.arm == "dense":
        save_checkpoint(model, masks, 0.0, folder / paths.CHECKPOINT, tokenizer)
    write_json(
        folder / paths.RESULT,
        {
            "arm": cell.arm,
            "method": cell.method,
            "target_sparsity": cell.sparsity,
            "realised_sparsity": realised,
            "final_sparsity": sparsities(model)["prunable"],
            "task": cell.task,
            "seed": cell.seed,
            "learning_rate": cell.learning_rate,
            "epochs": epochs,
            **_scores(model, dev, study, tokenizer, folder),
            "train_loss": float(_losses(*_predicted(model, training, study, tokenizer)).mean()),
            "pretrain_loss": _pretrain_loss(study, cell),
            "seconds": seconds,
            **provenance(study.machine),
        },
    )
    discard(folder / "trainer")


def _predicted(model, data, study: Study, tokenizer: PreTrainedTokenizerBase) -> tuple[np.ndarray, np.ndarray]:
    """Logits, shape (examples, labels), and the right answers, shape (examples,)."""
    unlabelled = data.remove_columns("labels")
    return predict(model, unlabelled, study.machine, tokenizer)[0].astype(np.float64), np.asarray(data[:]["labels"])


def _losses(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The cross-entropy of each example, in nats."""
    return -log_softmax(logits, axis=1)[np.arange(len(answers)), answers]


def _scores(model, dev, study: Study, tokenizer: PreTrainedTokenizerBase, folder: Path) -> dict[str, float]:
    """Dev metrics; F1 for two labels only, where it has one meaning. The predictions are kept beside them.

    A model that diverged predicts nothing: its metrics are NaN, and no learning rate is selected for them.
    """
    logits, answers = _predicted(model, dev, study, tokenizer)
    if not np.isfinite(logits).all():
        return {"dev_accuracy": float("nan"), "dev_examples": len(answers)}
    predictions = logits.argmax(1)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "dev_predictions.npy", predictions.astype(np.uint8), allow_pickle=False)
    two = logits.shape[1] == 2
    return {
        "dev_accuracy": float((predictions == answers).mean()),
        "dev_loss": float(_losses(logits, answers).mean()),
        "dev_matthews": float(matthews_corrcoef(answers, predictions)),
        "dev_f1": float(f1_score(answers, predictions)) if two else None,
        "dev_majority": float(np.bincount(answers).max() / len(answers)),
        "dev_examples": len(answers),
    }


def _pretrain_loss(study: Study, cell: Cell) -> float | None:
    """The held-out pre-training loss of the model a cell descends from; None for one made from scratch."""
    if (run := cell.pretrained()) is None:
        return None
    return read_json(paths.pretraining(study.study, *run, cell.seed) / paths.RESULT)["pretrain_loss"]
