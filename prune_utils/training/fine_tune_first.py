"""Fine-tuning first: the dense model is fine-tuned, pruned in one shot, and trained further (paper §5)."""

from pathlib import Path

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.pruning.movement import mask_differences, movement
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study import paths
from prune_utils.study.files import once, read_json, write_json
from prune_utils.study.grid import Delayed, Run
from prune_utils.study.schema import Study
from prune_utils.training.finetuning import fine_tuned, finetune, fit, starting_model
from prune_utils.training.machine import provenance
from prune_utils.training.pretraining import pretrain
from prune_utils.training.scores import scores
from prune_utils.training.trainer import discard

SCRATCH = ("trainer-dense", "trainer-pruned")  # checkpoints of the two trainings


def fine_tune_first(study: Study, cell: Delayed) -> dict:
    """Return the result of a model that is fine-tuned first; train it unless it is finished.

    The dense model is fine-tuned for `cell.epochs` (0: not at all), pruned in one shot, and trained further as in the
    `downstream` arm. The model of the `dense` arm is reused if its number of epochs matches; otherwise one is
    trained with its own linear decay, as in the paper. Dev predictions are saved next to the result.
    """
    folder = cell.folder(study.study)
    result = once(folder / paths.RESULT, lambda: write_json(folder / paths.RESULT, _trained(study, cell)), read_json)
    for name in SCRATCH:  # kept until the result is written: an interrupted training resumes from both
        discard(folder / name)
    return result


def gradual_masks(study: Study, sparsity: float, seed: int) -> dict[str, Tensor]:
    """The masks of the gradual run at a sparsity, which is trained if it is not finished."""
    run = Run("gradual", sparsity, seed)
    pretrain(study, run)
    return load_masks(run.checkpoint(study.study) / MASKS)


def _trained(study: Study, cell: Delayed) -> dict:
    folder, tokenizer = cell.folder(study.study), tokenizer_of(study)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    pretrained, _, _ = starting_model(study, cell.dense(), labels=prepared.outputs(training))
    model, seconds = _fine_tuned(study, cell, training, folder / SCRATCH[0], tokenizer)
    before, after = prunable_matrices(pretrained), prunable_matrices(model)
    coordinates = {
        "task": cell.task,
        "seed": cell.seed,
        "learning_rate": cell.learning_rate,
        "epochs": cell.epochs,
        "target_sparsity": cell.sparsity,
    }
    if not all(torch.isfinite(matrix).all() for matrix in after.values()):  # diverged: its weights have no rank
        return coordinates | {"dev_accuracy": None, "seconds": seconds, **provenance(study.machine)}
    moved = movement(before, after)
    differences = mask_differences(gradual_masks(study, cell.sparsity, cell.seed), before, after, cell.sparsity)
    masks = magnitude_masks(after, cell.sparsity)
    apply_masks(model, masks)
    realised = check_zeros(model, masks, cell.sparsity)
    more = study.finetuning.epochs.of("downstream", cell.sparsity)
    seconds += fit(model, training, study, cell, more, folder / SCRATCH[1], tokenizer, FixedMask(model, masks))
    check_zeros(model, masks, cell.sparsity)
    return coordinates | {
        "epochs_after": more,
        "realised_sparsity": realised,
        "final_sparsity": sparsities(model)["prunable"],
        "movement_mean": moved.mean,
        "movement_std": moved.std,
        **differences,
        **scores(model, training, dev, study, tokenizer, folder),
        "seconds": seconds,
        **provenance(study.machine),
    }


def _fine_tuned(
    study: Study, cell: Delayed, data: Dataset, folder: Path, tokenizer: PreTrainedTokenizerBase
) -> tuple[PreTrainedModel, float]:
    """The dense model after the epochs of a cell, and the seconds that its training took in this process."""
    if cell.epochs == study.finetuning.epochs.dense:
        finetune(study, cell.dense())
        return fine_tuned(study, cell.dense()), 0.0
    model, _, _ = starting_model(study, cell.dense(), labels=prepared.outputs(data))
    seconds = fit(model, data, study, cell, cell.epochs, folder, tokenizer) if cell.epochs else 0.0
    return model.cpu(), seconds  # compared with the pre-trained model, which is on the CPU
