"""Names that others chose: a task, labels, words and folders called anything at all."""

import os
import shutil
import subprocess
import sys
from urllib.parse import unquote

import bs4
import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown import markdown2html

from prune_utils import escaping, language, language_tasks, lexicon, paths
from prune_utils.params import load_study
from prune_utils.section import ParamsError
from prune_utils.workflow import run

NAME = '<script>alert("é & $x_1$ {y}")</script>'
HOSTILE = [NAME, "..", "../../up", "/etc", "a b", ".hidden", "{y}", "~", "-rf", "%2e%2e", "held-out", "é", "x" * 200]
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


@pytest.mark.parametrize("name", ["CoLA", "SST-2", "my_task", "sentiment", "v1.2", "A~b"])
def test_an_ordinary_name_is_its_folder(name):
    assert paths.folder_name(name) == name


@given(st.one_of(st.sampled_from(HOSTILE), texts))
def test_a_name_stays_in_its_place(name):
    folder = paths.folder_name(name)
    assert paths.Path(folder).name == folder and folder not in ("", ".", "..") and not folder.startswith(".")
    assert folder.isascii() and len(folder) < 100 and not set(folder) & set(" /\\{}<>$%&'\"*?|:;#")
    if len(folder) <= paths.LONGEST:
        assert unquote(folder.replace("=", "%")) == name  # so no other name has this folder
    assert paths.finetuning("s", name, 0).resolve().is_relative_to(paths.results("s").resolve() / "finetune")


def test_long_names_that_begin_alike_have_their_own_folders():
    assert paths.folder_name("x" * 199 + "a") != paths.folder_name("x" * 199 + "b")


@pytest.mark.parametrize("name", ["", " a", "a\nb", "a\x1b[31mb", "a\u202eb", "x" * 201])
def test_a_name_that_cannot_be_printed_is_refused(name, tmp_path):
    params = tmp_path / "bad.yaml"
    task = {"source": "local", "name": name, "folder": "."}
    params.write_text(yaml.safe_dump({"extends": "smoke.yaml", "tasks": [task]}))
    with pytest.raises(ParamsError, match="tasks.0.name: name is .* allowed are 1 to 200 printable characters"):
        load_study(params)


def test_a_folder_with_braces_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path / "{y}")
    with pytest.raises(ParamsError, match="has braces"):
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


def test_a_legend_has_every_name():
    _, axes = plt.subplots()
    for name in ("_a", "b"):
        axes.plot([0, 1], label=escaping.legend(name))
    assert [text.get_text().strip() for text in axes.legend().get_texts()] == ["_a", "b"]
    plt.close("all")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The output folder of a finished study with hostile names, in a clone, and with data, whose folders have
    blanks and accents; and what was printed."""
    base = tmp_path_factory.mktemp("é ü ß")
    clone, out, data = base / "a clone é", base / "öut $HOME", base / "dàta 'x'"
    for name in ("prune_utils", "notebooks", "params"):
        shutil.copytree(paths.ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.SNAKEFILE, clone)
    data.mkdir()
    words = [*language.vocabulary(lexicon.load()), "<b>", "<script>alert(2)</script>", "$x_1$", "_"]
    (data / "vocab é.txt").write_text("\n".join(words), encoding="utf-8")
    for part, count in (("train", 60), ("held out", 12)):
        documents = ["\n".join(document) for document in language.documents(lexicon.load(), count, part)]
        (data / f"{part}.txt").write_text("\n\n".join(documents) + "\n<b> $x_1$ _ .\n", encoding="utf-8")
    for part, rows in zip(("train", "dev"), language_tasks.splits("sentiment", 48, 32), strict=True):
        lines = [f"{row['sentence']}\t{('<i>no</i>', '$y$')[row['label']]}\n" for row in rows]
        (data / f"{part}.tsv").write_text("sentence\tlabel\n" + "".join(lines), encoding="utf-8")
    params = clone / "params" / "hostile.yaml"
    params.write_text(
        yaml.safe_dump(
            {
                "extends": "smoke.yaml",
                "corpus": {
                    "source": "local",
                    "files": [f"{data}/train.txt"],
                    "held_out_files": [f"{data}/held out.txt"],
                    "vocabulary": f"{data}/vocab é.txt",
                    "max_length": 32,
                },
                "tasks": [{"source": "local", "name": NAME, "folder": str(data)}],
                "pretraining": {"burn_in_steps": 4, "steps": 4, "ramp_steps": 2, "frequency": 1},
                "finetuning": {"learning_rates": [1.0e-3]},
                "grid": {
                    "sparsities": [0.0, 0.9],
                    "arms": ["dense", "scratch", "pretrain", "information_deletion", "downstream"],
                },
                "prunability": {"sparsity": 0.9, "epochs": [0, 1]},
            }
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "prune_utils", "study", "params/hostile.yaml"],
        cwd=clone,
        env={**os.environ, "PRUNE_UTILS_OUT": str(out), "PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_a_hostile_name_goes_through_a_whole_study(hostile):
    out, said = hostile
    cells = pd.read_csv(out / "results/hostile/cells.csv")
    assert set(cells.task) == {NAME} and len(cells) == 5 and f"fine-tune {NAME} 00 to 90 %, seed 0" in said
    folders = [path.name for path in (out / "results/hostile/finetune").iterdir()]
    assert folders == [paths.folder_name(NAME)]
    assert {path.name for path in out.iterdir()} == {"results", "reports"}


def interpreted(page):
    """How often the hostile name stands in a page other than whole, as text."""
    text = bs4.BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").text
    return text.count("alert(") - text.count(NAME)


def test_nothing_of_a_hostile_name_is_interpreted(hostile):
    out, _ = hostile
    pages = list((out / "reports/hostile").rglob("*/*.html"))
    assert len(pages) == 5 and not any(map(interpreted, pages))
    regimes = nbformat.read(out / "results/hostile/regimes.ipynb", 4)
    said = [
        output.data["text/markdown"]
        for cell in regimes.cells
        for output in cell.get("outputs", [])
        if "data" in output and "text/markdown" in output.data
    ]
    assert any(f"points on {escaping.markdown(NAME)}" in markdown for markdown in said)
    tables = [
        o.data["text/html"]
        for cell in regimes.cells
        for o in cell.get("outputs", [])
        if "text/html" in o.get("data", {})
    ]
    assert tables and all(NAME not in table and "tex2jax_ignore" in table for table in tables)


def test_nothing_of_a_hostile_name_is_interpreted_in_the_report(hostile):
    out, _ = hostile
    assert not interpreted(out / "reports/hostile/index.html")


def test_the_links_of_the_report_lead_to_its_pages(hostile):
    index = hostile[0] / "reports/hostile/index.html"
    page = bs4.BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
    links = {unquote(a["href"].split("#")[0]) for a in page.find_all("a", href=True)}
    pages = {str(path.relative_to(index.parent)) for path in index.parent.rglob("*/*.html")}
    assert {link for link in links if link.endswith(".html") and "://" not in link} == pages
