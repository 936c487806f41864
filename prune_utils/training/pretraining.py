"""Pre-training runs: the burn-in of the dense model, and the pruned runs that start from it."""

import copy

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.callbacks import FixedMask, GradualPruning
from prune_utils.pruning.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.pruning.matrices import check_zeros, sparsities
from prune_utils.pruning.schedule import Schedule
from prune_utils.pruning.scores import chooser
from prune_utils.study.grid import Run
from prune_utils.study.schema import Study
from prune_utils.training.loop.distillation import distilled
from prune_utils.training.loop.machine import provenance, settled
from prune_utils.training.loop.resuming import finished
from prune_utils.training.loop.trainer import predict, train
from prune_utils.training.measuring import chosen
from prune_utils.training.modeling import MaskedEncoder, new_model


def pretrain(study: Study, run: Run) -> dict:
    """Return the result of a pre-training run; train it first unless it is finished. Its checkpoint lies beside it.

    The dense run is the burn-in of the study's starting model; with `head_steps`, its heads are trained alone first.
    Every other run starts from the dense model of its seed, and prunes as its row in the table of arms says: on the schedule,
    or before the first step.
    """
    return finished(run.folder(study.study), lambda: _trained(settled(study), run))


def _trained(study: Study, run: Run) -> dict:
    """Train a run, save its checkpoint and return its result."""
    tokenizer, recipe, pattern = tokenizer_of(study), study.pretraining, study.arm_table.pattern(run.method)
    burn_in, loss = run == run.dense(), None
    if burn_in:
        model, pruning = new_model(study, tokenizer, run.seed), None
    else:
        pretrain(study, run.dense())
        model, _, _ = load_checkpoint(MaskedEncoder, run.dense().checkpoint(study.study), 0.0)
        pruning = pruner(study, run, model)
        if (zeros := study.arm_table.methods[run.method]) and zeros.teacher:
            loss = distilled(copy.deepcopy(model), zeros.teacher)
    data, folder, seconds, history = prepared.pretraining_data(study), run.folder(study.study), 0.0, []
    for trained, optimisation in recipe.stages(burn_in):
        model.base_model.requires_grad_(trained == "all")
        place = folder / f"trainer-{trained}"
        took, losses = train(
            model, data, optimisation, run.seed, place, study.machine, tokenizer, pruning, progress=True, loss=loss
        )
        done, seconds = history[-1]["step"] if history else 0, seconds + took
        history += [{"step": done + entry["step"], "loss": entry["loss"]} for entry in losses]
    masks = pruning.masks if pruning else all_kept(model)
    realised = check_zeros(model, masks, run.sparsity, pattern)
    save_checkpoint(model, masks, run.sparsity, run.checkpoint(study.study), tokenizer, pattern)
    return {
        "method": run.method,
        "target_sparsity": run.sparsity,
        "realised_sparsity": realised,
        "seed": run.seed,
        **{f"{name}_sparsity": value for name, value in sparsities(model).items() if name != "prunable"},
        **evaluate(model, study, tokenizer),
        "seconds": seconds,
        **provenance(study.machine),
        "history": history,
    }


def pruner(study: Study, run: Run, model: PreTrainedModel) -> FixedMask:
    """The Trainer callback that prunes a dense model by the method of a run."""
    zeros, recipe = study.arm_table.methods[run.method], study.pretraining
    if study.arm_table.ramped(run.method):
        choose = chooser(zeros, model.config.num_attention_heads, run.seed)
        return GradualPruning(model, Schedule(run.sparsity, recipe.ramp_steps, recipe.frequency), choose)
    data = prepared.pretraining_data(study)
    return FixedMask(model, chosen(model, zeros, run.sparsity, run.seed, data, tokenizer_of(study)))


def evaluate(model: PreTrainedModel, study: Study, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """Losses (nats) and accuracies on held-out text: `mlm_*` over masked tokens, `nsp_*` over sentence pairs.

    `pretrain_loss` is the sum of the two losses. A family that predicts no next sentence has no `nsp_*`.
    """
    data = prepared.pretraining_data(study, held_out=True)
    mlm_nll, mlm_correct, tokens, *of_next = predict(model, data, study.machine, tokenizer)
    scores = {
        "mlm_loss": float(mlm_nll.sum() / tokens.sum()),
        "mlm_accuracy": float(mlm_correct.sum() / tokens.sum()),
        **{name: float(score.mean()) for name, score in zip(("nsp_loss", "nsp_accuracy"), of_next, strict=False)},
    }
    return {"pretrain_loss": scores["mlm_loss"] + scores.get("nsp_loss", 0.0), **scores}
