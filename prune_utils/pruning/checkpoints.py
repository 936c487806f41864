"""Checkpoints on disk: `from_pretrained` folders with the zeros in place, and the masks in a file of their own."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prune_utils.pruning.matrices import check_zeros, prunable_matrices
from prune_utils.pruning.stored import MASKS, load_masks, save_masks
from prune_utils.study.files import of_machine, whole_folder
from prune_utils.study.section import ParamsError


def all_kept(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return the masks of a dense model, all ones."""
    return {name: torch.ones(p.shape, dtype=torch.bool) for name, p in prunable_matrices(model).items()}


def save_checkpoint(
    model: PreTrainedModel,
    masks: dict[str, Tensor],
    target: float,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    pattern: str = "matrix",
) -> float:
    """Save a model with its masks and return the realised sparsity, measured after reading the files back.

    Raises SparsityMismatch, and leaves no folder, if the zeros on disk differ from the masks, or the masks from
    what `pattern` has at the `target` sparsity.
    """
    masks = {name: mask.cpu() for name, mask in masks.items()}
    with torch.no_grad():
        # a negative weight times a zero mask is -0.0; adding 0.0 turns that into +0.0
        torch._foreach_add_([p.data for p in prunable_matrices(model).values()], 0.0)
    with whole_folder(folder) as unfinished:
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        save_masks(masks, unfinished / MASKS)
        return load_checkpoint(type(model), unfinished, target, pattern)[2]


def load_checkpoint(
    kind: type, folder: Path, target: float, pattern: str = "matrix", **options
) -> tuple[PreTrainedModel, dict[str, Tensor], float]:
    """Load a model of class `kind`, its masks and its measured sparsity.

    Raises SparsityMismatch if the zeros, the masks and what `pattern` has at the `target` sparsity do not agree, and
    ParamsError if a file is missing or damaged.
    """
    try:
        model = kind.from_pretrained(folder, dtype=torch.float32, **options)
        masks = load_masks(folder / MASKS)
    except (OSError, ValueError, SafetensorError) as error:
        if of_machine(error):
            raise
        fault = f"{folder} cannot be read as a checkpoint ({' '.join(str(error).split())})"
        raise ParamsError(f"{fault}; delete {folder.parent} to train it again") from None
    return model, masks, check_zeros(model, masks, target, pattern)
