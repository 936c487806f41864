"""Fine-tuned cells: from a pre-trained checkpoint to dev scores."""

from torch import Tensor
from tqdm.auto import tqdm
from transformers import AutoModelForSequenceClassification, PreTrainedModel, set_seed

from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.callbacks import FixedMask, Frozen
from prune_utils.pruning.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.pruning.masks import sparsity_of
from prune_utils.pruning.matrices import apply_masks, check_zeros, prunable_matrices, sparsities
from prune_utils.pruning.scores import chooser
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study.grid import Cell, Run
from prune_utils.study.schema import Study
from prune_utils.study.sections.arms import TABLE
from prune_utils.training.machine import provenance, settled
from prune_utils.training.modeling import new_configuration
from prune_utils.training.pretraining import pretrain
from prune_utils.training.resuming import finished
from prune_utils.training.scores import scores
from prune_utils.training.trainer import train


def finetune(study: Study, cell: Cell) -> dict:
    """Return the result of a cell; train it first unless it is finished. Its dev predictions lie beside it."""
    return finished(cell.folder(study.study), lambda: _trained(settled(study), cell))


def finetune_all(study: Study, cells: list[Cell]) -> list[dict]:
    """Return the results of several cells; shows a progress bar."""
    return [finetune(study, cell) for cell in tqdm(cells, desc="cells")]


def starting_model(study: Study, cell: Cell, labels: int) -> tuple[PreTrainedModel, dict[str, Tensor], float]:
    """The classifier that a cell starts from, its masks, and its measured sparsity; one label is a regression.

    All arms of a seed but `scratch` descend from one burn-in: `dense` and `frozen` start from the gradual run at 0 %,
    `downstream` from the `dense` cell, the others from pruned runs. The masks of `frozen` are those of the gradual run at
    its sparsity. `scratch` has the same shape and random weights.
    """
    kind, problem = AutoModelForSequenceClassification, "regression" if labels == 1 else "single_label_classification"
    if cell.arm == "scratch":
        config = new_configuration(study, tokenizer_of(study))
        config.num_labels, config.problem_type = labels, problem
        set_seed(cell.training_seed)
        model = kind.from_config(config)
        return model, all_kept(model), 0.0
    row = TABLE.get(cell.arm)
    if row and row.when == "fine-tuned":
        model = fine_tuned(study, cell.dense())
        choose = chooser(row.zeros, model.config.num_attention_heads, cell.seed)
        masks = choose(prunable_matrices(model), cell.sparsity)
        apply_masks(model, masks)
        return model, masks, check_zeros(model, masks, cell.sparsity, cell.method)
    run = cell.pretrained()
    pretrain(study, run)
    set_seed(cell.training_seed)  # the new head gets the same weights in all arms
    checkpoint, heads = run.checkpoint(study.study), {"num_labels": labels, "problem_type": problem}
    model, masks, realised = load_checkpoint(kind, checkpoint, run.sparsity, run.method, **heads)
    if row and row.fate == "frozen":
        masks = run_masks(study, cell.masked())
        return model, masks, sparsity_of(masks)
    return model, masks, realised


def run_masks(study: Study, run: Run) -> dict[str, Tensor]:
    """The masks of a pre-training run, which is trained if it is not finished."""
    pretrain(study, run)
    return load_masks(run.checkpoint(study.study) / MASKS)


def fine_tuned(study: Study, dense: Cell) -> PreTrainedModel:
    """The model of a finished dense cell."""
    return load_checkpoint(AutoModelForSequenceClassification, dense.checkpoint(study.study), 0.0)[0]


def _trained(study: Study, cell: Cell) -> dict:
    """Train a cell and return its result; saves the checkpoint of a dense one."""
    coordinates = {
        "arm": cell.arm,
        "method": cell.method,
        "target_sparsity": cell.sparsity,
        "task": cell.task,
        "seed": cell.seed,
        "learning_rate": cell.learning_rate,
        **({"repeat": cell.repeat} if cell.repeat else {}),
    }
    row = TABLE.get(cell.arm)
    if (
        row and row.when == "fine-tuned" and finetune(study, cell.dense())["dev_accuracy"] is None
    ):  # its dense model diverged
        return coordinates | {"dev_accuracy": None}
    folder, tokenizer = cell.folder(study.study), tokenizer_of(study)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    model, masks, realised = starting_model(study, cell, labels=prepared.outputs(training))
    keep = row and {"zero": FixedMask, "free": None, "frozen": Frozen}[row.fate]
    pruning = keep and keep(model, masks)
    (epochs,) = cell.epochs_trained(study)
    recipe = study.finetuning.optimisation(len(training), epochs, cell.learning_rate)
    seconds, _ = train(
        model, training, recipe, cell.training_seed, folder / "trainer", study.machine, tokenizer, pruning
    )
    if isinstance(pruning, Frozen):
        pruning.check()
    elif pruning:
        check_zeros(model, masks, cell.sparsity, cell.method)
    if cell.arm == "dense":
        save_checkpoint(model, masks, 0.0, cell.checkpoint(study.study), tokenizer)
    run = cell.pretrained()
    return coordinates | {
        "realised_sparsity": realised,
        "final_sparsity": sparsities(model)["prunable"],
        "epochs": epochs,
        **scores(model, training, dev, study, tokenizer, folder),
        "pretrain_loss": run and pretrain(study, run)["pretrain_loss"],
        "seconds": seconds,
        **provenance(study.machine),
    }
