"""Fine-tuning first: the dense model tuned for some epochs, then pruned in one shot and trained on (paper §5)."""

from pathlib import Path

from datasets import Dataset
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.data import prepared, text
from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.pruning.movement import mask_differences, movement
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study import paths
from prune_utils.study.files import alone, read_json, write_json
from prune_utils.study.grid import Cell
from prune_utils.study.schema import Study
from prune_utils.training.finetuning import finetune, fit, starting_model
from prune_utils.training.machine import provenance
from prune_utils.training.pretraining import pretrain
from prune_utils.training.scores import scores
from prune_utils.training.trainer import discard


def fine_tune_first(study: Study, task: str, seed: int, epochs: int) -> dict:
    """The result of a task fine-tuned for `epochs` (0: not at all), pruned to the study's `prunability.sparsity`, and
    trained on as the downstream arm is; computed unless it is finished already. Dev predictions lie beside it.

    At the first of the study's learning rates only. After as many epochs as the dense arm has, it is that arm's
    model that is pruned; for other counts one is trained, with a linear decay of its own as in the paper.
    """
    sparsity = study.prunability.sparsity
    folder = paths.prunability(study.study, task, seed, sparsity, epochs)
    with alone(folder):
        if not (folder / paths.RESULT).exists():
            _train(study, Cell(task, "downstream", sparsity, study.finetuning.learning_rates[0], seed), epochs, folder)
    return read_json(folder / paths.RESULT)


def gradual_masks(study: Study, sparsity: float, seed: int) -> dict[str, Tensor]:
    """The masks made in pre-training at a sparsity, pre-trained for if they are not there."""
    pretrain(study, "gradual", sparsity, seed)
    return load_masks(paths.pretraining(study.study, "gradual", sparsity, seed) / paths.CHECKPOINT / MASKS)


def _train(study: Study, cell: Cell, epochs: int, folder: Path) -> None:
    tokenizer = text.tokenizer(study.corpus)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    pretrained, _, _ = starting_model(study, cell.dense(), labels=len(training.unique("labels")))
    model, seconds = _fine_tuned(study, cell.dense(), epochs, training, folder / "trainer-dense", tokenizer)
    before, after = prunable_matrices(pretrained), prunable_matrices(model)
    moved = movement(before, after)
    differences = mask_differences(gradual_masks(study, cell.sparsity, cell.seed), before, after, cell.sparsity)
    masks = magnitude_masks(after, cell.sparsity)
    apply_masks(model, masks)
    realised = check_zeros(model, masks, cell.sparsity)
    more = study.finetuning.epochs.of("downstream", cell.sparsity)
    pruning = FixedMask(model, masks)
    seconds += fit(model, training, study, cell, more, folder / "trainer-pruned", tokenizer, pruning)
    check_zeros(model, masks, cell.sparsity)
    write_json(
        folder / paths.RESULT,
        {
            "task": cell.task,
            "seed": cell.seed,
            "learning_rate": cell.learning_rate,
            "epochs": epochs,
            "epochs_after": more,
            "target_sparsity": cell.sparsity,
            "realised_sparsity": realised,
            "final_sparsity": sparsities(model)["prunable"],
            "movement_mean": moved.mean,
            "movement_std": moved.std,
            **differences,
            **scores(model, training, dev, study, tokenizer, folder),
            "seconds": seconds,
            **provenance(study.machine),
        },
    )
    # only now: until the result is written, a training cut off in its second half resumes from both
    discard(folder / "trainer-dense")
    discard(folder / "trainer-pruned")


def _fine_tuned(
    study: Study, dense: Cell, epochs: int, data: Dataset, folder: Path, tokenizer: PreTrainedTokenizerBase
) -> tuple[PreTrainedModel, float]:
    """The dense model after `epochs` of a task, and the seconds that training it took here."""
    if epochs == study.finetuning.epochs.dense:
        finetune(study, dense)
        checkpoint = dense.folder(study.study) / paths.CHECKPOINT
        return load_checkpoint(AutoModelForSequenceClassification, checkpoint, 0.0)[0], 0.0
    model, _, _ = starting_model(study, dense, labels=len(data.unique("labels")))
    seconds = fit(model, data, study, dense, epochs, folder, tokenizer) if epochs else 0.0
    return model.cpu(), seconds  # to be compared with the pre-trained one, wherever the Trainer had it
