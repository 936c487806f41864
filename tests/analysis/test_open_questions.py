"""The rules and shares of the open questions, on cases whose answers are known."""

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune_utils.analysis import evidence as measured
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import forgotten, stopping
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.report import captions, plots_prunability
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS
from prune_utils.study.schema import Analysis
from prune_utils.training.scores import BINS, calibration_error
from prune_utils.workflow.graph import nodes

RISES = {0.0: 0.0, 0.3: 0.1, 0.5: 0.2, 0.7: 0.4, 0.9: 1.5}
COSTS = {"a": 10.0, "b": 10.0, "c": 10.0}


def evidence(costs=COSTS, seeds=(0, 1)):
    """Each task falls by its cost per nat, exactly; the features move by a tenth of the rise."""
    cells = [(t, "dense", 0.0, seed, 0.9) for t in costs for seed in seeds]
    cells += [
        (t, "pretrain", s, seed, 0.9 - c * r / 100)
        for t, c in costs.items()
        for s, r in RISES.items()
        if s
        for seed in seeds
    ]
    frame = pd.DataFrame(cells, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy"])
    frame = frame.assign(selected=True, learning_rate=1e-3, commit="x", pretrain_loss=np.nan, dev_majority=0.5)
    runs = pd.DataFrame([("gradual", s, seed, 2 + r) for s, r in RISES.items() for seed in seeds])
    runs.columns = ["method", "target_sparsity", "seed", "pretrain_loss"]
    alike = [("gradual", s, seed, layer, 1 - r / 10) for s, r in RISES.items() for seed in seeds for layer in (1, 2)]
    alike = pd.DataFrame(alike, columns=["method", "sparsity", "seed", "layer", "cosine"])
    margins = Analysis(accuracy_margin=2.5, loss_margin=0.1)
    return Evidence(frame, runs, accuracy_means(frame), None, margins, {"similarity": alike})


def test_a_rule_whose_signal_says_all_stops_where_the_dev_set_would():
    found = stopping.falls(evidence())
    assert found.fall.to_numpy() == pytest.approx(10 * found.loss_rise) and (
        found.distance * 10
    ).to_numpy() == pytest.approx(found.loss_rise)
    stops = stopping.stops(found, 2.5)
    assert set(stops.signal) == {*stopping.SIGNALS} and len(stops) == 3 * 3 * 2
    exact = stops[stops.signal != "target_sparsity"]
    assert (exact.stop == 0.5).all() and (exact.best == 0.5).all() and exact.error.max() < 1e-9
    table = stopping.table(stops).set_index("signal")
    assert table.forgone["loss_rise"] == 0 and table.fall["loss_rise"] == pytest.approx(2.0)
    # sparsity alone is no line through 0: what the others lose at 90 % makes it stop early
    assert table.error["target_sparsity"] > 1 and table.forgone["target_sparsity"] > 0
    said = captions.trusted(stopping.table(stops), 2.5)
    assert "the task loses 2.0 points on average [2.0, 2.0], at worst 2.0 (margin 2.5)" in said
    assert len(plots_prunability.stopping(found, stops).figure.axes) == 3


def test_a_task_that_costs_more_than_the_others_pays_for_trusting_them():
    stops = (
        stopping.stops(stopping.falls(evidence(COSTS | {"c": 30.0})), 2.5)
        .query("signal == 'loss_rise'")
        .set_index("task")
    )
    assert (stops.loc["c"].stop == 0.5).all() and stops.loc["c"].fall.to_numpy() == pytest.approx(6.0)
    assert (stops.loc["c"].best == 0.0).all() and (stops.loc["c"].slope.to_numpy() == pytest.approx(10.0))
    assert (stops.loc["a"].stop == 0.3).all()  # and makes the others stop early


def test_one_task_and_other_arms_have_no_rule():
    assert stopping.stops(stopping.falls(evidence({"a": 1.0})), 2.5).empty
    assert captions.trusted(stopping.table(stopping.stops(stopping.falls(evidence({"a": 1.0})), 2.5)), 2.5).startswith(
        "A rule"
    )
    none = evidence()
    assert stopping.falls(
        Evidence(none.cells[none.cells.arm == "dense"], none.runs, none.accuracy, None, none.margins)
    ).empty


def test_what_is_lost_is_counted_by_thirds_and_by_label(monkeypatch):
    """Six examples: the dense model has the first five; the pruned one loses the two longest of these."""
    known = pd.DataFrame({"length": [1, 2, 3, 4, 5, 6], "rarity": [1.0] * 6, "label": [0, 1, 0, 1, 0, 1]})
    known["unseen"] = [False, False, False, True, True, True]
    monkeypatch.setattr(forgotten, "traits", lambda study, task: known)
    sure = pd.Series([0.6, 0.7, 0.8, 0.9, 0.5, 0.4])
    monkeypatch.setattr(forgotten, "confidence", lambda evidence, study, task: {0: sure})
    rows = {("dense", 0.0, 0): [1, 1, 1, 1, 1, 0], ("pretrain", 0.9, 0): [1, 1, 1, 0, 0, 1]}
    rows |= {("dense", 0.0, 1): [0, 1, 1, 1, 1, 0], ("pretrain", 0.9, 1): [0, 1, 0, 1, 0, 0]}
    index = pd.MultiIndex.from_tuples(rows, names=["arm", "target_sparsity", "seed"])
    correct = pd.DataFrame(np.array([*rows.values()], dtype=bool), index=index)
    found = forgotten.flips(Evidence(pd.DataFrame(), pd.DataFrame(), None, None, None, correct={"a": correct}), None)
    at = found.set_index(["seed", "target_sparsity", "trait", "group"])
    assert [at.lost[0, 0.9, "length", n] for n in "123"] == [0.0, 0.5, 1.0]
    assert at.gained[0, 0.9, "length", "3"] == 1.0 and np.isnan(at.gained[0, 0.9, "length", "2"])
    assert [at.lost[0, 0.9, "unseen", n] for n in "12"] == [0.0, 1.0]
    assert [at.lost[0, 0.9, "confidence", n] for n in "123"] == [1.0, 0.0, 0.5] and (
        1,
        0.9,
        "confidence",
        "1",
    ) not in at.index
    assert at.lost[0, 0.9, "label", "0"] == pytest.approx(1 / 3) and at.right[0, 0.9, "label", "1"] == 2
    # by chance: of what seed 0 has right, seed 1 loses the first; of what seed 1 has right, seed 0 loses nothing
    assert at.lost[0, 0.0, "length", "1"] == 0.5 and at.lost[1, 0.0, "length", "1"] == 0.0
    ends = forgotten.ends(found).set_index(["trait", "target_sparsity"])
    assert ends.difference["length", 0.9] == pytest.approx(100.0)  # seed 0: 100 - 0; seed 1: 100 - 0
    assert "differ at 90 %" in captions.forgot(forgotten.ends(found)) or np.isnan(ends.low["length", 0.9])
    none = found.assign(lost=found.lost.where((found.trait != "unseen") | (found.group == "1")))
    assert set(forgotten.ends(none).trait) == {"length", "rarity", "confidence"}  # nothing of group 2 was right
    assert len(plots_prunability.forgotten(found).figure.axes) == 4


@given(st.integers(2, 4), st.integers(1, 60), st.integers(0, 2**31))
def test_the_calibration_error_is_that_of_a_loop_over_bins(labels, examples, seed):
    random = np.random.default_rng(seed)
    logits, answers = 3 * random.normal(size=(examples, labels)), random.integers(labels, size=examples)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    sums = 0.0
    for low in np.arange(BINS) / BINS:
        inside = (shares.max(axis=1) >= low) & (shares.max(axis=1) < low + 1 / BINS)
        if inside.any():
            sums += inside.sum() * abs(
                (shares.argmax(axis=1) == answers)[inside].mean() - shares.max(axis=1)[inside].mean()
            )
    assert calibration_error(logits, answers) == pytest.approx(sums / examples, abs=1e-9)


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not():
    logits = np.array([[20.0, -20.0]] * 4)
    assert calibration_error(logits, np.zeros(4, dtype=int)) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(logits, np.array([0, 0, 1, 1])) == pytest.approx(0.5)


def test_the_page_is_made_for_two_seeds():
    names = {name: [node.name for node in nodes(load_study(PARAMS / f"{name}.yaml"))] for name in ("demo", "smoke")}
    assert "questions" in names["demo"] and "questions" not in names["smoke"]


def without(found: Evidence, *arms: str) -> Evidence:
    """The evidence without some arms."""
    cells = found.cells[~found.cells.arm.isin(arms)].reset_index(drop=True)
    return Evidence(cells, found.runs, accuracy_means(cells), None, found.margins)


@pytest.mark.parametrize(
    "odd",
    [
        evidence({"a": 1.0}),
        without(evidence(), "pretrain"),
        without(evidence({"a": 1.0}), "pretrain"),
        evidence(seeds=(0,)),
    ],
    ids=["one task", "no arm of the paper", "neither", "one seed"],
)
def test_the_notebook_says_what_a_study_cannot_answer(odd, empty, monkeypatch):
    """Its cells run in this process on evidence that lacks something."""
    study = load_study(PARAMS / "demo.yaml")
    monkeypatch.setattr(measured, "evidence_of", lambda study: odd)
    (paths.results(study.study)).mkdir(parents=True)
    (paths.results(study.study) / paths.CELLS).touch()
    names = {"compute": False, "params": "demo", "override": {}}
    for cell in nbformat.read(paths.QUESTIONS_NOTEBOOK, as_version=4).cells[2:]:
        if cell.cell_type == "code":
            exec(cell.source, names)
    assert (paths.results(study.study) / paths.STOPS).exists()


@pytest.mark.parametrize("base", [0.9, 0.8, 0.85, 0.75, 0.93])
def test_a_fall_of_exactly_the_margin_is_within_it(base):
    falls = [
        {"task": task, "seed": 0, "target_sparsity": s, "loss_rise": s, "fall": 100 * (base - (base - fall))}
        for task in "ab"
        for s, fall in ((0.3, 0.005), (0.5, 0.02))
    ]
    assert set(stopping.stops(pd.DataFrame(falls), 0.5).best) == {0.3}
    still = pd.DataFrame(falls).assign(loss_rise=0.0)  # a signal that does not move predicts nothing
    assert "loss_rise" not in set(stopping.stops(still, 0.5).signal)
