"""The prunable matrices of a model, and their sparsity."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from prune_utils.pruning.families import kind_and_layer
from prune_utils.pruning.masks import sparsity_of
from prune_utils.pruning.patterns import SparsityMismatch, pattern_of


def prunable_matrices(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """Return the prunable matrices of a model, {name inside the encoder: parameter} (paper §3.2).

    These are the weights of all linear layers of the encoder and the word embeddings, including an MLM decoder tied
    to them: in BERT-Base query, key, value, attention output, intermediate, output and pooler, 74 matrices and
    108,965,376 weights. Biases, norms, embeddings of positions, token types and distances, and output heads are never
    pruned. docs/models.md has the matrices of each family.
    Raises ValueError if the decoder is not tied, because pruning the embeddings would then not prune it.
    """
    encoder = model.base_model
    words = model.get_input_embeddings().weight
    decoder = model.get_output_embeddings()
    if decoder is not None and decoder.weight is not words:
        raise ValueError("the MLM decoder is not tied to the word embeddings, so pruning one would miss the other")
    linear = {id(module.weight) for module in encoder.modules() if isinstance(module, nn.Linear)} | {id(words)}
    return {name: parameter for name, parameter in encoder.named_parameters() if id(parameter) in linear}


@torch.no_grad()
def apply_masks(model: PreTrainedModel, masks: dict[str, Tensor]) -> None:
    """Set every pruned weight of a model to zero, in place."""
    matrices = prunable_matrices(model)
    check_names(matrices, masks)
    for name, mask in masks.items():
        matrices[name].mul_(mask.to(matrices[name].device))


def check_names(matrices: dict[str, nn.Parameter], masks: dict[str, Tensor]) -> None:
    """Raise SparsityMismatch unless every matrix has one mask of its shape."""
    shapes, found = ({name: tensor.shape for name, tensor in part.items()} for part in (matrices, masks))
    if wrong := {name for name, _ in shapes.items() ^ found.items()}:
        raise SparsityMismatch(f"masks and matrices differ in name or shape: {', '.join(sorted(wrong))}")


def check_zeros(
    model: PreTrainedModel, masks: dict[str, Tensor], target: float | None = None, pattern: str = "matrix"
) -> float:
    """Check that every pruned weight is exactly zero, and return the realised sparsity of the prunable matrices.

    If `target` is given, also check that the number of pruned weights is exactly what `pattern` has at this
    sparsity. Raises SparsityMismatch if a check fails. A kept weight may be zero (the padding row is): the masks
    define what is pruned, and the weights must agree.
    """
    matrices = prunable_matrices(model)
    check_names(matrices, masks)
    alive = {name: int(m.detach()[~masks[name].to(m.device)].count_nonzero()) for name, m in matrices.items()}
    if any(alive.values()):
        name = max(alive, key=alive.get)
        raise SparsityMismatch(f"{sum(alive.values())} pruned weights are not zero, {alive[name]} of them in {name}")
    if target is not None:
        pattern_of(pattern).check(masks, target, model.config.num_attention_heads)
    return sparsity_of(masks)


def sparsities(model: PreTrainedModel) -> dict[str, float]:
    """Measure the share of exactly zero weights for three denominators.

    `prunable`: the prunable matrices; `encoder`: those of the encoder layers, without embeddings and pooler;
    `whole_model`: all parameters, head included.
    """
    matrices = prunable_matrices(model)
    layers = [p for name, p in matrices.items() if kind_and_layer(name)[1]]
    groups = {"prunable": matrices.values(), "encoder": layers, "whole_model": model.parameters()}
    return {name: _zero_share(list(group)) for name, group in groups.items()}


def _zero_share(tensors: list[Tensor]) -> float:
    return 1 - sum(int(t.detach().count_nonzero()) for t in tensors) / sum(t.numel() for t in tensors)
