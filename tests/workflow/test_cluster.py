"""Studies whose jobs run on other machines: what they ask for, and what keeps two starts apart."""

import subprocess
import sys

import pytest
import yaml

from prune_utils.__main__ import main
from prune_utils.study import paths
from prune_utils.study.files import alone, write_json
from prune_utils.study.params import extended, load_study, merge, read_yaml, validated
from prune_utils.study.record import record
from prune_utils.study.section import ParamsError
from prune_utils.workflow import cluster
from prune_utils.workflow.nodes import lock_of, nodes

TABLE = load_study(paths.PARAMS / "published.yaml")


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
    with alone(first.path.parent, name=lock_of(first.path)):
        assert f"still running {first.name} (on " in cluster.left_running(TABLE)
    assert cluster.left_running(TABLE) == ""
