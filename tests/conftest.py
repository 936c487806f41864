import gc
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

# before the package is imported: no test writes into the project's own results
os.environ["PRUNE_UTILS_OUT"] = tempfile.mkdtemp(prefix="prune-utils-tests-")
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

torch.set_num_threads(2)
settings.register_profile("suite", deadline=None)  # nothing is asserted about speed
settings.load_profile("suite")
SMOKE = pytest.StashKey()  # the process of the smoke study, and its output folder


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
    out = Path(tempfile.mkdtemp(prefix="prune-utils-tests-")) / "é ü" / "öut $HOME"
    words, environment = command(out, "study", PARAMS / "smoke.yaml")
    with open(out.parents[1] / "said", "w") as said, open(out.parents[1] / "complained", "w") as complained:
        process = subprocess.Popen(words, env=environment, cwd=paths.ROOT, stdout=said, stderr=complained)
    session.config.stash[SMOKE] = process, out


def pytest_unconfigure(config):
    """Stops the smoke study if the tests ended before it, and removes it."""
    if SMOKE in config.stash:
        process, out = config.stash[SMOKE]
        process.terminate()
        process.wait()
        shutil.rmtree(out.parents[1], ignore_errors=True)


@pytest.fixture(scope="session")
def finished(pytestconfig):
    """The output folder of the smoke study, run once for the whole suite; its files are only read."""
    process, out = pytestconfig.stash[SMOKE]
    assert process.wait() == 0, "".join((out.parents[1] / name).read_text() for name in ("complained", "said"))
    said = (out.parents[1] / "said").read_text()
    assert "58/58" in said and "nothing" in said and not (out.parents[1] / "complained").read_text()
    assert said.strip().endswith("index.html")
    return out


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
    """Marks the tests that `make check` runs as `unit`: no study, no notebook, no browser, no hundreds of random inputs."""
    for item in items:
        random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if not random and not {"finished", "browser"} & set(item.fixturenames) and not item.get_closest_marker("slow"):
            item.add_marker("unit")
