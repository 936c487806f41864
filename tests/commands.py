"""The commands that a user gives, for tests to give them."""

import os
import subprocess
import sys

from prune_utils.study import paths
from prune_utils.workflow.launch import snakemake


def command(out, *arguments):
    return [sys.executable, "-m", "prune_utils", *map(str, arguments)], {**os.environ, "PRUNE_UTILS_OUT": str(out)}


def run(out, *arguments):
    words, environment = command(out, *arguments)
    return subprocess.run(words, env=environment, cwd=paths.ROOT, capture_output=True, text=True, check=False)


def would_run(study):
    """Names of the rules that Snakemake would run for a study."""
    words, environment = [*snakemake(study), "--dry-run"], {**os.environ, "PRUNE_UTILS_OUT": str(paths.OUT)}
    done = subprocess.run(words, env=environment, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return {line.split()[1].rstrip(":") for line in lines if line.startswith(("rule ", "localrule "))}
