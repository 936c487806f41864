"""Time calls and trainings within a time budget, and write one row per measurement.

Every time is the median of several blocks of calls, stored with the fastest and the slowest block. A difference smaller
than that range is noise.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch
from cases import CUDA, DEVICE, Case
from transformers import TrainerCallback

from prune_utils.study.schema import Machine
from prune_utils.training.loop import trainer
from prune_utils.training.loop.machine import bfloat16

PADDING = SimpleNamespace(pad_token_id=0)  # all that `train` needs of a tokenizer


class OutOfTime(RuntimeError):
    """Too little time is left for a measurement."""


def sync() -> None:
    """Wait until the device has finished."""
    if CUDA:
        torch.cuda.synchronize()


def observed(callback: TrainerCallback, observe: Callable) -> TrainerCallback:
    """Make a Trainer callback also call `observe(state, control)` at the end of each step."""
    ends = callback.on_step_end

    def on_step_end(args, state, control, **kwargs):
        ends(args, state, control, **kwargs)
        observe(state, control)

    callback.on_step_end = on_step_end
    return callback


class Bench:
    """A time budget and the sizes to measure; `given` holds the options of the command line."""

    def __init__(self, given: argparse.Namespace):
        self.out, self.tiny = given.out, given.tiny
        self.end = time.perf_counter() + given.seconds
        self.block = 0.01 if self.tiny else 0.7  # seconds, about
        self.warm, self.blocks = (1, 2) if self.tiny else (5, 5)
        self.machine = Machine(
            jobs=1,
            threads=1 if self.tiny else 2,
            precision="float32" if self.tiny and not CUDA else "auto",
            save_steps=10**9,
            sparsities_per_node=0,
        )
        torch.set_num_threads(self.machine.threads)
        self.bf16 = bfloat16(self.machine)
        self.types = [torch.bfloat16, torch.float32] if self.bf16 else [torch.float32]
        self.base = Case("base", True, 4 if self.tiny else 32, 16 if self.tiny else 128, self.tiny)
        self.small = Case("small", True, 4 if self.tiny else 128, 8 if self.tiny else 64, self.tiny)
        self.short = 8 if self.tiny else 16  # tokens of a short text
        self._rate = 0.0

    def left(self) -> float:
        """Seconds left of the budget."""
        return self.end - time.perf_counter()

    def need(self, seconds: float) -> None:
        """Raise OutOfTime unless `seconds` are left in the budget."""
        if self.left() < (0 if self.tiny else seconds):
            raise OutOfTime("no time left")

    def operands(self, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Two large square matrices of random numbers."""
        size = 256 if self.tiny else 8192
        return torch.randn(size, size, device=DEVICE, dtype=kind), torch.randn(size, size, device=DEVICE, dtype=kind)

    @property
    def rate(self) -> float:
        """FLOP per second of a large matrix product in the precision of training, measured on first access."""
        if not self._rate:
            a, b = self.operands(self.types[0])
            self._rate = 2 * len(a) ** 3 / median(self.times(lambda: a @ b, 10))
        return self._rate

    def times(self, function: Callable, calls: int | None = None, blocks: int | None = None) -> list[float]:
        """Seconds per call, one number per block of `calls` calls; by default as many as fill a block of 0.7 s."""
        self.need(5)
        for _ in range(self.warm):
            function()
        if calls is None:
            calls = self.calls(_block(function, 3), 2000)
        return [_block(function, min(calls, 10) if self.tiny else calls) for _ in range(blocks or self.blocks)]

    def calls(self, seconds: float, most: int) -> int:
        """Number of calls of `seconds` each that fill a block, from 3 to `most`."""
        return int(np.clip(self.block / max(1e-6, seconds), 3, most))

    def say(self, part: str, what: str, variant: str, seconds=(), tokens: float = 0, flop: float = 0, **more) -> float:
        """Print a row and append it to bench.jsonl; return the median of `seconds`, or 0 if there are none.

        `tokens` and `flop` are those of one call; rates are computed from them.
        """
        row, middle = {"part": part, "what": what, "variant": variant}, 0.0
        if len(seconds):
            middle = median(seconds)
            row |= {"ms": 1e3 * middle, "low": 1e3 * min(seconds), "high": 1e3 * max(seconds), "blocks": len(seconds)}
            row |= {"tokens_per_s": tokens / middle} if tokens else {}
            row |= {"tflops": flop / middle / 1e12, "of_product": flop / middle / self.rate} if flop else {}
        row |= more
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "bench.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        return middle

    def trained(self, model, case: Case, steps: int, pruning: TrainerCallback | None = None, **options) -> list[float]:
        """Seconds per step of `trainer.train`, one number per block of `steps`; `options` are TrainingArguments."""
        self.need(5)
        marks, stamps = [self.warm + steps * i for i in range(self.blocks + 1)], []

        def stamp(state, control):
            if state.global_step in marks:
                sync()
                stamps.append(time.perf_counter())

        plain, callback = trainer.arguments, observed(pruning or TrainerCallback(), stamp)
        with patch.object(trainer, "arguments", lambda *given, **own: plain(*given, **own, **options)):
            self.train(model, case, marks[-1], callback)
        return (np.diff(stamps) / steps).tolist()

    def train(self, model, case: Case, steps: int, callback: TrainerCallback | None = None, **machine) -> None:
        """Train a model in place by the package's own `train`; `machine` changes machine settings."""
        with tempfile.TemporaryDirectory() as folder:
            settings = self.machine.model_copy(update=machine)
            trainer.train(model, case.data, case.optimisation(steps), 0, Path(folder), settings, PADDING, callback)


def _block(function: Callable, calls: int) -> float:
    """Mean seconds per call over `calls` calls in a row."""
    sync()
    start = time.perf_counter()
    for _ in range(calls):
        function()
    sync()
    return (time.perf_counter() - start) / calls
