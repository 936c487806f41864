"""The part of the GPU benchmark on several processes that train on one GPU at the same time, with and without MPS."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from bench import Bench, observed
from cases import CUDA, DEVICE, Case

from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.study.words import many

CONTROL = "nvidia-cuda-mps-control"
SEARCHED = f"{os.environ.get('PATH', '')}:/usr/local/nvidia/bin:/usr/local/cuda/bin"
MANY = 2 * 10**4  # steps, more than fit in a window


def share(bench: Bench) -> None:
    """Training with a fixed mask in 1 to 8 processes at once, also under CUDA's MPS if it is installed."""
    _crowd(bench, "", {})
    if not CUDA or (tool := shutil.which(CONTROL, path=SEARCHED)) is None:
        bench.say("share", "MPS", "", note=f"{CONTROL} is not installed" if CUDA else "needs CUDA")
        return
    bench.need(60)
    with tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True) as folder:
        variables = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        with _daemon(tool, variables):
            _crowd(bench, " MPS", variables)


@contextlib.contextmanager
def _daemon(tool: str, variables: dict[str, str]) -> Iterator[None]:
    """Run MPS during a block; no setting of the card is changed."""
    for folder in variables.values():
        Path(folder).mkdir()
    options = {"env": os.environ | variables, "capture_output": True, "text": True, "timeout": 30}
    started = subprocess.run([tool, "-d"], **options)
    try:
        if started.returncode:
            raise RuntimeError(f"MPS did not start: {(started.stderr + started.stdout)[-200:]}")
        yield
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([tool], input="quit\n", **options)


def _crowd(bench: Bench, label: str, variables: dict[str, str]) -> None:
    """Measure growing numbers of workers; `label` and the environment `variables` are those of MPS."""
    counts = (1, 2) if bench.tiny else (1, 2, 4, 8)
    cases = [bench.base, bench.small, bench.small.of(pairs=False, tokens=bench.short)]
    words = [sys.executable, sys.argv[0], "--worker", *(["--tiny"] if bench.tiny else [])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    workers = [subprocess.Popen(words, env=os.environ | variables, **pipes) for _ in range(max(counts))]
    try:
        for worker in workers:
            if worker.stdout.readline().strip() != "ready":
                raise RuntimeError("a worker did not start")
        for case in cases:
            _ask(workers, case, until=0)  # two steps: everything is loaded and warm afterwards
            for count in counts:
                _window(bench, case, workers[:count], label)
    finally:
        for worker in workers:
            with contextlib.suppress(OSError):
                worker.stdin.close()
        for worker in workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()


def _ask(workers: list[subprocess.Popen], case: Case, until: float) -> list[dict]:
    """Let workers train a case until a wall-clock time (Unix seconds); return their answers."""
    order = {"name": case.name, "pairs": case.pairs, "batch": case.batch, "tokens": case.tokens, "until": until}
    for worker in workers:
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
    return [json.loads(worker.stdout.readline()) for worker in workers]


def _window(bench: Bench, case: Case, workers: list[subprocess.Popen], label: str) -> None:
    """Count the steps of all workers in a window of time that begins when all of them train."""
    settle, window = (0.3, 0.6) if bench.tiny else (2.5, 4.0)  # seconds
    bench.need(settle + window + 5)
    start = time.time() + settle
    answers = _ask(workers, case, start + window)
    stamps = np.concatenate([answer["stamps"] for answer in answers])
    done = np.histogram(stamps, np.linspace(start, start + window, bench.blocks + 1))[0]
    what, name = f"{case.what}{label}", many(len(workers), "job")
    if (done == 0).any():
        bench.say("share", what, name, note=f"steps in the window: {done.tolist()}")
        return
    memory = f"{max(answer['memory'] for answer in answers) / 2**30:.1f} GiB each"
    between = (window / bench.blocks / done).tolist()  # seconds between two steps of any worker
    bench.say("share", what, name, between, **case.cost, note=memory, processes=len(workers), mps=bool(label))


def work(bench: Bench) -> None:
    """Run a worker: read one order per line of standard input, and write one answer per line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # anything else that is printed must not be taken for an answer
    torch.zeros(1, device=DEVICE)
    print("ready", file=answers, flush=True)
    case = model = masks = None
    for line in sys.stdin:
        order = json.loads(line)
        until = order.pop("until")
        if (wanted := Case(**order, tiny=bench.tiny)) != case:
            case, model = wanted, None  # the old model is freed before the new one is made
            model = case.model()
            masks = magnitude_masks(prunable_matrices(model), 0.6)
        stamps = []

        def stamp(state, control, until=until, stamps=stamps):
            stamps.append(time.time())
            control.should_training_stop = stamps[-1] > until

        bench.train(model, case, MANY if until else 2, observed(FixedMask(model, masks), stamp))
        memory = torch.cuda.max_memory_reserved() if CUDA else 0
        print(json.dumps({"stamps": stamps, "memory": memory}), file=answers, flush=True)
