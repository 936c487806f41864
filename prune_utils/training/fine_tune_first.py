"""Fine-tuning first: the dense model is fine-tuned, pruned in one shot, and trained further (paper §5)."""

import torch

from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.pruning.movement import mask_differences, movement
from prune_utils.study.grid import Delayed, Run
from prune_utils.study.schema import Study
from prune_utils.training.finetuning import fine_tuned, finetune, run_masks, starting_model
from prune_utils.training.loop.machine import provenance, settled
from prune_utils.training.loop.resuming import finished
from prune_utils.training.loop.trainer import train
from prune_utils.training.scores import scores


def fine_tune_first(study: Study, cell: Delayed) -> dict:
    """Return the result of a model that is fine-tuned first; train it unless it is finished.

    The dense model is fine-tuned for `cell.epochs` (0: not at all), pruned in one shot, and trained further as in the
    `downstream` arm. The model of the `dense` arm is reused if its number of epochs matches; otherwise one is
    trained with its own linear decay, as in the paper. Dev predictions are saved next to the result.
    """
    return finished(cell.folder(study.study), lambda: _trained(settled(study), cell))


def _trained(study: Study, cell: Delayed) -> dict:
    folder, tokenizer = cell.folder(study.study), tokenizer_of(study)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    pretrained, _, _ = starting_model(study, cell.dense(), labels=prepared.outputs(training))
    first, more = cell.epochs_trained(study)

    def tuned(epochs: int, name: str, pruning: FixedMask | None = None) -> float:
        """Fine-tune the model and return the seconds; checkpoints are kept, so that an interrupted cell resumes."""
        recipe = study.finetuning.optimisation(len(training), epochs, cell.learning_rate)
        return train(model, training, recipe, cell.seed, folder / name, study.machine, tokenizer, pruning)[0]

    if cell.epochs == study.finetuning.epochs.dense:
        finetune(study, cell.dense())
        model = fine_tuned(study, cell.dense())
    else:
        model, _, _ = starting_model(study, cell.dense(), labels=prepared.outputs(training))
    seconds = tuned(first, "trainer-dense") if first else 0.0
    model.cpu()  # compared with the pre-trained model, which is on the CPU
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
    differences = mask_differences(
        run_masks(study, Run("gradual", cell.sparsity, cell.seed)), before, after, cell.sparsity
    )
    masks = magnitude_masks(after, cell.sparsity)
    apply_masks(model, masks)
    realised = check_zeros(model, masks, cell.sparsity)
    seconds += tuned(more, "trainer-pruned", FixedMask(model, masks))
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
