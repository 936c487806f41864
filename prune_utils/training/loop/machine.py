"""The machine that computes a result: its precision and memory, and the facts about it stored with the result."""

import ctypes
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from prune_utils.study import paths
from prune_utils.study.files import LOCK, alone, read_json, write_json
from prune_utils.study.schema import Machine, Study

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of mallopt, in glibc's malloc.h


def provenance(machine: Machine) -> dict[str, str]:
    """Versions, hardware, precision, commit and time, to be stored with a result."""
    return {
        "precision": "bfloat16" if bfloat16(machine) else "float32",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else processor(machine.threads),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "datasets", "numpy")},
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def settled(study: Study) -> Study:
    """The study with the precision of its first training, if it leaves that to the hardware.

    All machines that work on a study then compute in the same precision, also if their hardware differs.
    """
    if study.machine.precision != "auto":
        return study
    folder = paths.results(study.study)
    with alone(folder, name=f".{paths.PRECISION}{LOCK}"):
        if not (folder / paths.PRECISION).exists():
            # a study that was begun before this file was written has results that say it
            finished = (read_json(path).get("precision") for path in folder.rglob(paths.RESULT))
            chosen = "bfloat16" if bfloat16(study.machine) else "float32"
            write_json(folder / paths.PRECISION, {"precision": next(filter(None, finished), chosen)})
        machine = study.machine.model_copy(update=read_json(folder / paths.PRECISION))
    return study.model_copy(update={"machine": machine})


def processor(threads: int) -> str:
    """The model of the CPU, where Linux tells it, and the number of threads."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"cpu{f' ({names[0]})' if names else ''}, {threads} {'thread' if threads == 1 else 'threads'}"


def commit() -> str:
    """The git commit of the project, with "+changes" if the tree is modified; "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty=+changes"]
    try:
        run = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return run.stdout.strip() or "unknown"


def bfloat16(machine: Machine) -> bool:
    """Whether to train in bfloat16. With precision "auto": if the GPU, or without one the CPU, supports it natively."""
    if machine.precision != "auto":
        return machine.precision == "bfloat16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags.split())


@cache
def keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next step, where it is glibc.

    By default it gives every freed block above 32 MiB back to the system, and each step waits for the same pages again, which
    are cleared anew; with 30,522 words, this takes about a tenth of a step. No result depends on it.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, -1)
