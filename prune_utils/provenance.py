"""Where a number came from: versions, hardware, precision, commit, time."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version

import torch

from prune_utils import paths
from prune_utils.schema import Machine

PACKAGES = ("torch", "transformers", "datasets", "numpy")


def provenance(machine: Machine) -> dict[str, str]:
    """Flat facts to keep beside a result."""
    from prune_utils.training import bfloat16

    return {
        "precision": "bfloat16" if bfloat16(machine) else "float32",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {machine.threads} threads",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """The project's git commit, "+changes" where the tree differs from it; "unknown" outside a checkout."""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+changes"],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return run.stdout.strip() or "unknown"
