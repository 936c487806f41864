import contextlib
import gc
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

# one folder for the whole suite, which the process that made it removes; those that pytest-xdist starts inherit it
os.environ["PRUNE_UTILS_TESTS"] = os.environ.get("PRUNE_UTILS_TESTS") or tempfile.mkdtemp(
    prefix=f"prune-utils-{os.getpid()}-"
)
# before the package is imported: no test writes into the project's own results
os.environ["PRUNE_UTILS_OUT"] = f"{os.environ['PRUNE_UTILS_TESTS']}/out-{os.getpid()}"
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that forgets to replace the hub fails at once

import numpy as np
import pytest
import torch
import yaml
from commands import command
from datasets import Dataset
from hostile import write_task
from hypothesis import settings
from transformers import BertConfig, set_seed

from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.explorer import studies
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS
from prune_utils.training.modeling import MaskedBert

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
settings.register_profile("suite", deadline=None)  # nothing is asserted about speed
settings.load_profile("suite")
SCRATCH = Path(os.environ["PRUNE_UTILS_TESTS"])
SMOKE = SCRATCH / "smoke"  # where the smoke study of the suite runs, and what it said


@pytest.fixture
def tiny_bert():
    """A BERT of two layers whose matrices are small enough to look at."""
    set_seed(0)
    return MaskedBert(
        BertConfig(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, driven by Playwright, that asks nothing of the network by itself.

    Of a module, not of the session: while Playwright runs, no other event loop can in this thread."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if program is None:
        assert not os.environ.get("BROWSER_REQUIRED"), "BROWSER_REQUIRED is set, and there is no Chromium"
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=options)


@pytest.fixture
def tiny_batch():
    """Six sentence pairs for `tiny_bert`, a quarter of the tokens to be predicted."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 40, (6, 12), generator=generator)
    labels = torch.where(torch.rand(ids.shape, generator=generator) < 0.25, ids, -100)
    return {
        "input_ids": ids,
        "labels": labels,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "next_sentence_label": torch.tensor([0, 1, 0, 1, 1, 0]),
    }


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The params of a study that is part of smoke: one task, given as files with hostile labels, up to 60 %."""
    path = tmp_path_factory.mktemp("params") / "small.yaml"
    task = write_task(tmp_path_factory.mktemp("dàta") / "é ü 'ß'", 96, 64)
    changes = {"finetuning": {"learning_rates": [1.0e-3]}, "grid": {"sparsities": [0.0, 0.6]}}
    path.write_text(yaml.safe_dump({"extends": "smoke.yaml", "tasks": [task], **changes}))
    return path


def pytest_collection_finish(session):
    """Starts the smoke study at once if a test needs it: it runs beside the tests that do not."""
    gc.freeze()  # what is imported never becomes garbage, and need not be searched again and again
    if session.config.option.collectonly or not any("finished" in item.fixturenames for item in session.items):
        return
    try:
        SMOKE.mkdir(parents=True)
    except FileExistsError:  # another process of pytest-xdist has started it
        return
    words, environment = command(SMOKE / "é ü/öut $HOME", "study", PARAMS / "smoke.yaml")
    shell = 'echo $$ > "$0/pid"; "$@" > "$0/said" 2> "$0/complained"; echo $? > "$0/code"; mv "$0/code" "$0/ended"'
    words = ["sh", "-c", shell, str(SMOKE), *words]
    # a group of its own, to be stopped as a whole
    subprocess.Popen(words, env=environment, cwd=paths.ROOT, start_new_session=True)


def pytest_unconfigure(config):
    """Stops the smoke study if the tests ended before it, and removes all that the suite wrote."""
    if not SCRATCH.name.startswith(f"prune-utils-{os.getpid()}-"):
        return
    if (SMOKE / "pid").exists() and not (SMOKE / "ended").exists():
        with contextlib.suppress(ProcessLookupError):  # it was killed with the tests
            os.killpg(int((SMOKE / "pid").read_text()), signal.SIGTERM)
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def finished():
    """The output folder of the smoke study, run once for the whole suite; its files are only read."""
    deadline = time.monotonic() + 1200
    while not (SMOKE / "ended").exists():
        assert time.monotonic() < deadline, "the smoke study does not end"
        time.sleep(0.05)
    code, said, complained = ((SMOKE / name).read_text() for name in ("ended", "said", "complained"))
    assert int(code) == 0, complained + said
    assert "62/62" in said and "nothing" in said and not complained
    assert said.strip().endswith("index.html")
    return SMOKE / "é ü/öut $HOME"


@pytest.fixture
def here(finished, monkeypatch):
    """The smoke study, opened in the explorer."""
    monkeypatch.setattr(paths, "OUT", finished)
    return studies.opened()


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    return tmp_path


@pytest.fixture
def words():
    return tokenizer_of(load_study(PARAMS / "smoke.yaml"))


@pytest.fixture
def pairs():
    random = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        ids = random.integers(5, 40, random.integers(4, 16)).tolist()
        labels = [y if i % 3 == 1 else -100 for i, y in enumerate(ids)]
        rows.append(
            {
                "input_ids": ids,
                "token_type_ids": [0] * len(ids),
                "labels": labels,
                "next_sentence_label": int(random.integers(2)),
                "length": len(ids),
            }
        )
    return Dataset.from_list(rows)


def pytest_collection_modifyitems(items):
    """Marks the tests of `make check` as `unit`: no study, no notebook, no browser, no hundreds of random inputs.

    Files that read the smoke study come last. Slow files come first in each of both groups, slow tests first in each file:
    all processes then end together. (A process is given its next file while the last two tests of a file are left.)"""
    files, seconds = {}, {}
    for item in items:
        random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        reads, slow = "finished" in item.fixturenames, item.get_closest_marker("slow")
        if not random and not slow and not reads and "browser" not in item.fixturenames:
            item.add_marker("unit")
        was = files.get(item.path, (False, 0))
        seconds[item] = slow.args[0] if slow and slow.args else int(random or bool(slow) or reads)
        files[item.path] = was[0] or reads, was[1] - seconds[item]
    items.sort(key=lambda item: (*files[item.path], str(item.path), -seconds[item]))
