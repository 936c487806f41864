"""What the speed measures are worth on this machine: ratios, each measured side by side in one run. `make bench`."""

import statistics
import time

import numpy as np
import torch
from transformers import BertConfig, BertForPreTraining, set_seed

from prune_utils.data.batches import padded
from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.pruning.masks import magnitude_mask
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.study.schema import Machine
from prune_utils.training.machine import bfloat16
from prune_utils.training.modeling import MaskedBert

BATCH, TOKENS, WORDS = 32, 128, 30_522
MINI = BertConfig(vocab_size=WORDS, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def seconds(*functions, rounds=2) -> list[float]:
    """The median time of each function, called in turn after a warm-up, so that drift meets all alike."""
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


def batch(tokens=TOKENS):
    ids = torch.randint(5, WORDS, (BATCH, tokens))
    labels = torch.where(torch.rand(ids.shape) < 0.15, ids, -100)
    made = {
        "input_ids": ids,
        "labels": labels,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "next_sentence_label": torch.randint(0, 2, (BATCH,)),
    }
    return {name: tensor.to(DEVICE) for name, tensor in made.items()}


def step(kind, inputs, autocast=False):
    """A whole training step of a model of class `kind`, as a function."""
    set_seed(0)
    model = kind(MINI).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def run():
        with torch.autocast(DEVICE, torch.bfloat16, enabled=autocast):
            loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return run, model


def by_sorting(weight, sparsity):
    keep = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    keep[weight.abs().flatten().argsort(stable=True)[: round(sparsity * weight.numel())]] = False
    return keep.view_as(weight)


def main() -> None:
    print(f"BERT-Mini, {WORDS:,} words, {BATCH} x {TOKENS} tokens, {DEVICE}, {torch.get_num_threads()} threads\n")
    inputs = batch()
    everywhere, _ = step(BertForPreTraining, inputs)
    where_masked, model = step(MaskedBert, inputs)
    full, ours = seconds(everywhere, where_masked)
    row("training step: logits everywhere", full, full)
    row("  logits where tokens are masked", ours, full)
    if bfloat16(Machine(jobs=1, threads=1, precision="auto", save_steps=1, sparsities_per_node=0)):
        (half,) = seconds(step(MaskedBert, inputs, autocast=True)[0])
        row("  the same under bfloat16 autocast", half, full)
    else:  # emulated it would take minutes a step
        print("  (bfloat16: this processor does not compute in it, and precision: auto takes float32)")
    print()

    matrices = prunable_matrices(model)
    sort, rank = seconds(
        lambda: [by_sorting(p.detach(), 0.6) for p in matrices.values()],
        lambda: [magnitude_mask(p, 0.6) for p in matrices.values()],
    )
    row("all masks anew: by sorting", sort, sort)
    row("  by k-th value", rank, sort)
    pruning = GradualPruning(model, Schedule(0.6, end_step=1000, frequency=10))
    pruning.renew(0.6)
    apply, renew = seconds(pruning.apply, lambda: pruning.renew(0.6))
    print(
        f"  pruning, share of a step: applying {apply / ours:.2%}, renewing every 10th on the ramp {renew / 10 / ours:.2%};"
    )
    print(f"  of the paper's whole run (ramp a tenth of it) {(apply + renew / 100) / ours:.2%}\n")

    lengths = np.random.default_rng(0).geometric(1 / 12, BATCH).clip(5, TOKENS)  # about SST-2's
    texts = [
        {"input_ids": [7] * n, "labels": [7] + [-100] * (n - 1), "token_type_ids": [0] * n, "next_sentence_label": 0}
        for n in lengths
    ]
    own = {name: tensor.to(DEVICE) for name, tensor in padded(texts, 0).items()}
    long = {name: tensor[:, :1].expand(-1, TOKENS) if tensor.dim() > 1 else tensor for name, tensor in own.items()}
    long = {
        **long,
        "labels": torch.nn.functional.pad(own["labels"], (0, TOKENS - own["labels"].shape[1]), value=-100),
        "attention_mask": torch.nn.functional.pad(own["attention_mask"], (0, TOKENS - own["labels"].shape[1])),
    }
    slow, quick = seconds(step(MaskedBert, long)[0], step(MaskedBert, own)[0])
    row("short texts: padded to 128 tokens", slow, slow)
    row("  padded to their own longest", quick, slow)


def row(name: str, took: float, against: float) -> None:
    print(f"{name:<40} {1000 * took:9.1f} ms   {against / took:5.2f} x as fast")


if __name__ == "__main__":
    main()
