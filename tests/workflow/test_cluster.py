"""Studies whose jobs run on other machines: what they ask for, what keeps two starts apart, and a whole one on two nodes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import yaml
from commands import command
from smoke import begin_with, compare_with_smoke

from prune_utils.__main__ import main
from prune_utils.study import paths
from prune_utils.study.files import alone, write_json
from prune_utils.study.grid import Run
from prune_utils.study.params import extended, load_study, merge, read_yaml, validated
from prune_utils.study.record import record
from prune_utils.study.section import ParamsError
from prune_utils.training.loop import machine, trainer
from prune_utils.workflow import cluster, ending, execution, launch, preflight, status
from prune_utils.workflow.graph import lock_of, nodes

TABLE = load_study(paths.PARAMS / "published.yaml")
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


@pytest.fixture
def folder(empty):
    record(TABLE)
    write_json(paths.results("published") / paths.SITTING, {"started": 1234.5678, "host": "a", "process": 1})
    return paths.results("published")


def test_notebooks_ask_for_what_their_kind_needs(smoke_content):
    needs = {"pretraining": {"gpu": 1, "runtime": 90}, "finetuning": {"mem_mb": 8000}}
    study = validated(merge(smoke_content, {"machine": {"needs": needs}}))
    asked = {node.template: node.needs for node in nodes(study)}
    assert asked[paths.PRETRAINING_NOTEBOOK] == needs["pretraining"]
    assert asked[paths.FINETUNING_NOTEBOOK] == needs["finetuning"]
    assert asked[paths.REGIMES_NOTEBOOK] == asked[paths.INSIDE_NOTEBOOK] == {}
    with pytest.raises(ParamsError, match="machine.needs.tuning"):
        validated(merge(smoke_content, {"machine": {"needs": {"tuning": {}}}}))
    with pytest.raises(ParamsError, match="machine.needs.analysis.gpu is -1"):
        validated(merge(smoke_content, {"machine": {"needs": {"analysis": {"gpu": -1}}}}))


@pytest.fixture
def smoke_content():
    return extended(read_yaml(paths.PARAMS / "smoke.yaml"))


@pytest.mark.slow
def test_the_graph_passes_needs_and_threads_on(empty):
    machine = {"threads": 3, "needs": {"analysis": {"mem_mb": 1234, "runtime": 7}}}
    record(validated(yaml.safe_load(TABLE.model_dump_json()) | {"machine": TABLE.machine.model_dump() | machine}))
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(paths.SNAKEFILE), "--dry-run", "--cores", "3"]
    words += ["--directory", str(paths.results("published"))]
    said = subprocess.run(words, capture_output=True, text=True, check=True, cwd=paths.ROOT).stdout
    assert said.count("threads: 3") == 2 and said.count("mem_mb=1234") == 2 and said.count("runtime=7") == 2


def test_a_job_of_an_earlier_start_ends_before_it_begins(folder, capsys):
    *_, command, where, started = cluster.fenced(folder).split()
    assert cluster.fenced(folder).startswith(f"export {ending.STARTED}={started} && ")
    assert command == "fence" and main([command, where, started]) == 2
    assert "no longer running on a" in capsys.readouterr().err  # nobody holds the lock, or it is not seen here
    with alone(folder):
        assert main([command, where, started]) == 0
    write_json(folder / paths.SITTING, {"started": 1234.9, "host": "a", "process": 2})
    assert main([command, where, started]) == 2 and "belongs to an earlier start" in capsys.readouterr().err


def test_a_folder_that_is_no_profile_is_refused(tmp_path, capsys):
    assert main(["study", str(paths.PARAMS / "published.yaml"), "--profile", str(tmp_path)]) == 2
    assert f"profile {tmp_path} is not a folder with a config.yaml" in capsys.readouterr().err


def test_notebooks_that_still_run_are_known_by_their_locks(folder):
    first = nodes(TABLE)[0]
    assert cluster.left_running(TABLE) == ""
    gone = folder / "finetune/CoLA/seed-0"  # of a graph that the study had with other params
    with alone(gone, name=lock_of(gone / "sparsity-30.ipynb")):
        assert "still running finetune/CoLA/seed-0/.sparsity-30.ipynb (on " in cluster.left_running(TABLE)
    with alone(first.path.parent, name=lock_of(first.path)):
        assert f"still running {first.name} (on " in cluster.left_running(TABLE)
    assert cluster.left_running(TABLE) == ""


def test_all_machines_compute_in_the_precision_that_the_first_one_chose(empty, monkeypatch, smoke_content):
    study = validated(merge(smoke_content, {"machine": {"precision": "auto"}}))
    monkeypatch.setattr(machine, "bfloat16", lambda settings: True)
    assert machine.settled(study).machine.precision == "bfloat16"
    monkeypatch.setattr(machine, "bfloat16", lambda settings: False)  # another machine
    assert machine.settled(study).machine.precision == "bfloat16"
    assert machine.settled(validated(smoke_content)).machine.precision == "float32"
    (paths.results("smoke") / paths.PRECISION).unlink()  # as in a study of an earlier version
    write_json(Run("dense", 0.0, 0).folder("smoke") / paths.RESULT, {"precision": "bfloat16"})
    assert machine.settled(study).machine.precision == "bfloat16"


def test_on_sigterm_a_notebook_ends_its_kernel_and_is_not_told_as_failed(folder, monkeypatch):
    monkeypatch.setattr(ending, "GRACE", 1000)
    handler = signal.getsignal(signal.SIGTERM)
    kernel = subprocess.Popen(["sleep", "1000"])
    with ending.graceful(TABLE) as told:
        os.kill(os.getpid(), signal.SIGTERM)
        assert told.wait(5) and kernel.wait(5) == -signal.SIGTERM
        assert signal.alarm(0) > 900  # what does not end is interrupted then
    assert signal.getsignal(signal.SIGTERM) == handler


def test_a_new_start_ends_the_notebooks_of_an_earlier_one(folder, monkeypatch):
    monkeypatch.setattr(ending, "EVERY", 0.02)
    sitting = {"started": 1234.9, "host": "a", "process": 2}
    with ending.graceful(TABLE) as told:
        write_json(folder / paths.SITTING, sitting | {"ends_earlier": False})
        assert not told.wait(0.3)
        write_json(folder / paths.SITTING, sitting | {"ends_earlier": True})
        assert told.wait(5)
    signal.alarm(0)


def test_a_notebook_that_failed_by_its_own_fault_is_not_executed_again(folder, monkeypatch):
    first, executed = nodes(TABLE)[0], []
    monkeypatch.setattr(execution, "run_notebook", lambda template, notebook, parameters: executed.append(notebook))
    monkeypatch.chdir(folder)

    def attempt(name):
        write_json(paths.unfinished(first.path), {"metadata": {"papermill": {"duration": 1}}})
        status.keep(paths.unfinished(first.path), name, "no such column")
        return main(["node", "params.yaml", str(first.notebook)])

    with pytest.raises(SystemExit, match="regimes has failed before: ParamsError: no such column"):
        attempt("ParamsError")
    assert not executed
    for number, name in enumerate(("OSError", "ConnectionError", "TimeoutError"), 1):
        assert attempt(name) == 0 and len(executed) == number  # it may have been the fault of another machine
        first.path.unlink()
    write_json(folder / paths.SITTING, {"started": time.time() + 60, "host": "a", "process": 2})
    assert attempt("ParamsError") == 0 and len(executed) == 4  # the study has been started again


def test_curves_are_sent_only_where_they_can_be_and_stay_on_the_machine(empty, smoke_content, monkeypatch):
    study = validated(merge(smoke_content, {"machine": {"report_to": ["tensorbord"]}}))
    with pytest.raises(ParamsError, match="machine.report_to is 'tensorbord', which transformers does not know or"):
        preflight.check_machine(study, [])
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    place = Run("gradual", 0.9, 0).folder("smoke") / "trainer-all"
    assert trainer.curves(place, validated(smoke_content).machine) == {}
    options = trainer.curves(place, study.machine)
    assert options["project"] == "smoke" and options["run_name"] == "pretrain/gradual/sparsity-90/seed-0/trainer-all"
    assert options["trackio_static_space_id"] is False  # nothing is published
    curves = paths.results("smoke") / "curves/pretrain/gradual/sparsity-90/seed-0/trainer-all"
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(curves)


def test_a_job_is_of_the_start_that_submitted_it(folder, monkeypatch):
    """It may begin its notebook after the next start, and must not take itself for one of that."""
    monkeypatch.setattr(ending, "EVERY", 0.02)
    monkeypatch.setenv(ending.STARTED, "1234.5678")
    write_json(folder / paths.SITTING, {"started": 1234.9, "host": "a", "process": 2, "ends_earlier": True})
    with ending.graceful(TABLE) as told:
        assert told.wait(5)
    signal.alarm(0)


def test_a_notebook_that_ends_while_it_is_looked_at_is_told_once(folder, monkeypatch, capsys):
    first, second = nodes(TABLE)[:2]
    for node in (first, second):
        write_json(paths.unfinished(node.path), {"metadata": {}})
    kept = status.kept

    def finished_at_this_moment(unfinished):
        said = kept(unfinished)
        if unfinished == paths.unfinished(first.path):
            write_json(first.path, {"metadata": {"papermill": {"duration": 7}}})
            unfinished.unlink()
        return said

    monkeypatch.setattr(status, "kept", finished_at_this_moment)
    with alone(second.path.parent, name=lock_of(second.path)), subprocess.Popen(["sleep", "0.3"]) as process:
        status.watch(TABLE, process, 0.1)
    said = capsys.readouterr().out
    assert said.count(f"{first.name}: 7 s") == 1 and said.count(f"{second.name}: started") == 1


def test_the_end_of_a_jobs_log_is_told_if_no_notebook_failed(folder, monkeypatch):
    log = folder / "slurm/rule_regimes_0/12.log"
    log.parent.mkdir(parents=True)
    log.write_text("python: command not found\n")
    (folder / paths.LOG).write_text("Error in rule regimes_0\n")
    said = launch._unfinished(TABLE, folder)
    assert "python: command not found" in said and "12.log" in said and "Error in rule" in said
    monkeypatch.setattr(launch.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert f"the disk of {folder} is full" in launch._unfinished(TABLE, folder)


def test_on_a_slurm_without_accounting_jobs_are_asked_of_squeue(tmp_path, monkeypatch):
    profile, bin_folder = tmp_path / "profile", tmp_path / "bin"
    profile.mkdir()
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    (profile / "config.yaml").write_text("executor: slurm\n")
    sacct = bin_folder / "sacct"
    for script, expected in (("exit 1", ["--slurm-status-command", "squeue"]), ("exit 0", [])):
        sacct.write_text(f"#!/bin/sh\n{script}\n")
        sacct.chmod(0o755)
        assert cluster.options(profile) == expected
    sacct.write_text("#!/bin/sh\nexit 1\n")
    (profile / "config.yaml").write_text("executor: slurm\nslurm-status-command: sacct\n")
    assert cluster.options(profile) == []
    (profile / "config.yaml").write_text("executor: htcondor\n")
    assert cluster.options(profile) == []


def test_jobs_that_wait_in_the_queue_are_named(folder, capsys):
    log = f"Job 3 has been submitted with SLURM jobid 21 (log: {folder}/slurm/rule_regimes_0/21.log).\n"
    (folder / paths.LOG).write_text(log)
    with subprocess.Popen(["true"]) as process:
        status.watch(TABLE, process)
    assert capsys.readouterr().out.count(f"{nodes(TABLE)[0].name}: submitted, job 21") == 1
    with alone(folder):
        status.show(paths.PARAMS / "published.yaml")
    assert f"{nodes(TABLE)[0].name}: submitted, job 21\n" in capsys.readouterr().out


def test_what_slurm_refuses_is_told_in_its_own_words(folder):
    (folder / paths.LOG).write_text("a\nsbatch: error: invalid partition specified: gpu\n" * 4 + "WorkflowError\n")
    said = launch._unfinished(TABLE, folder)
    assert said.count("sbatch: error: invalid partition specified: gpu") == 1 and "WorkflowError" not in said


@pytest.fixture(scope="module")
def slurm():
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
def test_a_study_on_two_nodes_equals_one_without_a_cluster(finished, slurm, profile, small, tmp_path):
    results = tmp_path / "results/small"
    begin_with(finished / "results/smoke", results)  # to save time; the gradual runs and all cells are trained as jobs
    words, _ = command(tmp_path, "study", small, "--profile", profile)
    environment = slurm | {"PRUNE_UTILS_OUT": str(tmp_path)}
    done = subprocess.run(words, env=environment, cwd=paths.ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("reports/small/index.html")
    places = [lock.read_text() for lock in results.rglob(".*.ipynb.lock")]
    assert {place.split(", job ")[0] for place in places if ", job " in place} == {"n1", "n2"}
    compare_with_smoke(tmp_path, finished, cells=8)
    left = subprocess.run(["squeue", "-h"], env=slurm, capture_output=True, text=True, check=True).stdout
    assert not left.strip(), "jobs are left"
