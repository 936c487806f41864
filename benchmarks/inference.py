"""Measure what pruning buys when a model is used on a CPU: time and bytes of dense, masked, shrunk, int8 and ONNX, side by side.

The weights are random: what a model keeps of its accuracy is in its model card (`python -m prune_utils export`). ONNX Runtime is
measured if it is installed: `.venv/bin/python -m pip install onnxruntime onnxscript`.
"""

import argparse
import copy
import importlib.util
import random
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from cases import Case
from torch import nn

from prune_utils.export.folder import difference
from prune_utils.export.shrinking import shrunk
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.scores import by_magnitude

INPUTS = ((1, 32), (8, 128))  # examples and tokens of a batch
SPARSITY = 0.5


def int8(model: nn.Module) -> nn.Module:
    """A copy of a model whose linear layers compute in int8 (torch's dynamic quantisation)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is deprecated in favour of torchao, which is not a dependency
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {nn.Linear}, torch.qint8)


def variants(case: Case) -> dict[str, nn.Module]:
    """Models by name: dense, half of its weights masked, half of its feed-forward units masked and cut out, int8."""
    dense = case.model().eval()
    found = {"dense": dense}
    for name, pattern in (("half of the weights masked", "matrix"), ("half of the units masked", "units")):
        model = copy.deepcopy(dense)
        weights = {name: matrix.detach() for name, matrix in prunable_matrices(model).items()}
        apply_masks(model, by_magnitude(pattern, weights, SPARSITY, model.config.num_attention_heads))
        found[name] = model
    found["  and cut out"] = shrunk(model).eval()
    return found | {f"{name.strip()}, int8": int8(found[name]) for name in ("dense", "  and cut out")}


def onnx(model: nn.Module, ids: torch.Tensor, folder: Path, name: str) -> tuple[Callable, int]:
    """A function that runs a model in ONNX Runtime on the given tokens, and the bytes of its file."""
    import onnxruntime

    path, mask = folder / f"{name}.onnx", torch.ones_like(ids)
    names = {"input_names": ["input_ids", "attention_mask"], "output_names": ["logits"]}
    torch.onnx.export(model, (ids, mask), path, dynamo=True, external_data=False, verbose=False, **names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # else it slows down whoever runs next
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = dict(zip((i.name for i in session.get_inputs()), (ids.numpy(), mask.numpy()), strict=False))
    return lambda: session.run(None, feed), path.stat().st_size


def bytes_of(model: nn.Module) -> int:
    """Bytes of a model's state, tied weights counted once."""
    with tempfile.TemporaryFile() as file:
        torch.save(model.state_dict(), file)
        return file.tell()


def quartiles(functions: dict[str, Callable], rounds: int) -> dict[str, np.ndarray]:
    """Quartiles of the seconds of each function after a warm-up; in each round they take turns in a new order, so that drift and
    what a neighbour leaves behind affect all alike."""
    times, order = {name: [] for name in functions}, random.Random(0)
    for counted in range(-1, rounds):
        for name, function in order.sample([*functions.items()], len(functions)):
            start = time.perf_counter()
            function()
            if counted >= 0:
                times[name].append(time.perf_counter() - start)
    return {name: np.quantile(measured, (0.25, 0.5, 0.75)) for name, measured in times.items()}


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a model of two layers, for tests")
    parser.add_argument("--model", default="base", help="base (default), small or mini")
    tiny, name = (given := parser.parse_args()).tiny, given.model
    has_onnx = all(importlib.util.find_spec(package) for package in ("onnxruntime", "onnxscript"))
    for batch, tokens in INPUTS:
        case = Case(name, pairs=False, batch=batch, tokens=tokens, tiny=tiny)
        ids = torch.randint(5, case.shape.vocabulary, (batch, tokens), generator=torch.Generator().manual_seed(0))
        models = variants(case)
        apart = difference(models["half of the units masked"], models["  and cut out"])
        calls = {name: partial(model, ids) for name, model in models.items()}
        sizes = {name: bytes_of(model) for name, model in models.items()}
        with tempfile.TemporaryDirectory() as folder:
            for name_ in ("dense", "  and cut out") if has_onnx else ():
                label = f"{name_.strip()}, ONNX Runtime"
                calls[label], sizes[label] = onnx(models[name_], ids, Path(folder), f"{len(calls)}")
            times = quartiles(calls, 3 if tiny else 15)
        print(f"{case.shape.layers} x {case.shape.width}, {batch} x {tokens} tokens, {torch.get_num_threads()} threads")
        print(f"logits of the smaller model differ by {apart:.1e} of the largest")
        for label, (low, median, high) in times.items():
            ratio = times["dense"][1] / median
            spread = f"{1000 * low:7.1f} to {1000 * high:7.1f}"
            print(
                f"{label:<30}{1000 * median:9.1f} ms ({spread}) {ratio:5.2f} x as fast {sizes[label] / 2**20:8.1f} MiB"
            )


if __name__ == "__main__":
    main()
