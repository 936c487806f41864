"""Parts of the GPU benchmark on pruning: the cost of the callbacks per step, and ways to select the k-th magnitude."""

import time
from collections import defaultdict
from functools import partial
from statistics import median

import torch
from bench import Bench
from cases import CUDA

from prune_utils.pruning.callbacks import FixedMask, GradualPruning
from prune_utils.pruning.masks import magnitude_masks, pruned_count
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.pruning.scores import by_magnitude

SPARSITY, FREQUENCY = 0.6, 10
SELECTED = (
    "embeddings.word_embeddings.weight",
    "encoder.layer.0.intermediate.dense.weight",
    "pooler.dense.weight",
)


def pruning(bench: Bench) -> None:
    """The cost of pruning per step, of the masks alone, and of selecting the k-th magnitude."""
    case, model = bench.base, bench.base.model()
    say = partial(bench.say, "pruning", case.what)
    block = bench.calls(median(bench.trained(model, case, 3)), 100)
    plain = say("Trainer, no pruning", bench.trained(model, case, block), **case.cost)
    masks = magnitude_masks(prunable_matrices(model), SPARSITY)
    fixed = say("Trainer, fixed mask", bench.trained(model, case, block, FixedMask(model, masks)), **case.cost)
    block = max(block, FREQUENCY)
    end = 2 * (bench.warm + block * bench.blocks)  # all of the measured steps lie on the ramp
    ramp = GradualPruning(model, Schedule(SPARSITY, end_step=end, frequency=FREQUENCY))
    ramped = say("Trainer, on the ramp, renewed every 10", bench.trained(model, case, block, ramp), **case.cost)
    whole = 0.9 * fixed / plain + 0.1 * ramped / plain - 1
    shares = (
        f"fixed {fixed / plain - 1:+.2%}, ramp {ramped / plain - 1:+.2%}; a run with a tenth on the ramp {whole:+.2%}"
    )
    say("share of a step", value=shares)

    callback = GradualPruning(model, Schedule(SPARSITY, end_step=1000, frequency=FREQUENCY))
    callback.renew(SPARSITY)
    say("apply alone", bench.times(callback.apply))
    say("renew alone", bench.times(lambda: callback.renew(SPARSITY), 3))
    matrices = {name: matrix.detach() for name, matrix in prunable_matrices(model).items()}
    stacks = defaultdict(list)
    say("masks per matrix, as now", bench.times(lambda: by_magnitude("matrix", matrices, SPARSITY), 3))
    say("masks over all, as now", bench.times(lambda: by_magnitude("model", matrices, SPARSITY), 3))
    for matrix in matrices.values():
        stacks[matrix.shape].append(matrix)
    for name, kth in {"kthvalue": by_value, "bisection": by_bisection}.items():
        seconds = bench.times(lambda kth=kth: stacked(stacks.values(), kth), 3)
        say(f"masks per matrix, {name} over stacks of one shape", seconds)
    for name in SELECTED:
        select(bench, matrices[name].abs().flatten())


def select(bench: Bench, magnitude: torch.Tensor) -> None:
    """Ways to find the k-th smallest of many magnitudes, and their ranks."""
    count = pruned_count(len(magnitude), SPARSITY)
    say = partial(bench.say, "select", f"{len(magnitude) / 1e6:.2f} M weights")
    say("kthvalue", bench.times(lambda: magnitude.kthvalue(count).values, 3))
    say("sort", bench.times(lambda: magnitude.sort().values, 3))
    say("topk of the larger part", bench.times(lambda: magnitude.topk(len(magnitude) - count, sorted=False).values, 3))
    say("bisection of its bits", bench.times(lambda: by_bisection(magnitude, count), 3))
    assert by_bisection(magnitude, count) == magnitude.kthvalue(count).values
    say("argsort stable (ranks)", bench.times(lambda: magnitude.argsort(stable=True), 3))
    if CUDA:
        there = magnitude.cpu()
        ways = {"kthvalue": lambda: there.kthvalue(count), "argsort": lambda: there.argsort(stable=True)}
        for name, slow in ways.items():
            began = time.perf_counter()
            slow()
            say(f"{name} on the processor", [time.perf_counter() - began])


def stacked(stacks, kth) -> list[torch.Tensor]:
    """Magnitude masks of all matrices of one shape at once; `kth` selects the threshold of each row."""
    ranked = [torch.stack(same).abs().flatten(1) for same in stacks]
    return [rows > kth(rows, pruned_count(rows.shape[1], SPARSITY)) for rows in ranked]


def by_value(magnitude: torch.Tensor, count: int) -> torch.Tensor:
    return magnitude.kthvalue(count, dim=-1, keepdim=True).values


def by_bisection(magnitude: torch.Tensor, count: int) -> torch.Tensor:
    """The count-th smallest number of each row, shape (..., 1), of non-negative float32 numbers, shape (..., n).

    Such numbers are in the same order as their bits read as integers, so 31 halvings of the range find the number
    exactly. Every halving counts over all numbers, and the host never waits for the device.
    """
    bits = magnitude.view(torch.int32)
    low = torch.zeros_like(bits[..., :1])
    high = torch.full_like(low, 2**31 - 1)
    for _ in range(31):
        middle = low + (high - low) // 2
        enough = (bits <= middle).sum(-1, keepdim=True) >= count
        low, high = torch.where(enough, low, middle + 1), torch.where(enough, middle, high)
    return high.view(torch.float32)
