"""Results that are made once, whatever happens beside."""

import multiprocessing
import os
import time

import pytest

from prune_utils.study.files import held, once


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
