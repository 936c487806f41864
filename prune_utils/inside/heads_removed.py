"""What attention heads are worth once weights are pruned (paper §6)."""

import pandas as pd

from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning import stored
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.scores import by_magnitude
from prune_utils.study.grid import gradual_runs
from prune_utils.study.schema import Study
from prune_utils.training.loop.machine import settled
from prune_utils.training.modeling import MaskedEncoder
from prune_utils.training.pretraining import evaluate, pretrain

REMOVED = 0.5  # share of the attention heads


def removed_frame(study: Study, seeds: list[int]) -> pd.DataFrame:
    """What removing half of the attention heads costs the gradual runs (paper §6): held-out loss without further training.

    Columns seed, sparsity, pretrain_loss, without_heads (the loss without the heads of smallest magnitude), in nats.
    """
    rows, tokenizer, study = [], tokenizer_of(study), settled(study)
    for run in gradual_runs(study, seeds):
        place = run.checkpoint(study.study)
        model, _, _ = load_checkpoint(MaskedEncoder, place, run.sparsity, study.arm_table.pattern(run.method))
        weights = {name: matrix.detach() for name, matrix in prunable_matrices(model).items()}
        apply_masks(model, by_magnitude("heads", weights, REMOVED, stored.heads(place)))
        rows.append([run.seed, run.sparsity, pretrain(study, run)["pretrain_loss"]])
        rows[-1].append(evaluate(model, study, tokenizer)["pretrain_loss"])
    return pd.DataFrame(rows, columns=["seed", "sparsity", "pretrain_loss", "without_heads"])
