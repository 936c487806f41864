"""Show where the milliseconds of a training step go, in pre-training and in fine-tuning, beside those that its arithmetic needs.

BERT-Mini, 30,522 words, batches of 32, in float32, without the Trainer: once in a process that gives freed memory back to the
system, once in one that keeps it, as the package does (`keep_freed_memory`). Time is that of torch's profiler, of each operation
without those that it calls; what it does not see is Python between the operations.
"""

import itertools
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cases import Case, bare_step
from peers import PADDING, SPARSITY, begun, texts
from torch.profiler import ProfilerActivity, profile

from prune_utils.data.batches import Rows, lengths_of, padded, training_order
from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.training.loop.machine import keep_freed_memory

WARM, STEPS = 3, 8
PARTS = {  # words in the names of torch's operations; the first part that fits counts
    "loss over the words": ("log_softmax", "nll_loss"),
    "AdamW": ("adam",),
    "masks and clipping": ("foreach", "vector_norm"),
    "dropout": ("bernoulli", "dropout"),
    "attention": ("attention", "bmm", "softmax", "where", "isneginf"),
    "matrix products": ("mm", "matmul", "linear"),
    "GELU, tanh, layer norms": ("gelu", "tanh", "layer_norm"),
    "embeddings": ("embedding", "index_select"),
    "fills, copies, sums": ("fill", "zero", "copy", "clone", "add", "sum", "mul", "div"),
    "the rest": ("",),
}


def part(operation: str) -> str:
    """The name of the part that an operation belongs to."""
    if not operation.startswith("aten::"):
        return "the rest"
    return next(name for name, words in PARTS.items() if any(word in operation for word in words))


def profiled(case: Case) -> tuple[float, Counter, float]:
    """Milliseconds of a step, how they divide among PARTS, and the FLOP of a step's products."""
    data = case.data if case.pairs else texts(case)
    order = training_order(lengths_of(data), case.batch, len(data), 0)
    rows = list(Rows(data.remove_columns("length"), order))
    starts = range(0, len(rows) - case.batch + 1, case.batch)
    batches = [padded(rows[start : start + case.batch], PADDING) for start in starts]
    ready = itertools.cycle(batches)
    flop = sum(case.of(tokens=batch["input_ids"].shape[1]).cost["flop"] for batch in batches) / len(batches)
    model = case.model()
    pruning = FixedMask(model, magnitude_masks(prunable_matrices(model), SPARSITY))
    pruning.on_train_begin(None, None, None)
    train = bare_step(model, lambda: model(**next(ready)).loss, False, fused=True)

    def step() -> None:
        train()
        pruning.apply()

    for _ in range(WARM):
        step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    whole = 1000 * (time.perf_counter() - start) / STEPS
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for _ in range(STEPS):
            step()
    parts = Counter()
    for found in recorded.key_averages():
        parts[part(found.key)] += found.self_cpu_time_total / 1000 / STEPS
    return whole, parts, flop


def main() -> None:
    pairs, rate = begun(__doc__)
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=keep_freed_memory) as keeping:
        for case in (pairs, pairs.of(pairs=False)):
            (before, old, flop), (after, new, _) = profiled(case), keeping.submit(profiled, case).result()
            print(f"\n{case.what}, milliseconds a step: freed memory given back, and kept")
            print(f"{'measured without the profiler':<32}{before:8.0f}{after:8.0f}")
            for name in PARTS:
                print(f"  {name:<30}{old[name]:8.1f}{new[name]:8.1f}")
            print(f"  products at {rate / 1e9:.0f} GFLOP/s, the matrix rate of this run: {1000 * flop / rate:.0f} ms")


if __name__ == "__main__":
    main()
