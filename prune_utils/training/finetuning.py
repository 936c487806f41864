"""Fine-tuned cells: from a pre-trained checkpoint to dev scores."""

import time

from torch import Tensor
from tqdm.auto import tqdm
from transformers import AutoModelForSequenceClassification, PreTrainedModel, set_seed

from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.callbacks import FixedMask, Frozen, GradualPruning
from prune_utils.pruning.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.pruning.masks import Unrankable, sparsity_of
from prune_utils.pruning.matrices import apply_masks, check_zeros, sparsities
from prune_utils.pruning.schedule import Schedule
from prune_utils.pruning.scores import chooser
from prune_utils.pruning.stored import MASKS, load_masks
from prune_utils.study.grid import Cell, Run
from prune_utils.study.schema import Study
from prune_utils.study.sections.arms import PRETRAINING, Arm
from prune_utils.training.loop.distillation import distilled
from prune_utils.training.loop.machine import provenance, settled
from prune_utils.training.loop.resuming import finished
from prune_utils.training.loop.trainer import train
from prune_utils.training.measuring import chosen
from prune_utils.training.modeling import new_configuration
from prune_utils.training.pretraining import pretrain
from prune_utils.training.scores import scores


def finetune(study: Study, cell: Cell) -> dict:
    """Return the result of a cell; train it first unless it is finished. Its dev predictions lie beside it."""
    return finished(cell.folder(study.study), lambda: _trained(settled(study), cell))


def finetune_all(study: Study, cells: list[Cell]) -> list[dict]:
    """Return the results of several cells; shows a progress bar."""
    return [finetune(study, cell) for cell in tqdm(cells, desc="cells")]


def starting_model(
    study: Study, cell: Cell, labels: int, sparsity: float | None = None, tuned: PreTrainedModel | None = None
) -> tuple[PreTrainedModel, dict[str, Tensor], float]:
    """The classifier that a cell starts from, its masks, and its measured sparsity; one label is a regression.

    All arms of a seed but `scratch` descend from one burn-in. An arm that is pruned after fine-tuning starts from the dense
    cell; one that is pruned in pre-training from its run; every other, `dense` among them, from the gradual run at 0 %. The
    masks of frozen weights are those of the run at the cell's sparsity. `scratch` has the same shape and random weights.
    In a round of rewinding, `sparsity` is that of the round, and `tuned` the model that the round before has trained.
    """
    if cell.arm == "scratch":
        config = new_configuration(study, tokenizer_of(study))
        config.num_labels, config.problem_type = labels, _problem(labels)
        set_seed(cell.training_seed)
        model = AutoModelForSequenceClassification.from_config(config)
        return model, all_kept(model), 0.0
    row = study.arm_table.rows.get(cell.arm)
    if row is None or row.when not in ("fine-tuned", "rewound"):
        model, masks, realised = _of_run(study, cell, labels)
        if row and row.fate == "frozen":
            masks = run_masks(study, cell.masked(study))
            realised = sparsity_of(masks)
        return model, masks, realised
    origin = cell.task if row.masks_of in (None, PRETRAINING) else row.masks_of
    if row.masks_of == PRETRAINING:
        tuned, _, _ = _of_run(study, cell, labels)
    tuned, tokenizer = tuned or fine_tuned(study, cell.dense(origin)), tokenizer_of(study)
    data, _ = prepared.task_data(study, origin, tokenizer)
    sparsity = cell.sparsity if sparsity is None else sparsity
    masks = chosen(tuned, row.zeros, sparsity, cell.seed, data, tokenizer)
    model = _of_run(study, cell, labels)[0] if row.when == "rewound" else tuned
    apply_masks(model, masks)
    return model, masks, check_zeros(model, masks, sparsity, row.pattern)


def _problem(labels: int) -> str:
    return "regression" if labels == 1 else "single_label_classification"


def _of_run(study: Study, cell: Cell, labels: int) -> tuple[PreTrainedModel, dict[str, Tensor], float]:
    """The model of the pre-training run that a cell starts from, with a new head."""
    run = cell.pretrained(study)
    pretrain(study, run)
    set_seed(cell.training_seed)  # the new head gets the same weights in all arms
    heads = {"num_labels": labels, "problem_type": _problem(labels)}
    checkpoint, pattern = run.checkpoint(study.study), study.arm_table.pattern(run.method)
    return load_checkpoint(AutoModelForSequenceClassification, checkpoint, run.sparsity, pattern, **heads)


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
        "method": study.arm_table.method_of(cell.arm),
        "target_sparsity": cell.sparsity,
        "task": cell.task,
        "seed": cell.seed,
        "learning_rate": cell.learning_rate,
        **({"repeat": cell.repeat} if cell.repeat else {}),
    }
    if any(finetune(study, dense)["dev_accuracy"] is None for dense in _needed(study, cell)):  # it diverged
        return coordinates | {"dev_accuracy": None}
    folder, tokenizer = cell.folder(study.study), tokenizer_of(study)
    training, dev = prepared.task_data(study, cell.task, tokenizer)
    row, rounds, model, seconds = study.arm_table.rows.get(cell.arm), cell.epochs_trained(study), None, 0.0
    teacher = row and row.taught("fine-tuning")
    loss = distilled(fine_tuned(study, cell.dense()), teacher) if teacher else None
    try:
        for number, epochs in enumerate(rounds, start=1):
            # every round prunes the same share of what is left
            sparsity = cell.sparsity if number == len(rounds) else 1 - (1 - cell.sparsity) ** (number / len(rounds))
            started = time.perf_counter()
            model, masks, realised = starting_model(study, cell, prepared.outputs(training), sparsity, model)
            recipe = study.finetuning.optimisation(len(training), epochs, cell.learning_rate)
            pruning = _pruner(study, cell, row, model, masks, recipe.steps)
            seconds += time.perf_counter() - started if row and row.examples else 0.0
            place = folder / (f"trainer-{number}" if len(rounds) > 1 else "trainer")
            seed, machine = cell.training_seed, study.machine
            seconds += train(model, training, recipe, seed, place, machine, tokenizer, pruning, loss=loss)[0]
    except Unrankable:
        return coordinates | {"dev_accuracy": None}
    if isinstance(pruning, Frozen):
        pruning.check()
    elif pruning:
        at_end = check_zeros(model, pruning.masks, cell.sparsity, row.pattern)
        realised = at_end if isinstance(pruning, GradualPruning) else realised
    if cell.arm in ("dense", *study.machine.keep):
        zeros = pruning and not isinstance(pruning, Frozen)  # else no weight is held at zero
        masks, target = (pruning.masks, cell.sparsity) if zeros else (all_kept(model), 0.0)
        save_checkpoint(model, masks, target, cell.checkpoint(study.study), tokenizer, row.pattern if row else "matrix")
    run = cell.pretrained(study)
    return coordinates | {
        "realised_sparsity": realised,
        "final_sparsity": sparsities(model)["prunable"],
        "epochs": sum(rounds),
        **scores(model, training, dev, study, tokenizer, folder),
        "pretrain_loss": run and pretrain(study, run)["pretrain_loss"],
        "seconds": seconds,
        **provenance(study.machine),
    }


def _needed(study: Study, cell: Cell) -> list[Cell]:
    """The dense cells that a cell prunes or learns from."""
    row = study.arm_table.rows.get(cell.arm)
    if row is None:
        return []
    pruned = row.when in ("fine-tuned", "rewound") and row.masks_of != PRETRAINING
    return [cell.dense(row.masks_of)] * pruned + [cell.dense()] * (row.taught("fine-tuning") is not None)


def _pruner(
    study: Study, cell: Cell, row: Arm | None, model: PreTrainedModel, masks: dict[str, Tensor], steps: int
) -> FixedMask | None:
    """The Trainer callback that keeps a cell pruned, or prunes it while it is fine-tuned."""
    if row is None or row.fate == "free":
        return None
    if row.when == "fine-tuning":
        begin = round(study.finetuning.ramp_begin * steps)
        end = max(1, round(study.finetuning.ramp_share * steps))  # a learnt score has to see a step
        schedule = Schedule(cell.sparsity, end, study.pretraining.frequency, begin)
        return GradualPruning(model, schedule, chooser(row.zeros, model.config.num_attention_heads, cell.seed))
    return Frozen(model, masks) if row.fate == "frozen" else FixedMask(model, masks)
