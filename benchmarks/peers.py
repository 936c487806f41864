"""Measure training steps beside what a user would write instead, side by side in one run, in pre-training and in fine-tuning.

- as the examples do it: transformers' Trainer with its defaults, texts padded to 128 tokens, logits of all tokens
  (run_mlm.py, run_glue.py), pruned by torch.nn.utils.prune every ten steps, as its tutorial does;
- a careful user: the same, padded to the longest of a batch, texts of like length together;
- this package: its own training, with the gradual schedule in pre-training and fixed masks in fine-tuning.

BERT-Mini, 30,522 words, batches of 32. nn_pruning 0.1.2 installs and does not import (it needs transformers 4 and Python 3.10),
the Model Compression Research Package is not on PyPI, and llm-compressor 0.14 prunes decoders once, after training.
"""

import argparse
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from bench import observed
from cases import DEVICE, RATE, Case
from cpu import AUTO
from datasets import Dataset
from torch import nn
from torch.nn.utils import prune
from transformers import (
    BertForPreTraining,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from prune_utils.data.batches import padded
from prune_utils.pruning.callbacks import FixedMask, GradualPruning
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.training.loop import trainer
from prune_utils.training.loop.machine import bfloat16

PADDING, SPARSITY, EVERY, RAMP = 0, 0.6, 10, 10_000
ROUNDS, WARM = 3, 1
# timed in each round: of pre-training ten, of which one updates the masks; of fine-tuning one pass over the texts, since each way
# has an order of its own, and the careful user's begins with the longest texts
STEPS = {True: EVERY, False: 32}


def many(case: Case) -> int:
    """Steps that are timed."""
    return 2 if case.tiny else STEPS[case.pairs]


def texts(case: Case) -> Dataset:
    """Short texts of about the lengths of CoLA and SST-2."""
    drawn = np.random.default_rng(0)
    lengths = drawn.geometric(1 / 12, STEPS[False] * case.batch).clip(5, case.tokens)
    rows = [
        {
            "input_ids": drawn.integers(5, case.shape.vocabulary, n).tolist(),
            "token_type_ids": [0] * int(n),
            "labels": int(drawn.integers(2)),
            "length": int(n),
        }
        for n in lengths
    ]
    return Dataset.from_list(rows)


class TorchPrune(TrainerCallback):
    """Magnitude pruning of all linear layers by torch's own tools, `share` of what is left each time."""

    def __init__(self, model: nn.Module, gradual: bool):
        self.modules = [module for module in model.base_model.modules() if isinstance(module, nn.Linear)]
        self.gradual = gradual
        self._prune(SPARSITY)

    def _prune(self, share: float) -> None:
        for module in self.modules:
            prune.l1_unstructured(module, "weight", share)

    def on_step_end(self, args, state, control, **kwargs):
        if self.gradual and state.global_step % EVERY == 0:
            self._prune(0.01)


class Stamps:
    """When the steps of a training ended, after the first ones."""

    def __init__(self):
        self.times: list[float] = []

    def __call__(self, state, control) -> None:
        if state.global_step >= WARM:
            self.times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Mean seconds per step."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def by_trainer(case: Case, data: Dataset, careful: bool) -> float:
    """Seconds per step of a Trainer that is used as its examples use it."""
    model = case.model(BertForPreTraining if case.pairs else BertForSequenceClassification)
    stamps = Stamps()
    callback = observed(TorchPrune(model, gradual=case.pairs), stamps)
    more = {"train_sampling_strategy": "group_by_length"} if careful else {}
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            folder,
            max_steps=WARM + many(case),
            per_device_train_batch_size=case.batch,
            learning_rate=RATE,
            report_to="none",
            use_cpu=DEVICE == "cpu",
            save_strategy="no",
            disable_tqdm=True,
            **more,
        )
        longest = None if careful else case.tokens
        collate = partial(collated, longest=longest)
        made = Trainer(model, args, collate, train_dataset=data, callbacks=[callback])
        made.remove_callback(PrinterCallback)
        made.train()
    return stamps.seconds


def collated(rows: list[dict], longest: int | None) -> dict[str, torch.Tensor]:
    """A batch padded to `longest` tokens, or to the longest text of the batch."""
    batch = padded([{name: value for name, value in row.items() if name != "length"} for row in rows], PADDING)
    if longest is None:
        return batch
    fill = {"input_ids": PADDING, "labels": -100}
    return {
        name: nn.functional.pad(values, (0, longest - values.shape[1]), value=fill.get(name, 0))
        if values.dim() > 1
        else values
        for name, values in batch.items()
    }


def by_package(case: Case, data: Dataset, precision: str) -> float:
    """Seconds per step of this package."""
    model, stamps = case.model(), Stamps()
    if case.pairs:
        pruning = GradualPruning(model, Schedule(SPARSITY, RAMP, EVERY))
    else:
        pruning = FixedMask(model, magnitude_masks(prunable_matrices(model), SPARSITY))
    settings = {"threads": torch.get_num_threads(), "precision": precision, "save_steps": 10**9}
    machine = AUTO.model_copy(update=settings)
    with tempfile.TemporaryDirectory() as folder:
        recipe = case.optimisation(WARM + many(case))
        tokenizer = type("Padding", (), {"pad_token_id": PADDING})
        trainer.train(model, data, recipe, 0, Path(folder), machine, tokenizer, observed(pruning, stamps))
    return stamps.seconds


def compare(case: Case, data: Dataset, rate: float) -> None:
    """Print the seconds per step of each way, and how many times as fast as the first.

    The package has a process of its own, since it changes how the C library manages memory.
    """
    ways = {
        "as the examples do it": partial(by_trainer, case, data, careful=False),
        "a careful user": partial(by_trainer, case, data, careful=True),
        "this package": partial(by_package, case, data, "float32"),
    }
    if bfloat16(AUTO):
        ways["this package, bfloat16"] = partial(by_package, case, data, "bfloat16")
    taken, order = {name: [] for name in ways}, random.Random(0)
    rounds = 1 if case.tiny else ROUNDS
    with ProcessPoolExecutor(1, get_context("spawn")) as ours:
        for _ in range(rounds):
            for name, way in order.sample([*ways.items()], len(ways)):
                taken[name].append(ours.submit(way).result() if way.func is by_package else way())
    first = np.median(taken["as the examples do it"])
    print(f"\n{case.what}, {torch.get_num_threads()} threads, {rounds} rounds of {many(case)} steps")
    for name, found in taken.items():
        middle = np.median(found)
        spread = f"{1000 * min(found):8.0f} to {1000 * max(found):6.0f}"
        share = f"{case.cost['flop'] / middle / rate:6.0%} of the matrix rate" if case.pairs else ""
        print(f"{name:<26}{1000 * middle:8.0f} ms a step ({spread})  {first / middle:5.1f} x as fast {share}")


def matrix_rate(tiny: bool) -> float:
    """FLOP per second of a product of large matrices in float32."""
    size, took = 256 if tiny else 2048, []
    a, b = torch.randn(size, size), torch.randn(size, size)
    for _ in range(7):
        start = time.perf_counter()
        a @ b
        took.append(time.perf_counter() - start)
    return 2 * size**3 / float(np.median(took[2:]))


def begun(said: str) -> tuple[Case, float]:
    """The case of pre-training that the command line asks for, and the matrix rate of this run; `said`: what --help says."""
    parser = argparse.ArgumentParser(description=said, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to test the benchmark itself")
    tiny = parser.parse_args().tiny
    return Case("mini", True, 4 if tiny else 32, 16 if tiny else 128, tiny), matrix_rate(tiny)


def main() -> None:
    pairs, rate = begun(__doc__)
    print(f"matrix rate: {rate / 1e9:.0f} GFLOP/s in float32")
    compare(pairs, pairs.data, rate)
    single = pairs.of(pairs=False)
    compare(single, texts(single), rate)


if __name__ == "__main__":
    main()
