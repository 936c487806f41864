"""Block Fisher: as `fisher`, but the other weights of a block compensate for each pruned one (oBERT).

Source: Kurtic et al. 2022 (arXiv:2203.07259), equation 3: W² / (2 [F⁻¹]ᵢᵢ), with F = λ I + mean of g gᵀ over examples, in
blocks of BLOCK weights that follow each other in a row-major matrix. The authors also move the kept weights of a block when
one is pruned, and choose again at every step of a ramp; here the order alone is taken, once, and training moves the kept ones.
Needs BLOCK numbers per weight in memory.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from prune_utils.pruning.patterns.pattern import Tensors
from prune_utils.pruning.scores.score import Score

BLOCK, DAMPING = 50, 1e-7  # the authors' B and λ


def blocks(matrix: Tensor) -> Tensor:
    """A matrix as rows of BLOCK weights; zeros fill the last one."""
    flat = matrix.detach().flatten()
    return pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)


def update(state: Tensors, weight: Tensor, gradient: Tensor) -> Tensors:
    """Add the products of the gradients of one example within each block."""
    g = blocks(gradient)
    if not state:
        return {"products": g[:, :, None] * g[:, None, :], "count": g.new_ones(())}
    return {"products": state["products"].baddbmm_(g[:, :, None], g[:, None, :]), "count": state["count"] + 1}


def value(matrices: Tensors, states: dict[str, Tensors], seed: int) -> Tensors:
    """W² / (2 [F⁻¹]ᵢᵢ); inverted in float64, since λ is small."""
    return {name: _value(matrix, **states[name]) for name, matrix in matrices.items()}


def _value(matrix: Tensor, products: Tensor, count: Tensor) -> Tensor:
    damped = DAMPING * torch.eye(BLOCK, dtype=torch.float64, device=products.device)
    inverse = torch.cat([torch.linalg.inv(part / count + damped) for part in products.double().split(4096)])
    rise = blocks(matrix).double() ** 2 / (2 * inverse.diagonal(dim1=1, dim2=2))
    return rise.flatten()[: matrix.numel()].view_as(matrix).float()


SCORE = Score(value, update, seen="gradients")
