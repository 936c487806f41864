"""The report: pages that open from disk, hold nothing that acts, and can be read by everyone."""

import re
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from urllib.parse import unquote

import bs4
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from prune_utils.analysis import comparison
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.regimes import find
from prune_utils.report import captions, plots_prunability, style, tables
from prune_utils.report.escaping import markdown
from prune_utils.report.pages import harmless, page, themed
from prune_utils.report.style import INK, REGIME_SHADES, panel
from prune_utils.study import paths
from prune_utils.study.files import whole_folder
from prune_utils.study.params import load_study
from prune_utils.study.record import ABSENT, differing, read_csv, write_csv
from prune_utils.study.schema import Analysis, Replay
from prune_utils.study.words import minus

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


def drawn():
    figure, axes = panel()
    axes.plot([0, 1], [2, 3], color=INK, label=HOSTILE)
    axes.axvspan(0, 1, color=REGIME_SHADES["low"])
    axes.set(title="$x$ & <b>")
    axes.legend()
    return figure


def executed(tmp_path, *outputs):
    """A notebook as papermill leaves it, with `outputs` in its one cell."""
    cells = [
        new_markdown_cell("# A title"),
        new_code_cell("secret = 1", metadata={"tags": ["injected-parameters"]}),
        new_markdown_cell("only for readers", metadata={"tags": ["notebook-only"]}),
        new_code_cell(f"print({HOSTILE!r})", outputs=list(outputs)),
    ]
    path = tmp_path / "some.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture
def displayed(monkeypatch):
    """What `style.show` displays, as the outputs that a cell keeps."""
    outputs = []

    def keep(shown, raw=False, metadata=None):
        data = shown if raw else {"text/markdown": shown.data}
        outputs.append(new_output("display_data", data=data, metadata=metadata or {}))

    monkeypatch.setattr(style, "display", keep)
    return outputs


def test_a_figure_carries_its_words_and_its_numbers(displayed):
    numbers = pd.DataFrame({"y": [2, 3]}, index=pd.Index([0, 1], name="x"))
    style.show(style.Drawn(drawn(), "some", "Two points.", numbers, "*Made up.*"))
    figure, caption = displayed
    assert figure.metadata["figure"] == {"name": "some", "alt": "Two points."}
    assert figure.data["text/plain"] == "Two points." and caption.data["text/markdown"] == "*Made up.*"
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(figure.data["text/csv"]), index_col="x"), numbers)
    assert style.svg(drawn()) == figure.data["image/svg+xml"]  # the same figure is the same file


def test_a_page_has_each_figure_as_a_drawing_and_as_files(displayed, tmp_path):
    style.show(style.Drawn(drawn(), "some", f"Words with {HOSTILE}", pd.DataFrame({"y": [2, 3]})))
    text, files = page(executed(tmp_path, *displayed), "title")
    assert set(files) == {"some.files/some.svg", "some.files/some.csv"} and files["some.files/some.csv"] == "y\n2\n3\n"
    soup = bs4.BeautifulSoup(text, "html.parser")
    (drawing,) = soup.select("figure [role=img]")
    assert drawing["aria-label"] == f"Words with {HOSTILE}" and drawing.svg
    assert [a["href"] for a in soup.select("figcaption a")] == sorted(files, reverse=True)
    assert "secret" not in text and "only for readers" not in text


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "text/plain"])
def test_nothing_that_a_notebook_says_acts_in_its_page(kind, tmp_path):
    says = new_output("display_data", data={kind: f"<p onclick='a()'>{HOSTILE}</p> [l](javascript:alert(2))"})
    prints = new_output("stream", name="stdout", text=HOSTILE)
    fails = new_output("error", ename="Error", evalue=HOSTILE, traceback=[HOSTILE])
    text, _ = page(executed(tmp_path, says, prints, fails), HOSTILE, [(HOSTILE, "up.html")])
    soup = bs4.BeautifulSoup(text, "html.parser")
    assert not soup.select("script, img, iframe, object, [onerror], [onclick]")
    assert not [a for a in soup.select("a") if a.get("href", "").startswith("javascript")]
    assert soup.text.count('alert("x")') >= 5  # in the cell's code, all three outputs and the title: as text


def test_a_drawing_takes_the_colours_of_its_page_and_keeps_its_own_in_its_file():
    plain = style.svg(drawn())
    inline = themed(plain, "a")
    assert f"var(--ink, {INK})" in inline and f"var(--regime-low, {REGIME_SHADES['low']})" in inline
    assert "var(" not in plain and HOSTILE not in inline and "$x$ &amp; &lt;b&gt;" in inline
    ids = re.findall(r' id="([^"]+)"', inline)
    assert ids and all(name.startswith("a-") for name in ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', inline)) == set(ids)


def test_frames_and_links_survive_what_makes_them_harmless():
    frame = pd.DataFrame({"<b>": [1.5]}, index=pd.Index(["a"], name="i"))
    made = bs4.BeautifulSoup(harmless(frame._repr_html_()), "html.parser")
    assert [cell.text for cell in made.select("td")] == ["1.5"]
    assert "<style" not in harmless(frame._repr_html_()) and "&lt;b&gt;" in harmless(frame._repr_html_())
    assert '<a href="inside/inside.html#x">' in harmless('<a href="inside/inside.html#x" onclick="y()">z</a>')


def test_formulas_become_mathml_and_code_and_user_strings_do_not(tmp_path):
    source = "Round $s \\cdot n$ where $a < b$:\n\n$$\\frac{r}{n}$$\n\n`$x$`"
    says = new_output("display_data", data={"text/markdown": "costs $5 and $6"})
    cells = [new_markdown_cell(source), new_code_cell("1", outputs=[says])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "some.ipynb")
    soup = bs4.BeautifulSoup(page(tmp_path / "some.ipynb", "title")[0], "html.parser")
    assert [formula["display"] for formula in soup.find_all("math")] == ["inline", "inline", "block"]
    assert soup.find("mfrac").text == "rn" and "a<b" in soup.text.replace(" ", "")
    assert soup.find("code").text == "$x$" and "costs $5 and $6" in soup.text


def test_texts_of_a_drawing_stay_what_they_are():
    figure, axes = panel()
    axes.set(title='my id="x" href="#y" fill: #333333')
    title = bs4.BeautifulSoup(themed(style.svg(figure), "a"), "html.parser").find(string=re.compile("my id"))
    assert title == 'my id="x" href="#y" fill: #333333'


def test_what_pruning_costs_worked_by_hand():
    cells = pd.DataFrame(
        [
            {"task": task, "arm": arm, "target_sparsity": s, "dev_accuracy": accuracy / 100 + 0.01 * seed, "seed": seed}
            for task in ("a", "b")
            for seed in (0, 1)
            for arm, s, accuracy in (("dense", 0.0, 90), ("pretrain", 0.5, 84), ("pretrain", 0.9, 70 + 2 * seed))
        ]
    ).assign(selected=True)
    margins = Analysis(accuracy_margin=8.0, loss_margin=1.0)
    accuracy = accuracy_means(cells)
    found = Evidence(cells, pd.DataFrame(), accuracy, None, margins)
    study = Replay(study="x", table={"cells": "x.csv", "origin": "made up"}, analysis=margins)
    one = {"x": comparison.Compared(study, found, find(accuracy, None, margins))}
    costs = comparison.costs(one).set_index("sparsity")
    assert list(costs.cost) == pytest.approx([6.0, 19.0]) and (costs.low < costs.cost).all()
    row = comparison.borders(one).loc["x"]
    assert (row.tasks, row.seeds, row["margin (points)"]) == (2, 2, 8.0) and row["low until"].startswith("50 %")


def test_alternative_text_says_where_lines_begin_and_end():
    table = pd.DataFrame({"one": [1.0, 2.0, np.nan], "two": [np.nan] * 3}, index=pd.Index([0, 30, 50], name="sparsity"))
    assert style.lines("Points", table) == "Points, by sparsity. one: 1.0 at 0, 2.0 at 30."


def test_negative_numbers_have_a_minus_sign_and_hyphens_stay():
    assert (
        minus("-1.2 points, [-5.0 to +2.3]; pre-training, a-1, 0-4 %")
        == "−1.2 points, [−5.0 to +2.3]; pre-training, a-1, 0-4 %"
    )


def test_a_caption_says_what_a_point_is():
    one = pd.DataFrame({"task": ["a_b"], "arm": ["pretrain"], "seed": [0], "dev_examples": [2000]})
    assert captions.caption(one, "train_loss") == f"*Task {markdown('a_b')}; one run per point.*"
    assert "(2,000 dev examples)" in captions.caption(one, "dev_accuracy")
    two = pd.concat([one, one.assign(task="c", seed=1)])
    assert captions.caption(two, "train_loss", shaded=True).startswith(
        f"*Means over {markdown('a_b')}, c; seeds 0, 1: "
    )
    assert "half-way" in captions.caption(two, "train_loss", shaded=True)


def test_after_fine_tuning_masks_are_compared_with_those_before_it():
    """Paper Fig. 3, right: the line starts at 0, and is not the difference from the gradual masks."""
    first = pd.DataFrame({"task": "a", "seed": 0, "learning_rate": 1e-3, "epochs": [0, 1], "dev_accuracy": [0.7, 0.8]})
    first = first.assign(difference=[0.02, 0.05], difference_fine_tuning_alone=[0.0, 0.04])
    right = plots_prunability.fine_tune_first(first).figure.axes[1]
    assert list(right.lines[0].get_ydata()) == pytest.approx([0, 4]) and right.get_ylim()[0] == 0


def test_params_differ_where_they_differ():
    demo, smoke = (load_study(paths.PARAMS / f"{name}.yaml") for name in ("demo", "smoke"))
    table = differing({"demo": demo, "smoke": smoke})
    assert list(table.loc["pretraining.steps"]) == ["120", "12"] and "pretraining.weight_decay" not in table.index
    assert table.loc["tasks", "smoke"] == "acceptability train 96 dev 64, sentiment train 96 dev 64"
    paper = differing({"paper": load_study(paths.PARAMS / "paper.yaml"), "demo": demo})
    assert list(paper.loc["model.hidden_size"]) == [ABSENT, "64"] and differing({"a": demo, "b": demo}).empty
    assert paper.loc["finetuning.epochs.downstream", "paper"] == "5; 7 from 80 %"
    sections = [key.split(".")[0] for key in paper.index]
    assert sections == sorted(sections, key=sections.index)  # a section's keys stand together


def test_of_two_writers_of_one_folder_each_leaves_a_whole_one(tmp_path):
    def write(name):
        for _ in range(30):
            with whole_folder(tmp_path / "report") as folder:
                for part in ("a", "b"):
                    (folder / part).write_text(name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "xy"))
    assert len({path.read_text() for path in (tmp_path / "report").iterdir()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_report_leads_with_findings_and_the_details_end_with_how_they_were_made(finished):
    soup = bs4.BeautifulSoup((finished / "reports/smoke/index.html").read_text(), "html.parser")
    headings = [h.text.removesuffix("¶") for h in soup.select("h2")]
    assert headings[:3] == ["What was found", "Why accuracy falls: deleted or fixed", "The claims"]
    assert headings[-1] == "The notebooks behind it"
    soup = bs4.BeautifulSoup((finished / "reports/smoke/details.html").read_text(), "html.parser")
    made = soup.text[soup.text.index("How it was made") :]
    assert all(word in made for word in ("pretraining.steps", "transformers", "commit", "fine-tuning", "core-hours"))


@pytest.fixture(scope="module")
def axe():
    """axe-core, a checker of accessibility, as npm installs it."""
    import os

    folder = os.environ.get("AXE_CORE", paths.ROOT / ".venv/axe/node_modules/axe-core")
    program = paths.Path(folder) / "axe.min.js"
    if not program.exists():
        assert not os.environ.get("BROWSER_REQUIRED"), "BROWSER_REQUIRED is set, and there is no axe-core"
        pytest.skip("no axe-core here (npm install --no-save --prefix .venv/axe axe-core@4)")
    return program.read_text()


def opened(browser, path, **options):
    """A page of the report with the network cut, and what it asked for and complained of."""
    context = browser.new_context(offline=True, **options)
    said, asked = [], []
    tab = context.new_page()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    return tab, said, asked


def pages_of(finished):
    folder = finished / "reports/smoke"
    return [folder / "index.html", folder / "inside/inside.html"]


def test_every_page_opens_without_a_network(browser, finished):
    every = sorted((finished / "reports/smoke").rglob("*.html"))
    assert len(every) == 9
    for path in every:
        tab, said, asked = opened(browser, path)
        assert asked == [path.as_uri()] and said == [], path
        assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)")
        assert tab.evaluate("document.querySelectorAll('script').length") == 0
        links = tab.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
        for link in (link for link in links if not link.startswith("https://")):
            place, _, anchor = link.partition("#")
            target = path.parent / unquote(place) if place else path
            assert target.exists(), (path, link)
            assert not anchor or f'id="{anchor}"' in target.read_text(), (path, link)
        tab.context.close()
    assert sum(path.stat().st_size for path in (finished / "reports/smoke").rglob("*") if path.is_file()) < 15e6


@pytest.mark.parametrize("scheme, width", [("light", 1200), ("dark", 390)])
def test_pages_are_accessible_and_fit(browser, axe, finished, scheme, width):
    for path in pages_of(finished):
        tab, _, _ = opened(browser, path, color_scheme=scheme, viewport={"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        tab.check("#show-code")
        tab.evaluate(axe)
        found = tab.evaluate("axe.run()")["violations"]
        serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        assert not serious, [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in serious]
        tab.context.close()


def test_code_is_shown_on_demand_and_follows_the_theme(browser, finished):
    for scheme, bright in (("light", True), ("dark", False)):
        tab, _, _ = opened(browser, finished / "reports/smoke/index.html", color_scheme=scheme)
        assert not tab.locator(".code").first.is_visible()
        tab.check("#show-code")
        assert tab.locator(".code").first.is_visible()
        paper, ink = tab.evaluate(
            "(() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color] })()"
        )
        light = [sum(map(int, re.findall(r"\d+", colour)[:3])) > 384 for colour in (paper, ink)]
        assert light == [bright, not bright]
        tab.context.close()


def test_printing_gives_a_document(browser, finished):
    tab, _, _ = opened(browser, finished / "reports/smoke/index.html", color_scheme="dark")
    assert tab.pdf().startswith(b"%PDF")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.context.close()


def test_table_one_has_no_nan_and_no_loss_of_other_tasks_than_its_accuracy():
    cells = pd.DataFrame(
        [
            ("dense", 0.0, "a", 0.9, 0.1),
            ("dense", 0.0, "b", 0.7, np.nan),  # the table states no train loss of b
            ("pretrain", 0.9, "a", 0.8, 0.2),
            ("pretrain", 0.9, "b", np.nan, np.nan),
        ],
        columns=["arm", "target_sparsity", "task", "dev_accuracy", "train_loss"],
    ).assign(selected=True, seed=0, learning_rate=1e-3)
    table = tables.table_one(cells)
    assert table.loc[("dense", 0.0)].tolist() == ["90.0\u00a0|\u00a00.10", "70.0", "80.0"]
    assert table.loc[("pretrain", 0.9)].tolist() == ["80.0\u00a0|\u00a00.20", "", ""]


def test_arms_named_by_numbers_keep_their_names_in_a_frame(empty):
    frame = pd.DataFrame({"arm": ["1", "dense"], "of": [None, "1"], "seed": [0, 0]})
    study = load_study(paths.PARAMS / "published.yaml")
    read = read_csv(write_csv(frame, study, "cells.csv"))
    assert read.arm.tolist() == ["1", "dense"] and read.of.tolist()[1] == "1"
