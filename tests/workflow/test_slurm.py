"""A study on a Slurm cluster: two nodes on this machine, whose frames equal those of a study without a cluster."""

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec

import pytest
import yaml
from commands import command
from smoke import begin_with, compare_with_smoke

from prune_utils.study import paths

LOOPBACK = paths.ROOT.parent / "shared/slurm/loopback"
LACKING = [
    reason
    for reason, there in {
        f"there is no {LOOPBACK}": LOOPBACK.exists(),
        "there is no Slurm (Debian: munge slurmctld slurmd slurm-client)": shutil.which("slurmctld", path="/usr/sbin"),
        "the package snakemake-executor-plugin-slurm is not installed": find_spec("snakemake_executor_plugin_slurm"),
    }.items()
    if not there
]


@pytest.fixture(scope="module")
def cluster():
    """The environment in which Slurm's commands find a controller and two nodes, n1 and n2."""
    if LACKING:
        assert not os.environ.get("SLURM_REQUIRED"), LACKING
        pytest.skip("; ".join(LACKING))
    folder = tempfile.mkdtemp(prefix="slurm-")  # short, for the paths of sockets are
    environment = {**os.environ, "LOOPBACK_DIR": folder, "LOOPBACK_PORT": str(20000 + os.getpid() % 20000)}
    loopback = ["bash", str(LOOPBACK)]
    up = subprocess.run([*loopback, "up"], env=environment, capture_output=True, text=True, check=False)
    if up.returncode:
        assert not os.environ.get("SLURM_REQUIRED"), up.stderr
        pytest.skip(f"Slurm does not run here: {up.stderr}")
    path = os.pathsep.join([f"{folder}/bin", environment["PATH"], "/usr/sbin"])
    yield environment | {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": path}
    subprocess.run([*loopback, "down"], env=environment, check=True, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def profile(tmp_path):
    """The profile that we give users, impatient."""
    content = yaml.safe_load((paths.ROOT / "profiles/slurm/config.yaml").read_text())
    content |= {"slurm-init-seconds-before-status-checks": 3, "latency-wait": 10}
    folder = tmp_path / "profile"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.mark.slow(120)
def test_a_study_on_two_nodes_equals_one_without_a_cluster(finished, cluster, profile, small, tmp_path):
    results = tmp_path / "results/small"
    begin_with(finished / "results/smoke", results)  # to save time; the gradual runs and all cells are trained as jobs
    words, _ = command(tmp_path, "study", small, "--profile", profile)
    environment = cluster | {"PRUNE_UTILS_OUT": str(tmp_path)}
    done = subprocess.run(words, env=environment, cwd=paths.ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("reports/small/index.html")
    places = [lock.read_text() for lock in results.rglob(".*.ipynb.lock")]
    assert {place.split(", job ")[0] for place in places if ", job " in place} == {"n1", "n2"}
    compare_with_smoke(tmp_path, finished, cells=7)
    left = subprocess.run(["squeue", "-h"], env=cluster, capture_output=True, text=True, check=True).stdout
    assert not left.strip(), "jobs are left"
