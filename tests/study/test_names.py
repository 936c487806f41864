"""Names that others chose: a task, labels, words and folders called anything at all."""

import json
import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import bs4
import pandas as pd
import pytest
import torch
import yaml
from hostile import NAME, write_task
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown import markdown2html

from prune_utils.data import text
from prune_utils.data.embedded import language, lexicon
from prune_utils.data.tasks import examples
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.inside import weights
from prune_utils.report import escaping, plots_inside
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import LocalCorpus, LocalTask
from prune_utils.workflow.launch import run

SMOKE = load_study(paths.PARAMS / "smoke.yaml")
HOSTILE = [NAME, "<script>alert(1)</script>", "..", "{y}", "~", "-rf", "%2e%2e", "é", "x" * 200]
SHOWN = [
    *HOSTILE,
    "_a_ *b* **c** `d` ~~e~~ [f](http://g) ![h](i)",
    "$x$ $$y$$ \\(z\\) \\begin{a} \\$",
    "a|b",
    "&lt; &amp;",
    "- 1. # > a",
    "http://a.b www.a.b me@a.b",
    "<!-- a -->",
    ":smile: [^1] ==a== ^b^",
]
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["C", "Z"]), min_size=1)


@pytest.mark.parametrize("name", ["CoLA", "SST-2", "my_task", NAME, "v1.2", "é", "a.", "x" * 100])
def test_the_name_of_a_task_is_that_of_its_folder(name):
    task = LocalTask(source="local", name=name, folder=".")
    folder = paths.finetuning("s", task.name, 0)
    assert folder.parent.name == name and folder.parent.parent == paths.results("s") / "finetune"


REFUSED = [
    "",
    " a",
    "a ",
    ".",
    "..",
    "../up",
    "/etc",
    ".hidden",
    "{y}",
    "~",
    "%2e",
    "<b>",
    "$x$",
    "a|b",
    "a\nb",
    "a\x1b[31mb",
    "-rf",
    "_a",
]


@pytest.mark.parametrize("name", [*REFUSED, "a\u202eb", "x" * 101])
def test_a_name_with_other_characters_is_refused(name, tmp_path):
    params = tmp_path / "bad.yaml"
    task = {"source": "local", "name": name, "folder": "."}
    params.write_text(yaml.safe_dump({"extends": "smoke.yaml", "tasks": [task]}))
    with pytest.raises(ParamsError, match="tasks.0.name: name is .* allowed are 1 to 100 letters, digits, spaces"):
        load_study(params)


def test_a_folder_with_braces_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path / "{y}")
    with pytest.raises(ParamsError, match="contains braces"):
        run(paths.PARAMS / "published.yaml")
    assert not (tmp_path / "{y}").exists()


def shown(markdown):
    """Text and elements of Markdown as nbconvert renders it."""
    page = bs4.BeautifulSoup(markdown2html(markdown), "html.parser")
    return page, {element.name for element in page.find_all(True)}


@given(st.one_of(st.sampled_from(SHOWN), texts))
def test_a_name_is_shown_as_it_is(name):
    page, elements = shown(f"on {escaping.markdown(name)}, and *{escaping.markdown(name)}*")
    assert page.text.strip() == f"on {name}, and {name}" and elements <= {"p", "em", "span"}
    # a formula needs both its marks in the text of one element
    assert not any("$" in text and text.strip() != "$" for text in page.find_all(string=True))
    assert not any("\\" in text and text.strip() != "\\" for text in page.find_all(string=True))


@given(st.one_of(st.sampled_from(SHOWN), texts))
def test_a_name_is_shown_as_it_is_in_a_table_and_in_a_link(name):
    page, elements = shown(f"| a | b |\n|---|---|\n| {escaping.markdown(name)} | [{escaping.markdown(name)}](c.html) |")
    assert [cell.text for cell in page.find_all("td")] == [name, name]
    assert elements <= {"table", "thead", "tbody", "tr", "th", "td", "a", "span"}
    assert [a["href"] for a in page.find_all("a")] == ["c.html"]


def test_words_and_labels_that_look_like_markup_are_text(tmp_path):
    folder = tmp_path / "dàta 'x' é"
    task = LocalTask(**write_task(folder, 24, 24))
    assert set(examples(task)[1].label) == {0, 1}
    words = [*language.vocabulary(lexicon.load()), "<b>", "<script>alert(2)</script>", "_"]
    (folder / "vocab é.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "a text.txt").write_text("<b> the .\n\n_ <script>alert(2)</script> .\n", encoding="utf-8")
    corpus = LocalCorpus(
        source="local",
        files=[f"{folder}/a text.txt"],
        held_out_files=[f"{folder}/a text.txt"],
        vocabulary=f"{folder}/vocab é.txt",
        max_length=16,
    )
    assert list(text.documents(corpus, held_out=False)) == [["<b> the ."], ["_ <script>alert(2)</script> ."]]
    ids = range(len(words) - 3, len(words))
    assert tokenizer_of(SMOKE.model_copy(update={"corpus": corpus})).convert_ids_to_tokens(ids) == words[-3:]
    frame = weights.word_magnitudes(torch.rand(len(words), 4), words, most=len(words))
    figure = plots_inside.word_map(frame.loc[words[-3:]]).figure
    figure.savefig(tmp_path / "words.svg")
    elements = list(ElementTree.parse(tmp_path / "words.svg").iter())
    assert not any(element.tag.endswith(("}b", "}script")) for element in elements)
    assert set(words[-3:]) <= {element.text for element in elements if element.tag.endswith("}text")}


@pytest.mark.slow(45)
def test_the_published_tables_are_a_study_without_training_wherever_the_clone_lies(tmp_path):
    clone, out = tmp_path / "a clone é ü 'ß'", tmp_path / "öut $HOME"
    for name in ("prune_utils", "notebooks", "params"):
        shutil.copytree(paths.ROOT / name, clone / name)
    shutil.copy(paths.SNAKEFILE, clone)
    done = subprocess.run(
        [sys.executable, "-m", "prune_utils", "study", "params/published.yaml"],
        cwd=clone,
        env={**os.environ, "PRUNE_UTILS_OUT": str(out), "PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"report: {out}/reports/published/index.html" in done.stdout
    regimes = json.loads((out / "results/published/regimes.json").read_text())
    assert regimes["high_from"]["estimate"] == 0.7 and regimes["low_until"]["estimate"] in (0.3, 0.4)
    claims = pd.read_csv(out / "results/published/claims.csv")
    assert {"claim", "measured", "interval", "published", "verdict"} <= set(claims.columns)
    page = (out / "reports/published/index.html").read_text()
    assert "Nothing was trained for this" in page
    assert page.index("What was found") < page.index("Why accuracy falls") < page.index("The claims")
    shown = {figure.name for figure in (out / "reports/published/details.files").glob("*.svg")}
    assert {"by_epochs.svg", "moments.svg"} <= shown  # Fig. 4 and Table 3
    read = pd.read_csv(out / "results/published/inputs.csv").set_index("about").value
    assert read["table.movement_by_epochs"] == "65, 0 % to 4.62 %" and read["table.weights"] == "74, -0.0282 to 0.0005"
