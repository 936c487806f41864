"""The notebooks run from top to bottom with their defaults, under nbval: they show the smoke study."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from prune_utils.study import paths

QUICK = ["-p", "prune_utils.workflow"]  # imported before nbval, whose own import it makes a second shorter
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))


def trained(out):
    return set((out / "results").rglob("result.json"))


@pytest.fixture(scope="module")
def executed(finished):
    """By notebook, what will have come of it, and what was trained before the first one; two run at a time."""

    def execute(notebook):
        # nbval compares nothing on notebooks without outputs: it checks that they run, the tests beside check results
        words = [sys.executable, "-m", "pytest", *QUICK, "--nbval-lax", "-q", "-p", "no:cacheprovider", str(notebook)]
        environment = {**os.environ, "PRUNE_UTILS_OUT": str(finished)}
        return subprocess.run(words, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False)

    before = trained(finished)
    with ThreadPoolExecutor(2) as pool:
        yield {notebook: pool.submit(execute, notebook) for notebook in NOTEBOOKS}, before
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_with_its_defaults(notebook, finished, executed):
    runs, before = executed
    done = runs[notebook].result()
    assert done.returncode == 0, done.stdout[-3000:]
    assert trained(finished) == before  # nothing was trained
