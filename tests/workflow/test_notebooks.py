"""The notebooks run from top to bottom with their defaults, under nbval: they show the smoke study."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from prune_utils.study import paths

QUICK = ["-p", "prune_utils.workflow"]  # imported before nbval, whose own import it makes a second shorter
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))


def trained(out):
    return {path.relative_to(out): path.stat().st_mtime_ns for path in (out / "results").rglob("result.json")}


@pytest.fixture(scope="module")
def executed(finished, tmp_path_factory):
    """By notebook, what will have come of it, in a copy of the smoke study; two run at a time."""
    out = tmp_path_factory.mktemp("executed")
    shutil.copytree(finished / "results", out / "results")

    def execute(notebook):
        # nbval compares nothing on notebooks without outputs: it checks that they run, the tests beside check results
        words = [sys.executable, "-m", "pytest", *QUICK, "--nbval-lax", "-q", "-p", "no:cacheprovider", str(notebook)]
        environment = {**os.environ, "PRUNE_UTILS_OUT": str(out)}
        return subprocess.run(words, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(2) as pool:
        yield {notebook: pool.submit(execute, notebook) for notebook in NOTEBOOKS}, out
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow(10)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_with_its_defaults(notebook, finished, executed):
    runs, out = executed
    done = runs[notebook].result()
    assert done.returncode == 0, done.stdout[-3000:]
    assert trained(out) == trained(finished)  # nothing was trained
