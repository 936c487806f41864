"""Measure what training costs on this machine: steps, pruning, files, several processes on one GPU.

Appends one row per measurement to bench.jsonl in the folder `--out`. A part that fails or is skipped has a row with
the reason. Works on a CPU too, where `--tiny` is advisable.
"""

import argparse
import time
from pathlib import Path

import torch
from bench import Bench, OutOfTime
from cases import CUDA
from pruning_parts import pruning
from sharing_parts import share, work
from training_parts import files, machine, repeat, steps
from variant_parts import graph, variants

PARTS = {
    "machine": machine,
    "steps": steps,
    "pruning": pruning,
    "io": files,
    "repeat": repeat,
    "share": share,
    "variants": variants,
    "graph": graph,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of bench.jsonl (default: current folder)")
    parser.add_argument("--parts", default=",".join(PARTS), help="parts to run, comma-separated (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=500, help="time budget (default: %(default)s)")
    parser.add_argument(
        "--tiny", action="store_true", help="tiny models and short blocks, to test the benchmark itself"
    )
    parser.add_argument("--worker", action="store_true", help="run as a worker of the part `share`")
    given = parser.parse_args()
    bench = Bench(given)
    if given.worker:
        work(bench)
        return
    for name in given.parts.split(","):
        began = time.perf_counter()
        try:
            bench.need(10)
            PARTS[name](bench)
        except OutOfTime as error:
            bench.say(name, "the rest", "", note=f"skipped: {error}")
        except Exception as error:  # the other parts are still measured
            bench.say(name, "failed", "", note=f"failed: {type(error).__name__}: {str(error)[:300]}")
        print(f"part {name}: {time.perf_counter() - began:.0f} s", flush=True)
        if CUDA:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
