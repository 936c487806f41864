"""What a score reads while a model runs: the gradients of its matrices, or their inputs."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from prune_utils.pruning.matrices import prunable_matrices

See = Callable[[str, Tensor], None]  # called with the name of a matrix and what is seen of one batch


def gradients(model: PreTrainedModel, see: See) -> list[RemovableHandle]:
    """Call `see` with the gradient of each prunable matrix when it is complete, at every backward pass."""
    return [
        parameter.register_post_accumulate_grad_hook(partial(lambda name, p: see(name, p.grad), name))
        for name, parameter in prunable_matrices(model).items()
    ]


def inputs(model: PreTrainedModel, see: See) -> list[RemovableHandle]:
    """Call `see` with the inputs of each linear layer at every forward pass, shape (tokens, columns), without padding."""
    names = {id(parameter): name for name, parameter in prunable_matrices(model).items()}
    mask: list[Tensor] = []

    def begin(module: nn.Module, args: tuple, options: dict) -> None:
        mask[:] = [options["attention_mask"].bool()]

    def read(name: str, module: nn.Module, args: tuple) -> None:
        tokens = args[0].detach()
        # a pooler reads one token of each example, which is never padding: shape (examples, columns)
        whole = tokens.dim() == 3 and tokens.shape[:2] == mask[0].shape
        see(name, tokens[mask[0]] if whole else tokens.flatten(0, -2))

    handles = [model.register_forward_pre_hook(begin, with_kwargs=True)]
    for module in model.base_model.modules():
        if isinstance(module, nn.Linear) and id(module.weight) in names:
            handles.append(module.register_forward_pre_hook(partial(read, names[id(module.weight)])))
    return handles


SEEN = {"gradients": gradients, "inputs": inputs}


def measure(model: PreTrainedModel, chooser, batches: list[dict[str, Tensor]]) -> None:
    """Let the score of a `scores.Chooser` see batches, each with `labels`; the weights do not change."""
    weights = prunable_matrices(model)
    handles = SEEN[chooser.score.seen](
        model, lambda name, seen: chooser.see(name, weights[name].detach(), seen.detach())
    )
    model.eval()  # no dropout: the score is that of the model that is pruned
    try:
        for batch in batches:
            with torch.set_grad_enabled(chooser.score.seen == "gradients"):
                loss = model(**{name: value.to(model.device) for name, value in batch.items()}).loss
            if loss.requires_grad:
                loss.backward()
                model.zero_grad()
    finally:
        for handle in handles:
            handle.remove()
        model.train()
