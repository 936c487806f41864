"""Physically smaller models: feed-forward units that do not affect the output are cut out.

Heads and layers cannot be cut out of a folder that `from_pretrained` reads: its config has one size of heads and one number
of them for all layers, and a layer whose matrices are zero still applies its biases and norms.
"""

import copy

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from prune_utils.pruning.families import FAMILIES
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.patterns.units import of_layers


def live_units(model: PreTrainedModel) -> dict[int, Tensor]:
    """{layer: bool per feed-forward unit}: whether a weight of the output matrix reads it.

    A unit whose column of the output matrix is zero changes nothing, whatever its other weights and its bias are.
    """
    matrices = prunable_matrices(model)
    return {layer: (matrices[columns] != 0).any(0) for layer, (_, columns) in of_layers(matrices).items()}


@torch.no_grad()
def shrunk(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model without its dead feed-forward units; its outputs equal the model's up to the order of sums.

    All layers of an ordinary config have one size: that of the layer with the most live units (at least 1). Other layers keep
    dead units up to it, the first ones. Returns a copy of the same size if no layer has a unit to spare.
    """
    live, matrices = live_units(model), prunable_matrices(model)
    size = max(1, *(int(units.sum()) for units in live.values()))
    config, field = copy.deepcopy(model.config), FAMILIES[model.config.model_type].config_name("intermediate_size")
    setattr(config, field, size)
    prefix = f"{model.base_model_prefix}." if model.base_model is not model else ""
    state = dict(model.state_dict())
    for layer, (rows, columns) in of_layers(matrices).items():
        kept = torch.argsort(~live[layer], stable=True)[:size].sort().values  # the live ones, then the first dead ones
        width = len(live[layer])
        parts = matrices[rows].shape[0] // width  # 2 where a half gates the other
        of_rows = torch.cat([kept + part * width for part in range(parts)])
        state[prefix + columns] = state[prefix + columns][:, kept]
        for name in (rows, rows.removesuffix("weight") + "bias"):
            if prefix + name in state:
                state[prefix + name] = state[prefix + name][of_rows]
    small = type(model)(config).to(model.dtype)
    small.load_state_dict(state)
    small.tie_weights()
    return small.train(model.training)


def parameters(model: nn.Module) -> int:
    """The number of parameters, tied ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
