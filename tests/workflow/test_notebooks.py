"""The notebooks run from top to bottom with their defaults, under nbval: they show the smoke study."""

import os
import subprocess
import sys

import pytest

from prune_utils.study import paths

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_with_its_defaults(notebook, finished):
    # nbval compares nothing on notebooks without outputs: it checks that they run, the tests beside check results
    before = {path for path in (finished / "results").rglob("result.json")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", str(notebook)],
        cwd=paths.ROOT,
        env={**os.environ, "PRUNE_UTILS_OUT": str(finished)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert {path for path in (finished / "results").rglob("result.json")} == before  # nothing was trained
