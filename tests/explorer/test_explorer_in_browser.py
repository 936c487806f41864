"""The explorer in a browser: JupyterLab runs its cells, Voilà serves it as a page; controls are moved and numbers read."""

import re
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from servers import LAB, TOKEN, serving
from transformers import AutoTokenizer, BertForPreTraining

from prune_utils.study import paths

MATRIX = "layer 2 key"
WAIT = 90_000  # milliseconds, on a machine that does other things too
SENTENCE = "some ___ bark ."


@pytest.fixture
def page(browser):
    """A page that notes every request to anywhere but this machine."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(WAIT)
    page.strangers = []
    page.on("response", lambda answer: page.strangers.append(answer.url) if _strange(answer.url) else None)
    yield page
    page.close()


def _strange(url):
    return not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", url)


def checkpoint(out, percent):
    return out / f"results/smoke/pretrain/gradual/sparsity-{percent}/seed-0/checkpoint"


def counted(out, percent):
    """What the slider should show of MATRIX: the cut, pruned and kept, by numpy from the file."""
    with safe_open(checkpoint(out, "00") / "model.safetensors", framework="numpy") as file:
        magnitudes = np.sort(np.abs(file.get_tensor("bert.encoder.layer.1.attention.self.key.weight")), axis=None)
    pruned = round(percent / 100 * magnitudes.size)
    return f"{magnitudes[pruned - 1]:.4g}", str(pruned), str(magnitudes.size - pruned)


def filled(out, percent):
    """The word that a model finds likeliest in the blank of SENTENCE, by transformers."""
    folder = checkpoint(out, percent)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), BertForPreTraining.from_pretrained(folder).eval()
    encoded = tokenizer(SENTENCE.replace("___", tokenizer.mask_token), return_tensors="pt")
    with torch.no_grad():
        logits = model(**encoded).prediction_logits[0, 2]
    word, share = logits.argmax().item(), logits.softmax(-1).max().item()
    return f"{tokenizer.convert_ids_to_tokens(word)} {100 * share:.1f} %"


def use(page, out):
    """Moves the slider of weights by the keyboard, and asks a sentence; both answers must be the independent ones."""
    sentence = page.get_by_label("Sentence")
    sentence.wait_for()
    page.get_by_label("Matrix").select_option(label=MATRIX)
    title = page.get_by_text(f"{MATRIX} at 80 %")
    title.wait_for()
    slider = page.locator(".widget-hbox", has=page.get_by_label("Sparsity (%)")).get_by_role("slider")
    slider.focus()
    for at in (81, 82):
        page.keyboard.press("ArrowRight")
        table = page.locator("table", has=page.get_by_text(f"{MATRIX} at {at} %"))
        table.wait_for()
        assert tuple(row.locator("td").first.inner_text() for row in table.locator("tbody tr").all()[:3]) == counted(
            out, at
        )
    sentence.fill(SENTENCE)
    sentence.press("Enter")
    answers = page.locator("table", has=page.get_by_text(f"“{SENTENCE}”"))
    answers.wait_for()
    first = answers.locator("tbody tr").first.locator("td").all_inner_texts()
    assert first == [filled(out, percent) for percent in ("00", "60", "90")]
    assert page.strangers == []


@pytest.mark.slow(25)
def test_in_jupyterlab(page, finished, tmp_path):
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    shutil.copy(paths.EXPLORER_NOTEBOOK, project / "notebooks")
    (project / "results").symlink_to(finished / "results")
    arguments = [*LAB, f"--ServerApp.root_dir={project}", "--ServerApp.allow_external_kernels=False"]
    with serving("jupyterlab", arguments, project, tmp_path) as address:
        page.goto(f"{address}/lab/tree/notebooks/6_explorer.ipynb?token={TOKEN}")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        use(page, finished)
        page.screenshot(path=tmp_path / "lab.png")
        # the notebook that a cell came from opens beside the explorer
        page.get_by_role("link", name="results/smoke/finetune/acceptability/seed-0/sparsity-00-to-90.ipynb").click()
        page.get_by_role("tab", name="sparsity-00-to-90.ipynb").wait_for()


@pytest.mark.slow(25)
def test_as_an_app(page, finished, tmp_path):
    arguments = re.search(r"-m voila (.*)", (paths.ROOT / "Makefile").read_text())[1].split()  # what `make app` uses
    with serving("voila", arguments, finished, tmp_path) as address:
        policy = page.goto(address).headers["content-security-policy"]
        assert "'self'" in policy and not re.search(r"\b(wss?|https?):|\*", policy)  # no other machine is spoken to
        use(page, finished)
        assert page.locator("pre, .jp-InputArea-editor").count() == 0  # no code is shown
        page.screenshot(path=tmp_path / "app.png", full_page=True)
        # nothing of the project is served but the notebook
        for path in ("notebooks/6_explorer.ipynb", "README.md", "docs/demo_accuracy.svg", "docs/demo_accuracy.png"):
            assert page.request.get(f"{address}/voila/files/{path}").status in (403, 404)
        assert page.title()
