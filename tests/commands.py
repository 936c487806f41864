"""The commands that a user gives, for tests to give them."""

import os
import subprocess
import sys

from prune_utils.study import paths


def command(out, *arguments):
    return [sys.executable, "-m", "prune_utils", *map(str, arguments)], {**os.environ, "PRUNE_UTILS_OUT": str(out)}


def run(out, *arguments):
    words, environment = command(out, *arguments)
    return subprocess.run(words, env=environment, cwd=paths.ROOT, capture_output=True, text=True, check=False)
