"""Results that are made once, whatever happens beside."""

import errno
import fcntl
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from prune_utils.__main__ import main
from prune_utils.study import paths
from prune_utils.study.files import alone, held, once, whole_folder
from prune_utils.study.section import ParamsError
from prune_utils.workflow import launch


def _ask(folder, answers):
    def make():
        with open(folder / "made", "a") as log:
            log.write("x")
        time.sleep(0.05)
        return {"process": os.getpid()}

    answers.put(once(folder / "result.json", make)["process"])


def test_of_several_processes_one_makes_and_all_read(tmp_path):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [context.Process(target=_ask, args=(tmp_path, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    assert len({answers.get(timeout=30) for _ in processes}) == 1
    for process in processes:
        process.join()
    assert (tmp_path / "made").read_text() == "x" and not held(tmp_path)


def test_what_fails_leaves_no_result_and_is_made_again(tmp_path):
    path = tmp_path / "a" / "result.json"

    def fail():
        assert held(path.parent)
        raise OSError("no space")

    with pytest.raises(OSError):
        once(path, fail)
    assert not path.exists() and not held(path.parent)
    assert once(path, lambda: {"x": float("nan")}) == {"x": None}
    assert once(path, fail) == {"x": None}  # finished: read, not made


def test_what_a_killed_process_was_writing_is_no_result(tmp_path):
    """Nothing in a folder that is being written has the name of a result, by which finished work is found."""
    with whole_folder(tmp_path / "checkpoint") as unfinished:
        (unfinished / "model").touch()
        assert not [path for path in tmp_path.rglob("*") if path.name in ("checkpoint", "result.json")]
    killed = "import os, sys; sys.path.insert(0, sys.argv[1]); from prune_utils.study import files; "
    killed += "files.os.replace = lambda *names: os._exit(9); from pathlib import Path; "
    killed += "files.write_whole(Path(sys.argv[2]) / 'result.json', '{}')"
    subprocess.run([sys.executable, "-c", killed, str(paths.ROOT), str(tmp_path)], check=False)
    assert len(list(tmp_path.glob(".result.json-*/*"))) == 1 and not list(tmp_path.rglob("result.json"))


def test_a_damaged_result_names_itself_and_the_remedy(tmp_path):
    (tmp_path / "result.json").write_text('{"seed": 0, "dev_acc')
    with pytest.raises(ParamsError, match="result.json is damaged .*; delete it to make it again"):
        once(tmp_path / "result.json", dict)


def test_a_file_system_without_locks_or_space_is_one_sentence(tmp_path, monkeypatch, capsys):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        with pytest.raises(OSError, match="no locks .*; set PRUNE_UTILS_OUT"), alone(tmp_path):
            pass
        assert not held(tmp_path)

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device", "results/x/cells.csv")

    monkeypatch.setattr(launch, "load_study", full)
    assert main(["study", str(paths.PARAMS / "smoke.yaml")]) == 1
    said = capsys.readouterr().err
    assert said == "results/x/cells.csv: No space left on device; nothing finished is lost\n"
