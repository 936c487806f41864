"""One pre-training run of a study: the dense model, or a pruned one that starts from it."""

import torch
from transformers import PreTrainedTokenizerBase

from prune_utils.data import prepared, text
from prune_utils.pruning.callbacks import FixedMask, GradualPruning
from prune_utils.pruning.checkpoints import all_kept, load_checkpoint, save_checkpoint
from prune_utils.pruning.criteria import CRITERIA
from prune_utils.pruning.masks import random_mask
from prune_utils.pruning.matrices import check_zeros, prunable_matrices, sparsities
from prune_utils.pruning.schedule import Schedule
from prune_utils.study import paths
from prune_utils.study.files import alone, read_json, write_json
from prune_utils.study.recipes import Pretraining
from prune_utils.study.schema import RAMPED, Study
from prune_utils.training.machine import provenance
from prune_utils.training.modeling import MaskedBert, new_model
from prune_utils.training.trainer import Recipe, discard, predict, train


def pretrain(study: Study, method: str, sparsity: float, seed: int) -> dict:
    """The result of one run, trained unless it is finished already; its checkpoint lies beside it.

    `method` dense: the burn-in, from the study's starting model. The others start from the dense model of the
    same seed: gradual and global are pruned by magnitude on the schedule, in each matrix or over all of them
    together; one_shot and heads by magnitude, and random at random, whole before the first step.
    """
    folder = paths.pretraining(study.study, method, sparsity, seed)
    if (folder / paths.RESULT).exists():
        return read_json(folder / paths.RESULT)
    with alone(folder):
        if not (folder / paths.RESULT).exists():
            _train(study, method, sparsity, seed)
    return read_json(folder / paths.RESULT)


def _train(study: Study, method: str, sparsity: float, seed: int) -> None:
    folder = paths.pretraining(study.study, method, sparsity, seed)
    tokenizer, recipe = text.tokenizer(study.corpus), study.pretraining
    if method == "dense":
        model, pruning = new_model(study, tokenizer, seed), None
    else:
        pretrain(study, "dense", 0.0, seed)
        dense = paths.pretraining(study.study, "dense", 0.0, seed) / paths.CHECKPOINT
        model, _, _ = load_checkpoint(MaskedBert, dense, 0.0)
        pruning = pruner(model, method, sparsity, seed, recipe)
    burn_in = method == "dense"
    seconds, history = train(
        model,
        prepared.pretraining_data(study),
        Recipe(
            recipe.burn_in_steps if burn_in else recipe.steps,
            recipe.batch_size,
            recipe.burn_in_learning_rate if burn_in else recipe.learning_rate,
            recipe.weight_decay,
            recipe.warmup_share,
            recipe.max_grad_norm,
            seed,
        ),
        folder / "trainer",
        study.machine,
        tokenizer,
        pruning,
        progress=True,
    )
    masks = pruning.masks if pruning else all_kept(model)
    realised = check_zeros(model, masks, sparsity, method)
    save_checkpoint(model, masks, sparsity, folder / paths.CHECKPOINT, tokenizer, method)
    write_json(
        folder / paths.RESULT,
        {
            "method": method,
            "target_sparsity": sparsity,
            "realised_sparsity": realised,
            "seed": seed,
            **{f"{name}_sparsity": value for name, value in sparsities(model).items() if name != "prunable"},
            **evaluate(model, study, tokenizer),
            "seconds": seconds,
            **provenance(study.machine),
            "history": history,
        },
    )
    discard(folder / "trainer")


def pruner(model: MaskedBert, method: str, sparsity: float, seed: int, recipe: Pretraining) -> FixedMask:
    """The callback that prunes a dense model by `method` while it trains on."""
    if method == "random":
        return FixedMask(model, random_masks(model, sparsity, seed))
    criterion = CRITERIA[method].masks
    if method in RAMPED:
        return GradualPruning(model, Schedule(sparsity, recipe.ramp_steps, recipe.frequency), criterion)
    return FixedMask(model, criterion(prunable_matrices(model), sparsity, model.config.num_attention_heads))


def random_masks(model: MaskedBert, sparsity: float, seed: int) -> dict[str, torch.Tensor]:
    """A random mask for every prunable matrix of a model, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return {name: random_mask(p, sparsity, generator) for name, p in prunable_matrices(model).items()}


def evaluate(model: MaskedBert, study: Study, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """Losses in nats and accuracies on held-out text, each the mean over its own predictions: masked tokens for
    `mlm_*`, pairs for `nsp_*`; `pretrain_loss` is the sum of both losses."""
    mlm_nll, mlm_correct, tokens, nsp_nll, nsp_correct = predict(
        model, prepared.pretraining_data(study, held_out=True), study.machine, tokenizer
    )
    mlm_loss, nsp_loss = float(mlm_nll.sum() / tokens.sum()), float(nsp_nll.mean())
    return {
        "pretrain_loss": mlm_loss + nsp_loss,
        "mlm_loss": mlm_loss,
        "mlm_accuracy": float(mlm_correct.sum() / tokens.sum()),
        "nsp_loss": nsp_loss,
        "nsp_accuracy": float(nsp_correct.mean()),
    }
