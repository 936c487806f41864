"""Masks of a whole model, chosen at once; a score that reads examples sees them first."""

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.data.batches import padded
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.scores import chooser
from prune_utils.pruning.watching import measure
from prune_utils.study.sections.arms import Zeros
from prune_utils.training.loop.trainer import read_by

TOGETHER = 32  # examples in a batch whose inputs are read; gradients are those of single examples


def chosen(
    model: PreTrainedModel, zeros: Zeros, sparsity: float, seed: int, data: Dataset, tokenizer: PreTrainedTokenizerBase
) -> dict[str, Tensor]:
    """Masks that prune a model to a sparsity at once, on the CPU; the model does not change.

    A score that reads examples sees `zeros.examples` of `data`, drawn without replacement, or all if it has no more.
    """
    choose = chooser(zeros, model.config.num_attention_heads, seed)
    if choose.score.update is None:
        return {name: mask.cpu() for name, mask in choose(prunable_matrices(model), sparsity).items()}
    drawn = np.random.default_rng(seed).permutation(len(data))[: zeros.examples]
    rows = list(read_by(model, data.select(drawn)))
    size = TOGETHER if choose.score.seen == "inputs" else 1
    parts = (rows[start : start + size] for start in range(0, len(rows), size))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    measure(model, choose, (padded(part, tokenizer.pad_token_id) for part in parts))
    masks = {name: mask.cpu() for name, mask in choose(prunable_matrices(model), sparsity).items()}
    model.cpu()
    return masks
