"""Which matrices of a model are pruned, and how sparse they are."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from prune_utils.pruning.criteria import CRITERIA, SparsityMismatch
from prune_utils.pruning.masks import sparsity_of


def prunable_matrices(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """The prunable matrices of a model with any head, by their names inside its encoder (paper §3.2).

    Every linear layer's weight of the encoder (query, key, value, attention output, intermediate, output,
    pooler) and the word embeddings; with them an MLM decoder tied to the embeddings, which is the same
    parameter. Never biases, LayerNorm, position and token-type embeddings, nor any head. 74 matrices and
    108,965,376 weights for BERT-Base.
    Raises ValueError where a decoder is not tied, since pruning the embeddings would then miss it.
    """
    encoder = model.base_model
    words = model.get_input_embeddings().weight
    decoder = model.get_output_embeddings()
    if decoder is not None and decoder.weight is not words:
        raise ValueError("the MLM decoder is not tied to the word embeddings, so pruning one would miss the other")
    linear = {id(module.weight) for module in encoder.modules() if isinstance(module, nn.Linear)}
    return {
        name: parameter
        for name, parameter in encoder.named_parameters()
        if id(parameter) in linear or parameter is words
    }


@torch.no_grad()
def apply_masks(model: PreTrainedModel, masks: dict[str, Tensor]) -> None:
    """Sets every pruned weight of the model to zero, in place."""
    matrices = prunable_matrices(model)
    check_names(matrices, masks)
    for name, mask in masks.items():
        matrices[name].mul_(mask.to(matrices[name].device))


def check_names(matrices: dict[str, nn.Parameter], masks: dict[str, Tensor]) -> None:
    """Raises SparsityMismatch unless there is one mask for each matrix, of its shape."""
    wrong = [
        name
        for name in matrices.keys() | masks.keys()
        if name not in matrices or name not in masks or matrices[name].shape != masks[name].shape
    ]
    if wrong:
        raise SparsityMismatch(f"masks and matrices do not match: {', '.join(sorted(wrong))}")


def check_zeros(
    model: PreTrainedModel, masks: dict[str, Tensor], target: float | None = None, method: str = "gradual"
) -> float:
    """The realised sparsity of the prunable matrices, after checking that every pruned weight is exactly zero
    and, where a `target` is given, that exactly as many are pruned as `method` promises at it: in each matrix,
    of all together (global), or as whole attention heads (heads).

    Raises SparsityMismatch where that is not so. Kept weights may be zero (the padding row is): the masks say
    what was pruned, the weights show it.
    """
    matrices = prunable_matrices(model)
    check_names(matrices, masks)
    alive = {
        name: int(matrices[name].detach()[~mask.to(matrices[name].device)].count_nonzero())
        for name, mask in masks.items()
    }
    if any(alive.values()):
        name = max(alive, key=alive.get)
        raise SparsityMismatch(f"{sum(alive.values())} pruned weights are not zero, {alive[name]} of them in {name}")
    if target is not None:
        CRITERIA[method].check(masks, target, model.config.num_attention_heads)
    return sparsity_of(masks)


def sparsities(model: PreTrainedModel) -> dict[str, float]:
    """Measured shares of exactly zero weights by denominator: `prunable` matrices, `encoder` layers only (the
    linear layers without pooler and embeddings), the `whole_model` with its head."""
    matrices = prunable_matrices(model)
    words = model.get_input_embeddings().weight
    layers = [p for name, p in matrices.items() if p is not words and not name.startswith("pooler.")]
    groups = {"prunable": matrices.values(), "encoder": layers, "whole_model": model.parameters()}
    return {name: _zero_share(list(group)) for name, group in groups.items()}


def _zero_share(tensors: list[Tensor]) -> float:
    return 1 - sum(int(t.detach().count_nonzero()) for t in tensors) / sum(t.numel() for t in tensors)
