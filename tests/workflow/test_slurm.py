"""A study on a Slurm cluster: two nodes on this machine, whose frames equal those of a study without a cluster."""

import json
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import yaml
from commands import command
from smoke import TIMES

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
    subprocess.run([*loopback, "up"], env=environment, check=True, capture_output=True)
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


def frame(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path).drop(columns=TIMES, errors="ignore")
    return table.sort_values(list(table.columns), ignore_index=True)


@pytest.mark.slow(150)
def test_a_study_on_two_nodes_equals_one_without_a_cluster(finished, cluster, profile, tmp_path):
    words, environment = command(tmp_path, "study", paths.PARAMS / "smoke.yaml", "--profile", profile)
    done = subprocess.run(
        words,
        env=cluster | environment | {"PATH": cluster["PATH"]},
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "submitted, job " in done.stdout and "58/58" in done.stdout
    places = [lock.read_text() for lock in (tmp_path / "results/smoke").rglob(".*.ipynb.lock")]
    assert {place.split(", job ")[0] for place in places if ", job " in place} == {"n1", "n2"}
    ours, theirs = tmp_path / "results/smoke", finished / "results/smoke"
    frames = [path.relative_to(theirs) for path in theirs.rglob("*.csv") if path.name != "bit_of_bert.csv"]
    names = {path.name for path in frames}
    assert {"cells.csv", "pretraining.csv", "claims.csv", "fine_tune_first.csv", "similarity.csv"} <= names
    for name in frames:
        if name.parts[0] not in ("pretrain", "finetune"):  # of one notebook each; their rows are in the frames of all
            pd.testing.assert_frame_equal(frame(ours / name), frame(theirs / name), check_exact=True, obj=str(name))
    regimes = [json.loads((results / "regimes.json").read_text()) for results in (ours, theirs)]
    assert regimes[0] == regimes[1]
    asked = subprocess.run(["squeue", "-h"], env=cluster, capture_output=True, text=True, check=True).stdout
    assert not asked.strip(), "jobs are left"
