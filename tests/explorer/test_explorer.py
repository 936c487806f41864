"""Which study the explorer opens, what it says where there is nothing, strings that mean harm; regimes and cells."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
import yaml
from views import HARM, by_hand, control, rows_of, table_study, texts

from prune_utils.analysis import regimes
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.explorer import controls, studies, view_blanks, view_how_far, view_inside, view_regimes, view_weights
from prune_utils.study import paths
from prune_utils.study.section import ParamsError

EVERY = [
    view_regimes.figure,
    view_regimes.toggles,
    view_regimes.cells,
    view_how_far.costs_table,
    view_how_far.sliders,
    view_weights.figure,
    view_weights.slider,
    view_inside.heads,
    view_inside.slider,
    view_blanks.answered,
    view_blanks.asked,
]


def test_without_a_study_one_sentence_says_what_to_run_and_all_else_is_silent(empty):
    opened = studies.opened()
    assert opened is None
    said = studies.opening(opened).data
    assert "make demo" in said and re.sub("<.*?>", "", said).count(".") <= 2
    assert all(view(opened) is None for view in EVERY)


def test_the_study_made_last_is_opened_and_tables_only_where_nothing_was_trained(finished, empty):
    older, newer = (empty / "results" / name for name in ("older", "newer"))
    for folder in (older, newer):
        shutil.copytree(finished / "results/smoke", folder)
        content = yaml.safe_load((folder / "params.yaml").read_text()) | {"study": folder.name}
        (folder / "params.yaml").write_text(yaml.safe_dump(content))
    table_study(empty, by_hand({"a": (1, 2, 3)}))
    (empty / "results/other").mkdir()
    (empty / "results/other/regimes.json").write_text("{}")
    (empty / "results/other/params.yaml").write_text("not: a study")
    for age, folder in enumerate((newer, older, empty / "results/table")):
        os.utime(folder / "regimes.json", (2e9 - age, 2e9 - age))
    os.utime(empty / "results/table/regimes.json", (3e9, 3e9))
    assert studies.finished() == ["newer", "older", "table"]
    assert studies.opened().study.study == "newer" and studies.opened("table").study.study == "table"
    # a study that grew is not finished; it can be named, and says so
    next((newer / "finetune").rglob("result.json")).unlink()
    assert studies.finished() == ["older", "table"]
    assert "not finished: 1 cells are missing" in studies.opening(studies.opened("newer")).data


def test_a_copied_folder_is_not_the_study_twice(empty):
    folder = table_study(empty, by_hand({"a": (1, 2, 3)}))
    shutil.copytree(folder, folder.with_name("copy"))
    assert studies.finished() == ["table"]
    assert "only finished study" in studies.opening(studies.opened()).data
    with pytest.raises(ParamsError, match="study is 'table'; allowed is its folder's name, 'copy'"):
        studies.opened("copy")


@pytest.mark.parametrize("name", ["nosuch", "../results/smoke", HARM])
def test_a_name_without_results_is_refused(finished, monkeypatch, name):
    monkeypatch.setattr(paths, "OUT", finished)
    with pytest.raises(ParamsError, match="studies with results: smoke"):
        studies.opened(name)


def test_the_address_of_the_app_may_name_a_study(finished, empty, monkeypatch):
    table_study(empty, by_hand({"a": (1, 2, 3)}), "one")
    table_study(empty, by_hand({"a": (1, 2, 3)}), "two")
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    for name, other in (("one", "two"), ("two", "one")):
        monkeypatch.setenv("QUERY_STRING", f"study={name}")
        opened = studies.opened()
        assert opened.study.study == name and f'<a href="?study={other}">' in studies.opening(opened).data
    monkeypatch.setenv("QUERY_STRING", "study=../<one>")
    opened = studies.opened()
    assert opened.study.study in ("one", "two")
    assert "There is no finished study “../&lt;one&gt;” here." in studies.opening(opened).data


def test_a_table_shows_its_regimes_and_costs_and_says_that_it_has_no_models(empty):
    table_study(empty, by_hand({"a": (1, 2, 3)}))
    opened = studies.opened()
    assert "79.0" in texts(view_regimes.toggles(opened)) and "60 %" in texts(view_how_far.costs_table(opened))
    for view in EVERY[5:]:
        assert "no models to look into" in texts(view(opened))


def test_a_study_without_cells_says_so(finished, empty):
    (empty / "results/smoke").mkdir(parents=True)
    shutil.copy(finished / "results/smoke/params.yaml", empty / "results/smoke/params.yaml")
    opened = studies.opened("smoke")
    assert "not finished: 52 cells" in studies.opening(opened).data
    assert "no finished cell yet" in texts(view_regimes.figure(opened))
    assert "is not in" in texts(view_weights.slider(opened))
    assert "No pre-trained model" in texts(view_blanks.asked(opened))


def test_strings_that_mean_harm_are_shown_as_text(empty):
    folder = table_study(empty, by_hand({"one": (1, 2, 3), "two": (0, 0, 0)}), origin=HARM)
    cells = pd.read_csv(folder / "cells.csv").replace({"one": HARM, "two": "<b>$b$</b>"})  # as no table may name them
    cells.to_csv(folder / "cells.csv", index=False)
    opened = studies.opened()
    shown = studies.opening(opened).data + "".join(texts(view(opened)) for view in EVERY)
    shown = re.sub("<img [^>]*>", "", shown)
    assert "&lt;script&gt;" in shown and "<script" not in shown and "<b><span>" not in shown
    assert "$b$" not in shown and "<span>$</span>b<span>$</span>" in shown  # no formula either
    for name in (HARM, "<b>$b$</b>"):
        assert control(view_how_far.sliders(opened), f"{name} may lose") is not None
        assert control(view_regimes.toggles(opened), name) is not None
    frame = pd.DataFrame({HARM: [HARM]}, index=[HARM])
    assert "<script" not in controls.table(frame, HARM) and controls.table(frame, HARM).count("&lt;script") == 4


def test_the_first_sections_need_no_transformers(finished):
    """Which takes seconds to import: they are shown before it is."""
    code = [c.source for c in nbformat.read(paths.EXPLORER_NOTEBOOK, 4).cells if c.cell_type == "code"]
    before = code[: next(i for i, source in enumerate(code) if "view_blanks" in source)]
    assert len(before) >= 10
    script = "\n".join([*before, "import sys", "assert not {'transformers', 'sklearn'} & set(sys.modules)"])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PRUNE_UTILS_OUT": str(finished)},
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_notebook_has_a_title_for_the_app():
    assert json.loads(paths.EXPLORER_NOTEBOOK.read_text())["metadata"]["title"]


def test_toggled_tasks_have_means_intervals_and_regimes_of_their_own(empty):
    table_study(empty, by_hand({"calm": (0, 0, 0.5), "frail": (0, 4, 9)}))
    opened = studies.opened()
    cells = opened.evidence.cells
    for tasks in (["calm"], ["frail"], ["calm", "frail"]):
        some, borders = view_regimes.chosen(opened, tasks, ["pretrain"])
        ours = cells[cells.task.isin(tasks)]
        assert some.accuracy.point["pretrain", 0.9] == pytest.approx(
            ours[(ours.arm == "pretrain") & (ours.target_sparsity == 0.9)].dev_accuracy.mean()
        )
        assert set(some.cells.arm) == {"pretrain"} and ("dense", 0.0) not in some.accuracy.point.index
        assert borders == regimes.find(accuracy_means(ours), None, opened.study.analysis)
        pd.testing.assert_frame_equal(some.accuracy.ends(), accuracy_means(ours).ends().loc[some.accuracy.point.index])
    assert view_regimes.chosen(opened, ["calm"], ["pretrain"])[1].low_until == 0.9
    assert view_regimes.chosen(opened, ["frail"], ["pretrain"])[1].low_until == 0.3


def test_ticking_a_task_off_changes_the_numbers_and_all_off_says_so(empty):
    table_study(empty, by_hand({"calm": (0, 0, 0), "frail": (10, 20, 30)}))
    view = view_regimes.toggles(studies.opened())
    assert ">65.0 [" in texts(view)  # (80 + 50) / 2
    control(view, "frail").value = False
    assert ">80.0 [" in texts(view) and ">65.0 [" not in texts(view)
    control(view, "calm").value = False
    assert "Select at least one task" in texts(view) and "<img" not in texts(view)


def test_a_task_that_is_called_like_an_arm_is_none(empty):
    table_study(empty, by_hand({"dense": (10, 20, 30), "calm": (0, 0, 0)}))
    view = view_regimes.toggles(studies.opened())
    control(view, view_regimes.label("dense")).value = False
    rows = rows_of(texts(view).split("Tasks</b>")[1])
    assert view_regimes.label("dense") not in rows.index and rows["30 %"].str.startswith("75.0").all()
    control(view.children[3], "dense").value = False
    assert rows_of(texts(view).split("Tasks</b>")[1])["30 %"].str.startswith("80.0").all()


def test_a_table_with_arms_and_tasks_of_its_own_is_shown_in_every_view(empty):
    rows = [("dense", 0, task, 0, 0.8) for task in ("a (mcc)", "b", "c")]
    rows += [("l0 (kd)", s, task, 0, 0.7 - s / 10) for s in (0.4699, 0.4704) for task in ("a (mcc)", "b")]
    rows += [("topk", 0.4699, "c", 0, 0.6)]
    table_study(empty, rows)
    opened = studies.opened()
    assert view_regimes.arms_of(opened) == ["dense", "l0 (kd)", "topk"]
    shown = [texts(view(opened)) for view in EVERY]
    assert not any(re.search(r"\bnan\b", text) for text in shown)
    control(view := view_regimes.toggles(opened), "topk").value = False
    means = rows_of(texts(view).split("Tasks</b>")[1])
    assert list(means.index) == ["dense", "l0 (kd)"] and {"46.99 %", "47.04 %"} <= set(means.columns)
    for task in ("a (mcc)", "b"):
        control(view, task).value = False
    assert list(rows_of(texts(view).split("Tasks</b>")[1]).index) == ["dense"]  # l0 has no c
    control(point := view_regimes.cells(opened), "Arm").value = "topk"
    control(point, "Task").value = "c"
    assert ">60.00 %<" in texts(point)
    how_far = view_how_far.sliders(opened)
    assert control(how_far, "Arm").options == (("l0 (kd)", "l0 (kd)"), ("topk", "topk"))
    assert "regime" not in texts(how_far)


def test_behind_a_point_are_its_cells_and_their_notebook(here, finished):
    cells = pd.read_csv(finished / "results/smoke/cells.csv").set_index(["task", "arm", "target_sparsity"]).sort_index()
    row = cells.loc[("sentiment", "random", 0.9)].sort_values("learning_rate").iloc[0]
    found = view_regimes.behind(here, "random", 0.9, "sentiment").iloc[0]
    for ours, theirs in {
        "accuracy": "dev_accuracy",
        "train loss": "train_loss",
        "learning rate": "learning_rate",
    }.items():
        assert found[ours] == row[theirs]
    assert (found.seed, found.seconds, found["realised sparsity"]) == (row.seed, row.seconds, row.realised_sparsity)
    assert found.notebook.is_relative_to(finished / "results/smoke/finetune/sentiment/seed-0")
    injected = next(
        c for c in nbformat.read(found.notebook, 4).cells if "injected-parameters" in c.metadata.get("tags", [])
    )
    given = {}
    exec(injected.source, given)
    assert given["task"] == "sentiment" and 0.9 in given["sparsities"] and given["seeds"] == [found.seed]
    with pytest.raises(studies.Absent, match="no cell"):
        view_regimes.behind(here, "random", 0.5, "sentiment")


def test_the_choice_of_a_point_shows_its_numbers(here):
    view = view_regimes.cells(here)
    control(view, "Arm").value = "dense"
    assert control(view, "Sparsity").options == (("0 %", 0.0),)
    cells = here.evidence.cells
    dense = cells[(cells.arm == "dense") & (cells.task == here.tasks[0])].iloc[0]
    assert f"{100 * dense.dev_accuracy:.2f} %" in texts(view) and "sparsity-00-to-90.ipynb" in texts(view)


def test_links_are_relative_quoted_and_only_where_they_can_be_opened(tmp_path, monkeypatch):
    inside = tmp_path / "results" / "ma tâche" / f"{HARM.replace('/', '')}.ipynb"
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    page = view_regimes.links(pd.Series([inside, inside, None]))["text/html"]
    assert page.count("<a ") == 1 and 'href="../results/ma%20t%C3%A2che/%3Cscript%3E' in page and "<script" not in page
    assert "<a " not in view_regimes.links(pd.Series([paths.ROOT / "x.ipynb"]))["text/html"]
    assert "No executed notebook" in view_regimes.links(pd.Series([None]))["text/html"]
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    assert "<a " not in view_regimes.links(pd.Series([inside]))["text/html"]
