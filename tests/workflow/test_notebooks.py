"""The notebooks run from top to bottom with their defaults, under nbval: they show the smoke study."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from prune_utils.study import paths
from prune_utils.workflow.execution import QUICK_START

QUICK = ["-p", "prune_utils.workflow"]  # imported before nbval, whose own import it makes a second shorter
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))


def trained(out):
    return {path.relative_to(out): path.stat().st_mtime_ns for path in (out / "results").rglob("result.json")}


@pytest.fixture(scope="module")
def executed(finished, tmp_path_factory):
    """What will have come of the notebooks, in a copy of the smoke study: two processes have half of them each."""
    out = tmp_path_factory.mktemp("executed")
    shutil.copytree(finished / "results", out / "results")
    profile = out / "ipython/profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(f"c.IPKernelApp.exec_lines = [{QUICK_START!r}]\n")

    def execute(notebooks):
        # nbval compares nothing on notebooks without outputs: it checks that they run, the tests beside check results
        words = [sys.executable, "-m", "pytest", *QUICK, "--nbval-lax", "-q", "-rA", "-p", "no:cacheprovider"]
        environment = {**os.environ, "PRUNE_UTILS_OUT": str(out), "IPYTHONDIR": str(out / "ipython")}
        words += map(str, notebooks)
        return subprocess.run(words, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(2) as pool:
        halves = NOTEBOOKS[::2], NOTEBOOKS[1::2]
        runs = [pool.submit(execute, half) for half in halves]
        yield {notebook: run for half, run in zip(halves, runs, strict=True) for notebook in half}, out
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow(10)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_with_its_defaults(notebook, finished, executed):
    runs, out = executed
    done = runs[notebook].result()
    cells = [line.split()[0] for line in done.stdout.splitlines() if f"/{notebook.name}::" in line]
    code = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells.count("PASSED") == len(cells) == len(code), done.stdout[-3000:]
    assert trained(out) == trained(finished)  # nothing was trained
