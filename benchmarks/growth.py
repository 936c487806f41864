"""Measure how the time of a pre-training step grows with width, depth, vocabulary, batch and processes; writes growth.csv and .svg.

One thread per process. Beside each time is its share of the matrix rate that the same process measures, so that the figure shows
where a step leaves the straight line of its arithmetic.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cases import Case, bare_step
from cpu import seconds
from peers import matrix_rate

from prune_utils.report.style import INK, panels
from prune_utils.training.sizes import Shape

BASE = {"layers": 4, "width": 256, "vocabulary": 8192, "batch": 32}
GRID = {
    "width": (64, 128, 256, 512),
    "layers": (1, 2, 4, 8),
    "vocabulary": (1024, 4096, 8192, 30_522),
    "batch": (4, 8, 16, 32, 64),
}
TINY = {"width": (32, 64), "layers": (1, 2)}
TOKENS, HEAD, PROCESSES = 64, 32, (1, 2)


@dataclass(frozen=True)
class Sized(Case):
    """A training of any shape."""

    shape: Shape = None


def sized(layers: int, width: int, vocabulary: int, batch: int) -> Sized:
    shape = Shape(layers, width, max(1, width // HEAD), 4 * width, vocabulary)
    return Sized("grown", True, batch, TOKENS, True, shape)


def measured(case: Case) -> float:
    """Median seconds of a step."""
    model, batch = case.model(), case.batches(1)[0]
    return seconds(bare_step(model, lambda: model(**batch).loss, False, fused=True), rounds=5)[0]


def together(processes: int, tiny: bool) -> float:
    """Mean seconds of a step of the base shape in processes that run at the same time."""
    command = [sys.executable, __file__, "--worker", *(["--tiny"] if tiny else [])]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return float(np.mean([float(one.communicate()[0].split()[-1]) for one in running]))


def drawn(frame: pd.DataFrame, place: Path) -> None:
    """Milliseconds by what grows, on logarithmic axes, beside a line of the same arithmetic that ends in the same point."""
    names = list(dict.fromkeys(frame.grows))
    figure, every = panels(1, len(names), 2.4 * len(names), 3.2, sharey=True)
    for axes, name in zip(every, names, strict=True):
        part = frame[frame.grows == name]
        axes.plot(part.value, part.ms, marker="o", color=INK)
        if part.gflop.nunique() > 1:
            last = part.iloc[-1]
            axes.plot(part.value, part.gflop * last.ms / last.gflop, linestyle=":", color=INK, label="its arithmetic")
        axes.set(xlabel=name, xscale="log", yscale="log")
        axes.set_xticks(part.value, [f"{value:,}" for value in part.value], rotation=45)
        axes.minorticks_off()
    ticks = [
        tick for tick in (20, 50, 100, 200, 500, 1000, 2000, 5000) if 0.8 * frame.ms.min() < tick < 1.2 * frame.ms.max()
    ]
    every[0].set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    every[0].set_ylabel("ms a step")
    every[0].legend(frameon=False)
    figure.align_xlabels()
    figure.savefig(place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of the files (default: current folder)")
    parser.add_argument("--tiny", action="store_true", help="small shapes, to test the benchmark itself")
    parser.add_argument("--worker", action="store_true", help="measure the base shape and print its seconds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = BASE | ({"width": 64, "layers": 1} if given.tiny else {})
    if given.worker:
        print(measured(sized(**base)))
        return
    rate, rows = matrix_rate(given.tiny), []
    print(f"matrix rate: {rate / 1e9:.0f} GFLOP/s in float32, one thread")

    def say(name: str, value: int, case: Case, took: float) -> None:
        flop = case.cost["flop"]
        rows.append([name, value, 1000 * took, flop / 1e9, flop / took / rate])
        print(
            f"{name:<11}{value:>7}{1000 * took:10.1f} ms{flop / 1e9:9.2f} GFLOP{flop / took / rate:7.0%} of the matrix rate"
        )

    for name, values in (TINY if given.tiny else GRID).items():
        for value in values:
            case = sized(**base | {name: value})
            say(name, value, case, measured(case))
    for processes in PROCESSES[: 1 if given.tiny else None]:
        say("processes", processes, sized(**base), together(processes, given.tiny))
    given.out.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows, columns=["grows", "value", "ms", "gflop", "of_matrix_rate"])
    frame.to_csv(given.out / "growth.csv", index=False)
    drawn(frame, given.out / "growth.svg")


if __name__ == "__main__":
    main()
