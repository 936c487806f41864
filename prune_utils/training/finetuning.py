"""Fine-tuned cells: one task, one arm, one sparsity, one learning rate, one seed, from checkpoint to numbers."""

from pathlib import Path

from datasets import Dataset
from torch import Tensor
from tqdm.auto import tqdm
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from prune_utils.data import prepared, text
from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.study import paths
from prune_utils.study.files import alone, read_json, write_json
from prune_utils.study.grid import Cell
from prune_utils.study.schema import Study
from prune_utils.training.machine import provenance
from prune_utils.training.modeling import new_configuration
from prune_utils.training.pretraining import pretrain
from prune_utils.training.scores import scores
from prune_utils.training.trainer import Recipe, discard, train


def finetune(study: Study, cell: Cell) -> dict:
    """The result of a cell, trained unless it is finished already; its dev predictions lie beside it."""
    folder = cell.folder(study.study)
    with alone(folder):
        if not (folder / paths.RESULT).exists():
            diverged = cell.arm == "downstream" and finetune(study, cell.dense())["dev_accuracy"] is None
            write_json(folder / paths.RESULT, _hole(cell)) if diverged else _train(study, cell)
    return read_json(folder / paths.RESULT)


def _hole(cell: Cell) -> dict:
    """The result of a cell whose dense model diverged: its weights have no rank to prune by, so it has no numbers."""
    return {
        "arm": cell.arm,
        "method": cell.method,
        "target_sparsity": cell.sparsity,
        "task": cell.task,
        "seed": cell.seed,
        "learning_rate": cell.learning_rate,
        "dev_accuracy": None,
    }


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
        masks = magnitude_masks(prunable_matrices(model), cell.sparsity)
        apply_masks(model, masks)
        return model, masks, check_zeros(model, masks, cell.sparsity)
    method, sparsity = cell.pretrained()
    pretrain(study, method, sparsity, cell.seed)
    folder = paths.pretraining(study.study, method, sparsity, cell.seed) / paths.CHECKPOINT
    set_seed(cell.seed)  # the new head is drawn alike in all arms
    return load_checkpoint(AutoModelForSequenceClassification, folder, sparsity, method, num_labels=labels)


def _train(study: Study, cell: Cell) -> None:
    folder = cell.folder(study.study)
    tokenizer = text.tokenizer(study.corpus)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    model, masks, realised = starting_model(study, cell, labels=len(training.unique("labels")))
    keeps_mask = cell.arm not in ("dense", "scratch", "information_deletion")
    epochs = study.finetuning.epochs.of(cell.arm, cell.sparsity)
    pruning = FixedMask(model, masks) if keeps_mask else None
    seconds = fit(model, training, study, cell, epochs, folder / "trainer", tokenizer, pruning)
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
            **scores(model, training, dev, study, tokenizer, folder),
            "pretrain_loss": _pretrain_loss(study, cell),
            "seconds": seconds,
            **provenance(study.machine),
        },
    )
    discard(folder / "trainer")


def fit(
    model: PreTrainedModel,
    data: Dataset,
    study: Study,
    cell: Cell,
    epochs: int,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    pruning: FixedMask | None = None,
) -> float:
    """Trains a classifier in place by the study's fine-tuning recipe, at a cell's learning rate and seed, with a
    linear decay over these `epochs`; returns the seconds it took. `folder` is the Trainer's: see `train`."""
    recipe = study.finetuning
    steps = Recipe(
        -(-epochs * len(data) // recipe.batch_size),
        recipe.batch_size,
        cell.learning_rate,
        recipe.weight_decay,
        recipe.warmup_share,
        recipe.max_grad_norm,
        cell.seed,
    )
    return train(model, data, steps, folder, study.machine, tokenizer, pruning)[0]


def _pretrain_loss(study: Study, cell: Cell) -> float | None:
    """The held-out pre-training loss of the model a cell descends from; None for one made from scratch."""
    if (run := cell.pretrained()) is None:
        return None
    return read_json(paths.pretraining(study.study, *run, cell.seed) / paths.RESULT)["pretrain_loss"]
