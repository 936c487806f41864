"""The explorer's numbers against independent ones, what it says where there is nothing, and strings that mean harm."""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import ipywidgets
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from bs4 import BeautifulSoup
from hostile import NAME
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoTokenizer, BertConfig, BertForPreTraining

from prune_utils import (
    blanks,
    cuts,
    explorer,
    how_far,
    paths,
    plots_explorer,
    regimes,
    stored,
    widgets_blanks,
    widgets_how_far,
    widgets_inside,
    widgets_regimes,
    widgets_weights,
)
from prune_utils.checkpoints import MASKS, load_masks
from prune_utils.criteria import over_all, per_matrix
from prune_utils.heads import head_shares
from prune_utils.matrices import prunable_matrices
from prune_utils.section import ParamsError
from prune_utils.uncertainty import accuracy_draws

HARM = "<script>alert(1)</script>"


@pytest.fixture
def here(finished, monkeypatch):
    """The tiny study, opened; its files are only read."""
    monkeypatch.setattr(paths, "OUT", finished)
    return explorer.opened()


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    return tmp_path


def table_study(out, rows, name="table", origin="made by hand"):
    """Results of a table, analysed: rows of arm, sparsity, task, seed, dev_accuracy."""
    folder = out / "results" / name
    folder.mkdir(parents=True)
    cells = folder / "table of résultats.csv"
    pd.DataFrame(rows, columns=["arm", "sparsity", "task", "seed", "dev_accuracy"]).to_csv(cells, index=False)
    margins = {"accuracy_margin": 1.0, "loss_margin": 0.1}
    content = {"study": name, "table": {"cells": str(cells), "origin": origin}, "analysis": margins}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    (folder / "regimes.json").write_text("{}")
    return folder


def by_hand(tasks):
    """Three seeds; `tasks`: by name, accuracy lost at 30, 60 and 90 %, in points, from 80 and a little by seed."""
    shift = {0: -0.5, 1: 0.0, 2: 0.5}
    return [
        (arm, sparsity, task, seed, (80 - lost + shift[seed]) / 100)
        for task, (a, b, c) in tasks.items()
        for seed in shift
        for arm, sparsity, lost in [("dense", 0, 0), ("pretrain", 0.3, a), ("pretrain", 0.6, b), ("pretrain", 0.9, c)]
    ]


def texts(widget):
    """All HTML that a view shows, its widgets' too."""
    if widget is None:
        return ""
    if isinstance(widget, ipywidgets.Box):
        return "".join(map(texts, widget.children))
    if isinstance(widget, ipywidgets.Output):
        return "".join(output["data"].get("text/html", "") for output in widget.outputs)
    if isinstance(widget, ipywidgets.HTML):
        return widget.value
    if isinstance(widget, ipywidgets.Widget):
        assert not getattr(widget, "description_allow_html", False)
        return ""
    return widget.data


def rows_of(page):
    """The first table of a page as a frame of text: its first column the index."""
    cells = [
        [cell.text for cell in row.find_all(["th", "td"])] for row in BeautifulSoup(page, "html.parser").table("tr")
    ]
    return pd.DataFrame([row[1:] for row in cells[1:]], index=[row[0] for row in cells[1:]], columns=cells[0][1:])


def control(widget, description):
    """The control of a view that is described so."""
    for child in getattr(widget, "children", ()):
        if getattr(child, "description", None) == description:
            return child
        if (found := control(child, description)) is not None:
            return found
    return None


EVERY = [
    widgets_regimes.figure,
    widgets_regimes.toggles,
    widgets_regimes.cells,
    widgets_how_far.costs_table,
    widgets_how_far.sliders,
    widgets_weights.figure,
    widgets_weights.slider,
    widgets_inside.heads,
    widgets_inside.slider,
    widgets_blanks.answered,
    widgets_blanks.asked,
]


# what is opened


def test_without_a_study_one_sentence_says_what_to_run_and_all_else_is_silent(empty):
    opened = explorer.opened()
    assert opened is None
    said = explorer.opening(opened).data
    assert "make demo" in said and re.sub("<.*?>", "", said).count(".") <= 2
    assert all(view(opened) is None for view in EVERY)


def test_the_study_made_last_is_opened_and_tables_only_where_nothing_was_trained(finished, empty):
    older, newer = (empty / "results" / name for name in ("older", "newer"))
    for folder in (older, newer):
        shutil.copytree(finished / "results/small", folder)
        content = yaml.safe_load((folder / "params.yaml").read_text()) | {"study": folder.name}
        (folder / "params.yaml").write_text(yaml.safe_dump(content))
    table_study(empty, by_hand({"a": (1, 2, 3)}))
    (empty / "results/other").mkdir()
    (empty / "results/other/regimes.json").write_text("{}")
    (empty / "results/other/params.yaml").write_text("not: a study")
    for age, folder in enumerate((newer, older, empty / "results/table")):
        os.utime(folder / "regimes.json", (2e9 - age, 2e9 - age))
    os.utime(empty / "results/table/regimes.json", (3e9, 3e9))
    assert explorer.finished() == ["newer", "older", "table"]
    assert explorer.opened().study.study == "newer" and explorer.opened("table").study.study == "table"
    # a study that grew is not finished; it can be named, and says so
    next((newer / "finetune").rglob("result.json")).unlink()
    assert explorer.finished() == ["older", "table"]
    assert "not finished: 1 cells are missing" in explorer.opening(explorer.opened("newer")).data


@pytest.mark.parametrize("name", ["nosuch", "../results/small", HARM])
def test_a_name_without_results_is_refused(finished, monkeypatch, name):
    monkeypatch.setattr(paths, "OUT", finished)
    with pytest.raises(ParamsError, match="allowed, for they have results: small"):
        explorer.opened(name)


def test_the_address_of_the_app_may_name_a_study(finished, empty, monkeypatch):
    table_study(empty, by_hand({"a": (1, 2, 3)}), "one")
    table_study(empty, by_hand({"a": (1, 2, 3)}), "two")
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    for name, other in (("one", "two"), ("two", "one")):
        monkeypatch.setenv("QUERY_STRING", f"study={name}")
        opened = explorer.opened()
        assert opened.study.study == name and f'<a href="?study={other}">' in explorer.opening(opened).data
    monkeypatch.setenv("QUERY_STRING", "study=../one")
    assert explorer.opened().study.study in ("one", "two")


def test_a_table_shows_its_regimes_and_costs_and_says_that_it_has_no_models(empty):
    table_study(empty, by_hand({"a": (1, 2, 3)}))
    opened = explorer.opened()
    assert "79.0" in texts(widgets_regimes.toggles(opened)) and "60 %" in texts(widgets_how_far.costs_table(opened))
    for view in EVERY[5:]:
        assert "no models to look into" in texts(view(opened))


def test_a_study_without_cells_says_so(finished, empty):
    (empty / "results/small").mkdir(parents=True)
    shutil.copy(finished / "results/small/params.yaml", empty / "results/small/params.yaml")
    opened = explorer.opened("small")
    assert "not finished: 6 cells" in explorer.opening(opened).data
    assert "no finished cell yet" in texts(widgets_regimes.figure(opened))
    assert "is not in" in texts(widgets_weights.slider(opened))
    assert "No pre-trained model" in texts(widgets_blanks.asked(opened))


def test_strings_that_mean_harm_are_shown_as_text(empty):
    table_study(empty, by_hand({HARM: (1, 2, 3), "<b>$b$</b>": (0, 0, 0)}), origin=HARM)
    opened = explorer.opened()
    shown = explorer.opening(opened).data + "".join(texts(view(opened)) for view in EVERY)
    shown = re.sub("<img [^>]*>", "", shown)
    assert "&lt;script&gt;" in shown and "<script" not in shown and "<b><span>" not in shown
    assert "$b$" not in shown and "<span>$</span>b<span>$</span>" in shown  # no formula either
    assert control(widgets_how_far.sliders(opened), f"{HARM} may lose") is not None
    frame = pd.DataFrame({HARM: [HARM]}, index=[HARM])
    assert "<script" not in explorer.table(frame, HARM) and explorer.table(frame, HARM).count("&lt;script") == 4


def test_the_first_sections_need_no_transformers(finished):
    """Which takes seconds to import: they are shown before it is."""
    code = [c.source for c in nbformat.read(paths.EXPLORER_NOTEBOOK, 4).cells if c.cell_type == "code"]
    before = code[: next(i for i, source in enumerate(code) if "widgets_blanks" in source)]
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


# regimes


def test_toggled_tasks_have_means_draws_and_regimes_of_their_own(empty):
    table_study(empty, by_hand({"calm": (0, 0, 0.5), "frail": (0, 4, 9)}))
    opened = explorer.opened()
    cells = opened.evidence.cells
    for tasks in (["calm"], ["frail"], ["calm", "frail"]):
        some, borders = widgets_regimes.chosen(opened, tasks, ["pretrain"])
        ours = cells[cells.task.isin(tasks)]
        assert some.accuracy.point["pretrain", 0.9] == pytest.approx(
            ours[(ours.arm == "pretrain") & (ours.target_sparsity == 0.9)].dev_accuracy.mean()
        )
        assert set(some.cells.arm) == {"pretrain"} and ("dense", 0.0) not in some.accuracy.point.index
        assert borders == regimes.find(accuracy_draws(ours), None, opened.study.analysis)
        pd.testing.assert_frame_equal(some.accuracy.drawn, accuracy_draws(ours).drawn[some.accuracy.point.index])
    assert widgets_regimes.chosen(opened, ["calm"], ["pretrain"])[1].low_until == 0.9
    assert widgets_regimes.chosen(opened, ["frail"], ["pretrain"])[1].low_until == 0.3


def test_ticking_a_task_off_changes_the_numbers_and_all_off_says_so(empty):
    table_study(empty, by_hand({"calm": (0, 0, 0), "frail": (10, 20, 30)}))
    view = widgets_regimes.toggles(explorer.opened())
    assert ">65.0 [" in texts(view)  # (80 + 50) / 2
    control(view, "frail").value = False
    assert ">80.0 [" in texts(view) and ">65.0 [" not in texts(view)
    control(view, "calm").value = False
    assert "without a task" in texts(view) and "<img" not in texts(view)


def test_behind_a_point_are_its_cells_and_their_notebook(here, finished):
    row = pd.read_csv(finished / "results/small/cells.csv").set_index(["arm", "target_sparsity"]).loc[("random", 0.9)]
    found = widgets_regimes.behind(here, "random", 0.9, NAME).iloc[0]
    for ours, theirs in {
        "accuracy": "dev_accuracy",
        "train loss": "train_loss",
        "learning rate": "learning_rate",
    }.items():
        assert found[ours] == row[theirs]
    assert (found.seed, found.seconds, found["realised sparsity"]) == (row.seed, row.seconds, row.realised_sparsity)
    assert found.notebook.is_relative_to(finished / "results/small/finetune" / paths.folder_name(NAME) / "seed-0")
    injected = next(
        c for c in nbformat.read(found.notebook, 4).cells if "injected-parameters" in c.metadata.get("tags", [])
    )
    assert json.dumps(NAME, ensure_ascii=False) in injected.source and "0.9" in injected.source
    with pytest.raises(explorer.Absent, match="no cell"):
        widgets_regimes.behind(here, "random", 0.5, NAME)


def test_the_choice_of_a_point_shows_its_numbers(here):
    view = widgets_regimes.cells(here)
    control(view, "Arm").value = "dense"
    assert control(view, "Sparsity").options == (("0 %", 0.0),)
    dense = here.evidence.cells.set_index("arm").loc["dense"]
    assert f"{100 * dense.dev_accuracy:.2f} %" in texts(view) and "sparsity-00-to-90.ipynb" in texts(view)


def test_links_are_relative_quoted_and_only_where_they_can_be_opened(tmp_path, monkeypatch):
    inside = tmp_path / "results" / "ma tâche" / f"{HARM.replace('/', '')}.ipynb"
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    page = widgets_regimes.links(pd.Series([inside, inside, None]))["text/html"]
    assert page.count("<a ") == 1 and 'href="../results/ma%20t%C3%A2che/%3Cscript%3E' in page and "<script" not in page
    assert "<a " not in widgets_regimes.links(pd.Series([paths.ROOT / "x.ipynb"]))["text/html"]
    assert "No executed notebook" in widgets_regimes.links(pd.Series([None]))["text/html"]
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    assert "<a " not in widgets_regimes.links(pd.Series([inside]))["text/html"]


# how far


HAND = pd.DataFrame(
    [
        ("a", 0.3, 0.5, -0.5, 1.5),
        ("b", 0.3, 1.0, 0.5, 1.5),
        ("a", 0.6, 2.0, 1.0, 3.0),
        ("b", 0.6, 3.0, 2.0, 4.0),
        ("a", 0.9, 1.0, 0.0, 2.0),  # back within, but beyond one that is not
        ("b", 0.9, 1.0, 0.0, 2.0),
    ],
    columns=how_far.COSTS,
)


@pytest.mark.parametrize(
    ("allowed", "by_estimate", "surely"),
    [((2, 3), 0.9, 0.3), ((2, 2.9), 0.3, 0.3), ((0.4, 20), 0.0, 0.0), ((3, 4), 0.9, 0.9), ((1, 2), 0.3, 0.0)],
)
def test_how_far_worked_by_hand(allowed, by_estimate, surely):
    allowed = dict(zip("ab", allowed, strict=True))
    assert how_far.farthest(HAND, allowed) == by_estimate
    assert how_far.farthest(HAND, allowed, "high") == surely


def test_a_task_without_a_cell_or_an_interval_is_not_known_to_be_within():
    holes = HAND[(HAND.task != "b") | (HAND.sparsity != 0.6)]
    assert how_far.farthest(holes, {"a": 20, "b": 20}) == 0.3
    assert how_far.farthest(HAND.assign(high=np.nan), {"a": 20, "b": 20}, "high") == 0.0


@given(
    st.lists(st.tuples(st.floats(-5, 20), st.floats(-5, 20)), min_size=1, max_size=6),
    st.floats(0, 20),
    st.floats(0, 20),
)
def test_how_far_is_the_end_of_the_run_of_fitting_sparsities(lost, a, b):
    rows = [(t, (i + 1) / 10, cost, 0, 0) for i, pair in enumerate(lost) for t, cost in zip("ab", pair, strict=True)]
    fits = [x <= a + 1e-7 and y <= b + 1e-7 for x, y in lost]
    last = fits.index(False) if False in fits else len(fits)
    assert how_far.farthest(pd.DataFrame(rows, columns=how_far.COSTS), {"a": a, "b": b}) == pytest.approx(last / 10)


def test_costs_are_those_of_each_task_from_the_dense_model(empty):
    table_study(empty, by_hand({"calm": (-1, 0, 0.5), "frail": (1, 4, 9)}))
    opened = explorer.opened()
    frame = widgets_how_far.costs(opened, "pretrain").set_index(["task", "sparsity"])
    assert frame.cost.to_dict() == pytest.approx(
        {
            ("calm", 0.3): -1,
            ("calm", 0.6): 0,
            ("calm", 0.9): 0.5,
            ("frail", 0.3): 1,
            ("frail", 0.6): 4,
            ("frail", 0.9): 9,
        }
    )
    # all seeds shift alike, so that nothing is left over for the interval
    assert frame.low.to_numpy() == pytest.approx(frame.cost.to_numpy()) == frame.high.to_numpy()
    answer = widgets_how_far.answer(opened, "pretrain", {"calm": 0, "frail": 4})
    assert answer.count("<b>Up to 60 %</b>") == 2 and "medium regime" in answer
    assert "0.5 [0.5 to 0.5]" in answer and "not measured" in answer
    view = widgets_how_far.sliders(opened)
    control(view, "frail may lose").value = 0.5
    assert "Only unpruned" in texts(view)


def test_intervals_of_costs_are_quantiles_of_the_tasks_own_draws(empty):
    random = np.random.default_rng(0)
    rows = [
        (arm, s, task, seed, 0.7 + 0.05 * random.standard_normal())
        for arm, s in [("dense", 0), ("pretrain", 0.3), ("pretrain", 0.6)]
        for task in ("a", "b")
        for seed in range(4)
    ]
    table_study(empty, rows)
    opened = explorer.opened()
    row = widgets_how_far.costs(opened, "pretrain").set_index(["task", "sparsity"]).loc[("b", 0.6)]
    cells = opened.evidence.cells
    drawn = accuracy_draws(cells[cells.task == "b"]).drawn
    ends = np.quantile(100 * (drawn["dense", 0.0] - drawn["pretrain", 0.6]), [0.025, 0.975])
    assert [row.low, row.high] == pytest.approx(ends) and row.low < row.cost < row.high


def test_one_seed_tells_no_interval_and_bytes_are_told_where_they_were_measured(finished, empty):
    shutil.copytree(finished / "results/small", empty / "results/small")
    sizes = pd.DataFrame(
        {"seed": 0, "sparsity": [0.0, 0.9], "dense_bytes": 4_000_000, "sparse_bytes": [4_000_000, 1e6]}
    )
    sizes.to_csv(empty / "results/small/inside/sizes.csv", index=False)
    opened = explorer.opened()
    assert "One seed tells no interval" in widgets_how_far.answer(opened, "pretrain", {NAME: 20.0})
    assert "4.00 MB, and stored sparse 1.00 MB (25%)" in widgets_how_far.answer(opened, "pretrain", {NAME: 100.0})
    assert rows_of(widgets_how_far.costs_table(opened).data)["sparse, MB"].to_dict() == {"90 %": "1.00"}
    assert "not measured" in widgets_how_far.answer(opened, "random", {NAME: 100.0})


# weights


def matrices(draw):
    shapes = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4))
    values = st.integers(-3, 3)  # many ties, and zeros of both signs
    made = {}
    for place, (rows, columns) in enumerate(shapes):
        flat = draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
        made[f"m{place}"] = -torch.tensor(flat, dtype=torch.float32).view(rows, columns) / 7
    return made


@given(st.data(), st.integers(0, 99))
def test_cuts_are_those_of_the_criteria(data, whole):
    ours, sparsity = matrices(data.draw), whole / 100
    own, overall = per_matrix(ours, sparsity, 1), over_all(ours, sparsity, 1)
    made = cuts.Cuts(ours)
    for name, matrix in ours.items():
        assert torch.equal(made.own(name, sparsity).mask, own[name])
        assert torch.equal(made.overall(name, sparsity).mask, overall[name])
        for cut, every in (
            (made.own(name, sparsity), matrix),
            (made.overall(name, sparsity), torch.cat([m.flatten() for m in ours.values()])),
        ):
            count = round(sparsity * every.numel())
            assert cut.threshold == (np.sort(np.abs(every.numpy().ravel()))[count - 1] if count else None)
            assert cut.pruned + cut.kept == matrix.numel()
        counts, edges = made.histogram(name, 7)
        assert counts.sum() == matrix.numel() and len(edges) == 8
        assert counts.tolist() == np.histogram(matrix.abs().numpy(), edges)[0].tolist()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 9))
def test_blocks_of_a_mask_hold_its_pruned_weights(rows, columns, most, seed):
    mask = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    shares = cuts.blocks(mask, most)
    assert shares.shape == (min(rows, most), min(columns, most)) and ((shares >= 0) & (shares <= 1)).all()
    edges = [np.linspace(0, n, min(n, most) + 1).astype(int) for n in (rows, columns)]
    areas = np.outer(*map(np.diff, edges))
    assert (shares * areas).sum() == pytest.approx(int((~mask).sum()))
    if max(rows, columns) <= most:
        assert np.array_equal(shares, (~mask).numpy())


def test_heads_of_a_matrix_are_rows_or_columns():
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[:2, :3] = False
    assert cuts.head_shares("encoder.layer.0.attention.self.key.weight", mask, 2).to_dict() == {1: 0.5, 2: 0.0}
    assert cuts.head_shares("encoder.layer.0.attention.output.dense.weight", mask, 2).to_dict() == {1: 0.5, 2: 0.0}
    assert cuts.head_shares("encoder.layer.0.attention.output.dense.weight", mask, 3).to_dict() == {
        1: 0.5,
        2: 0.25,
        3: 0,
    }
    assert cuts.head_shares("pooler.dense.weight", mask, 2) is None


def test_shares_of_matrices_average_to_those_of_whole_heads(here):
    made = widgets_weights.cuts_of(here)
    masks = {name: made.own(name, 0.5).mask for name in made.matrices}
    parts = [
        cuts.head_shares(
            f"encoder.layer.1.attention.{part}.weight", masks[f"encoder.layer.1.attention.{part}.weight"], 2
        )
        for part in ("self.query", "self.key", "self.value", "output.dense")
    ]
    whole = head_shares(masks, 2)
    assert sum(parts).div(4).tolist() == pytest.approx(whole[whole.layer == 2].pruned_share.tolist())


def test_stored_matrices_are_the_models_in_its_order(here):
    folder = here.checkpoint(0.9, 0)
    theirs = prunable_matrices(BertForPreTraining.from_pretrained(folder))
    ours = stored.matrices(folder)
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert stored.words(folder) == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))


def test_layers_are_in_the_order_of_their_numbers():
    shape = {"hidden_size": 4, "num_attention_heads": 1, "intermediate_size": 4, "vocab_size": 9}
    names = list(prunable_matrices(BertForPreTraining(BertConfig(num_hidden_layers=12, **shape))))
    assert stored.in_order(sorted(names)) == names and len(names) == 74


def test_the_slider_of_weights_shows_the_counts_of_the_file(here, finished):
    view = widgets_weights.slider(here)
    with safe_open(here.checkpoint(0.0, 0) / "model.safetensors", framework="numpy") as file:
        key = np.abs(file.get_tensor("bert.encoder.layer.1.attention.self.key.weight")).ravel()
    control(view, "Matrix").value = "encoder.layer.1.attention.self.key.weight"
    control(view, "Sparsity (%)").value = 37
    pruned = round(0.37 * key.size)
    shown = rows_of(texts(view))[widgets_weights.WAYS[0]]
    assert shown["pruned"] == str(pruned) and shown["kept"] == str(key.size - pruned)
    assert float(shown["cut at magnitude"]) == pytest.approx(np.sort(key)[pruned - 1], rel=1e-5)
    assert texts(view).count("<img") == 1 and "head 2" in texts(view)
    control(view, "Sparsity (%)").value = 0
    assert ">none<" in texts(view)


def test_the_drawn_histogram_is_shaded_up_to_the_cut():
    made = cuts.Cuts({"m": torch.arange(100.0).view(10, 10)})
    figure = plots_explorer.cut(made, "m", {"own": made.own("m", 0.25)})
    kept, pruned = figure.axes[0].patches
    assert pruned.get_data().edges[-1] == 24 and kept.get_data().values.sum() == 100


# inside


def test_pruned_words_go_and_the_others_stay_where_they_were(here):
    before, after = widgets_inside.magnitudes(here, 0.0), widgets_inside.magnitudes(here, 0.9)
    assert list(before.index) == list(after.index) and before.mean(axis=1).is_monotonic_increasing
    mask = load_masks(here.checkpoint(0.9, 0) / MASKS)[stored.WORDS]
    words = stored.words(here.checkpoint(0.9, 0))
    kept = mask[[words.index(word) for word in after.index]].numpy()
    assert (after.to_numpy()[~kept] == 0).all() and (after.to_numpy() > 0).sum() <= kept.sum()


def test_what_was_not_measured_inside_is_a_sentence_and_the_rest_is_shown(finished, empty):
    shutil.copytree(finished / "results/small", empty / "results/small")
    (empty / "results/small/inside/heads.csv").unlink()
    opened = explorer.opened()
    assert "Not measured" in texts(widgets_inside.heads(opened))
    view = widgets_inside.slider(opened)
    assert "Not measured" in texts(view) and texts(view).count("<img") == 2
    control(view, "Sparsity").value = 0.0
    assert "Cosine of the features with those of the 0 % run, 0 %" in texts(view)


# the blank


@pytest.fixture
def models(here):
    return blanks.Models(here, 0)


def test_a_blank_is_filled_as_transformers_fills_it(models, here):
    ours = models.probabilities("a poodle is a [MASK] .")
    assert list(ours) == [0.0, 0.9]
    for sparsity in ours:
        folder = here.checkpoint(sparsity, 0)
        tokenizer, model = AutoTokenizer.from_pretrained(folder), BertForPreTraining.from_pretrained(folder).eval()
        encoded = tokenizer("a poodle is a [MASK] .", return_tensors="pt")
        with torch.no_grad():
            logits = model(**encoded).prediction_logits[0, 5]  # [CLS] a poodle is a [MASK]
        assert ours[sparsity].to_numpy() == pytest.approx(torch.softmax(logits, -1).numpy(), abs=1e-6)
        best = tokenizer.convert_ids_to_tokens(logits.topk(3).indices.tolist())
        assert [text.split()[0] for text in blanks.answers(ours, 3)[explorer.percent(sparsity)]] == best
    pd.testing.assert_frame_equal(ours, models.probabilities("A Poodle is a ___."))


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("a poodle is a dog .", "has no blanks"),
        ("", "has no blanks"),
        ("a ___ is a [MASK] .", "has 2 blanks"),
        ("___ " + "dog " * 40, "has 43 tokens; these models read at most 32"),
    ],
)
def test_a_sentence_that_cannot_be_asked_is_told_why(models, sentence, said):
    with pytest.raises(explorer.Absent, match=said):
        models.probabilities(sentence)


def test_unknown_words_are_named_and_answers_are_text(here):
    view = widgets_blanks.asked(here)
    control(view, "Sentence").value = f"a {HARM} zebra zebra is a ___ ."
    assert "zebra" in texts(view).split("</p>")[0] and texts(view).split("</p>")[0].count("zebra") == 1
    assert "<script" not in texts(view) and "<table" in texts(view)
    control(view, "Sentence").value = HARM
    assert "no blanks" in texts(view) and "<script" not in texts(view)
    control(view, "Sentence").value = "a poodle is a ___ ."
    control(view, "Words").value = 3
    assert "Not in the vocabulary" not in texts(view) and len(rows_of(texts(view))) == 3
    strange = pd.DataFrame({0.0: [0.6, 0.4]}, index=[HARM, "_"])
    assert "<script" not in explorer.table(blanks.answers(strange, 5)) and plots_explorer.fading(strange, 5)


def test_the_first_sentence_has_one_blank_and_only_known_words(models, here):
    sentence = blanks.suggestion(here, models.tokenizer)
    assert sentence == "a poodle is a ___ ." and models.unknown(sentence) == []


def test_a_held_out_sentence_is_made_whole_and_its_longest_word_blanked(models):
    tokenizer = models.tokenizer
    ids = tokenizer("the musicians never repair a car .", "the dog barks .")["input_ids"]
    labels = [-100] * len(ids)
    labels[2], ids[2] = ids[2], tokenizer.mask_token_id
    assert blanks._blanked({"input_ids": ids, "labels": labels}, tokenizer) == "the ___ never repair a car ."
    short = tokenizer("a dog .", "the dog barks .")["input_ids"]
    assert blanks._blanked({"input_ids": short, "labels": [-100] * len(short)}, tokenizer) is None
    other = SimpleNamespace(  # wordpieces are put together again, and are no blank
        sep_token_id=9,
        unk_token="[UNK]",
        convert_ids_to_tokens=lambda _: ["un", "##believably", "calm", "we", "sat", "."],
    )
    assert blanks._blanked({"input_ids": [8, 1, 9], "labels": [-100] * 3}, other) == "unbelievably ___ we sat ."


def test_the_held_out_text_of_a_study_gives_a_sentence(here, models, monkeypatch):
    real = SimpleNamespace(corpus=SimpleNamespace(source="local"))
    monkeypatch.setattr(explorer.Opened, "trained", lambda self: real)
    sentence = blanks.suggestion(here, models.tokenizer)
    assert sentence == blanks.suggestion(here, models.tokenizer) and models.unknown(sentence) == []
    assert sentence.count("___") == 1 and "[MASK]" not in sentence


def test_small_models_are_kept_and_large_ones_are_not(models, monkeypatch):
    models.probabilities("a ___ .")
    assert len(models.kept) == 2
    monkeypatch.setattr(blanks, "HELD", 1000)
    models.kept.clear()
    models.probabilities("a ___ .")
    assert not models.kept


def test_the_notebook_has_a_title_for_the_app():
    assert json.loads(paths.EXPLORER_NOTEBOOK.read_text())["metadata"]["title"]
