"""Measure how much each speed-up of the package gains on this machine, as ratios of alternatives timed side by side."""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from cases import DEVICE, Case, bare_step
from torch.nn.functional import pad
from transformers import BertForPreTraining

from prune_utils.data.batches import padded
from prune_utils.data.masked_tokens import IGNORED
from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.pruning.masks import magnitude_mask, pruned_count
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.study.schema import Machine
from prune_utils.training.loop.machine import bfloat16, keep_freed_memory

AUTO = Machine(jobs=1, threads=1, precision="auto", save_steps=1, sparsities_per_node=0)
SPARSITY = 0.6


def seconds(*functions: Callable, rounds: int = 2) -> list[float]:
    """Median time of each function after a warm-up; the functions take turns, so that drift affects all alike."""
    times = [[] for _ in functions]
    for counted in range(-1, rounds):
        for function, measured in zip(functions, times, strict=True):
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            function()
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            if counted >= 0:
                measured.append(time.perf_counter() - start)
    return [statistics.median(measured) for measured in times]


def row(name: str, took: float, against: float) -> None:
    print(f"{name:<40} {1000 * took:9.1f} ms   {against / took:5.2f} x as fast")


def step(case: Case, inputs: dict, kind: type | None = None, autocast: bool = False) -> Callable:
    """A training step of a new model on one batch."""
    model = case.model(kind)
    return bare_step(model, lambda: model(**inputs).loss, autocast, fused=True)


def logits(case: Case) -> float:
    """Compare vocabulary logits at all positions with those at masked tokens; return the seconds of the latter."""
    inputs = case.batches(1)[0]
    everywhere, where_masked = step(case, inputs, BertForPreTraining), step(case, inputs)
    full, ours = seconds(everywhere, where_masked)
    row("training step: logits everywhere", full, full)
    row("  logits where tokens are masked", ours, full)
    if bfloat16(AUTO):
        (half,) = seconds(step(case, inputs, autocast=True))
        row("  the same under bfloat16 autocast", half, full)
    else:  # emulation takes minutes per step
        print("  (bfloat16: this processor does not compute in it, and precision: auto selects float32)")
    return ours


def by_sorting(weight: torch.Tensor) -> torch.Tensor:
    keep = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    keep[weight.abs().flatten().argsort(stable=True)[: pruned_count(weight.numel(), SPARSITY)]] = False
    return keep.view_as(weight)


def pruning(case: Case, a_step: float) -> None:
    """Compare ways to select weights, and the cost of pruning with the `a_step` seconds of a training step."""
    model = case.model()
    matrices = [p.detach() for p in prunable_matrices(model).values()]
    sort, rank = seconds(
        lambda: [by_sorting(matrix) for matrix in matrices],
        lambda: [magnitude_mask(matrix, SPARSITY) for matrix in matrices],
    )
    row("new masks of all matrices: by sorting", sort, sort)
    row("  by k-th value", rank, sort)
    callback = GradualPruning(model, Schedule(SPARSITY, end_step=1000, frequency=10))
    callback.renew(SPARSITY)
    apply, renew = seconds(callback.apply, lambda: callback.renew(SPARSITY))
    print(
        f"  pruning, share of a step: applying {apply / a_step:.2%}, every 10th on the ramp {renew / 10 / a_step:.2%};"
    )
    print(f"  over a whole run as in the paper, a tenth of it ramp: {(apply + renew / 100) / a_step:.2%}")


def padding(case: Case) -> None:
    """Compare short texts padded to a fixed length with short texts padded to the longest of their batch."""
    lengths = np.random.default_rng(0).geometric(1 / 12, case.batch).clip(5, case.tokens)  # about those of SST-2
    texts = [
        {
            "input_ids": [7] * n,
            "labels": [7] + [IGNORED] * (n - 1),
            "token_type_ids": [0] * n,
            "next_sentence_label": 0,
        }
        for n in lengths
    ]
    own = {name: tensor.to(DEVICE) for name, tensor in padded(texts, 0).items()}
    missing = (0, case.tokens - own["labels"].shape[1])
    long = {
        name: pad(tensor, missing, value=IGNORED if name == "labels" else 0) if tensor.dim() > 1 else tensor
        for name, tensor in own.items()
    }
    slow, quick = seconds(step(case, long), step(case, own))
    row(f"short texts: padded to {case.tokens} tokens", slow, slow)
    row("  padded to the longest of the batch", quick, slow)


def steps(case: Case) -> list[float]:
    """Seconds of some training steps on different batches, after two others."""
    model, batches, taken = case.model(), case.batches(), []
    ready = iter(batches)
    step = bare_step(model, lambda: model(**next(ready)).loss, False, fused=True)
    for _ in batches:
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return taken[2:]


def memory(case: Case, rounds: int) -> None:
    """Compare this process, which gives freed memory back to the system, with one that keeps it; the two take turns."""
    given, kept = [], []
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=keep_freed_memory) as keeping:
        for _ in range(rounds):
            given += steps(case)
            kept += keeping.submit(steps, case).result()
    given, kept = statistics.median(given), statistics.median(kept)
    row("training step: freed memory is given back", given, given)
    row("  freed memory is kept", kept, given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to test the benchmark itself")
    tiny = parser.parse_args().tiny
    case = Case("mini", True, 4 if tiny else 32, 16 if tiny else 128, tiny)
    size = f"{case.shape.layers} layers of width {case.shape.width}, {case.shape.vocabulary:,} words"
    print(f"BERT with {size}, {case.batch} x {case.tokens} tokens, {DEVICE}, {torch.get_num_threads()} threads\n")
    a_step = logits(case)
    print()
    pruning(case, a_step)
    print()
    padding(case)
    if DEVICE == "cpu":
        print()
        memory(case, 1 if tiny else 3)


if __name__ == "__main__":
    main()
