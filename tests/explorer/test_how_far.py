"""How far a study may be pruned: worked by hand, and against each task's own means."""

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from views import by_hand, control, rows_of, table_study, texts

from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.regimes import Boundary, Regimes
from prune_utils.explorer import studies, view_how_far

COSTS = ["task", "sparsity", "cost", "low", "high"]
HAND = pd.DataFrame(
    [
        ("a", 0.3, 0.5, -0.5, 1.5),
        ("b", 0.3, 1.0, 0.5, 1.5),
        ("a", 0.6, 2.0, 1.0, 3.0),
        ("b", 0.6, 3.0, 2.0, 4.0),
        ("a", 0.9, 1.0, 0.0, 2.0),  # back within, but beyond one that is not
        ("b", 0.9, 1.0, 0.0, 2.0),
    ],
    columns=COSTS,
)


@pytest.mark.parametrize(
    ("allowed", "by_estimate", "surely"),
    [((2, 3), 0.9, 0.3), ((2, 2.9), 0.3, 0.3), ((0.4, 20), 0.0, 0.0), ((3, 4), 0.9, 0.9), ((1, 2), 0.3, 0.0)],
)
def test_how_far_worked_by_hand(allowed, by_estimate, surely):
    allowed = dict(zip("ab", allowed, strict=True))
    assert view_how_far.farthest(HAND, allowed) == by_estimate
    assert view_how_far.farthest(HAND, allowed, "high") == surely


def test_a_task_without_a_cell_or_an_interval_is_not_known_to_be_within():
    holes = HAND[(HAND.task != "b") | (HAND.sparsity != 0.6)]
    assert view_how_far.farthest(holes, {"a": 20, "b": 20}) == 0.3
    assert view_how_far.farthest(HAND.assign(high=np.nan), {"a": 20, "b": 20}, "high") == 0.0


@given(
    st.lists(st.tuples(st.floats(-5, 20), st.floats(-5, 20)), min_size=1, max_size=6),
    st.floats(0, 20),
    st.floats(0, 20),
)
def test_how_far_is_the_end_of_the_run_of_fitting_sparsities(lost, a, b):
    rows = [(t, (i + 1) / 10, cost, 0, 0) for i, pair in enumerate(lost) for t, cost in zip("ab", pair, strict=True)]
    fits = [x <= a + 1e-7 and y <= b + 1e-7 for x, y in lost]
    last = fits.index(False) if False in fits else len(fits)
    assert view_how_far.farthest(pd.DataFrame(rows, columns=COSTS), {"a": a, "b": b}) == pytest.approx(last / 10)


def test_costs_are_those_of_each_task_from_the_dense_model(empty):
    table_study(empty, by_hand({"calm": (-1, 0, 0.5), "frail": (1, 4, 9)}))
    opened = studies.opened()
    frame = view_how_far.costs(opened, "pretrain").set_index(["task", "sparsity"])
    assert frame.cost.unstack().to_numpy() == pytest.approx(np.array([[-1, 0, 0.5], [1, 4, 9]]))
    # all seeds shift alike but for 0.0005 points, so that little is left for the interval
    assert frame.low.to_numpy() == pytest.approx(frame.cost.to_numpy(), abs=0.01) == frame.high.to_numpy()
    answer = view_how_far.answer(opened, "pretrain", {"calm": 0.01, "frail": 4.01})
    # a table without information deletion: 60 % may be medium or high, and there is no checkpoint
    assert answer.count("<b>Up to 60 %</b>") == 2 and "regime" not in answer and "checkpoint" not in answer
    assert "0.5 [0.5 to 0.5]" in answer
    view = view_how_far.sliders(opened)
    control(view, "frail may lose").value = 0.5
    assert "Only unpruned" in texts(view)


def test_intervals_of_costs_are_those_of_the_task_s_own_means(empty):
    random = np.random.default_rng(0)
    rows = [
        (arm, s, task, seed, 0.7 + 0.05 * random.standard_normal())
        for arm, s in [("dense", 0), ("pretrain", 0.3), ("pretrain", 0.6)]
        for task in ("a", "b")
        for seed in range(4)
    ]
    table_study(empty, rows)
    opened = studies.opened()
    row = view_how_far.costs(opened, "pretrain").set_index(["task", "sparsity"]).loc[("b", 0.6)]
    cells = opened.evidence.cells
    fall = accuracy_means(cells[cells.task == "b"]).difference(("dense", 0.0), ("pretrain", 0.6))
    assert [row.low, row.high] == pytest.approx(
        [100 * end for end in fall.interval()]
    ) and row.low < row.cost < row.high


def test_one_seed_tells_no_interval_and_bytes_are_told_where_they_were_measured(finished, empty):
    shutil.copytree(finished / "results/smoke", empty / "results/smoke")
    sizes = pd.DataFrame(
        {"seed": 0, "sparsity": [0.0, 0.6, 0.9], "dense_bytes": 4_000_000, "sparse_bytes": [4_000_000, 2e6, 1e6]}
    )
    sizes.to_csv(empty / "results/smoke/inside/sizes.csv", index=False)
    opened = studies.opened()
    few, all_of_it = (dict.fromkeys(["acceptability", "sentiment"], points) for points in (20.0, 100.0))
    assert "Nothing was repeated, so how much a training varies is unknown" in view_how_far.answer(
        opened, "pretrain", few
    )
    said = view_how_far.answer(opened, "pretrain", all_of_it)
    assert "4.00 MB as safetensors, and stored sparse 1.00 MB (25 %)" in said
    assert rows_of(view_how_far.costs_table(opened).data)["sparse, MB"].to_dict() == {"60 %": "2.00", "90 %": "1.00"}
    other = view_how_far.answer(opened, "random", all_of_it)
    assert "not measured" in other and "regime of the model pruned in pre-training" in other


@pytest.mark.parametrize("task", ["regime", "dense, MB", "task", "text"])
def test_a_task_may_be_called_like_a_column_and_a_size_may_be_unknown(task):
    stored = pd.DataFrame({"dense_bytes": 4e6, "sparse_bytes": [1e6]}, index=[0.9])
    regimes = Regimes(Boundary(0.3), Boundary(None))
    shown = view_how_far.by_sparsity(HAND.replace({"task": {"a": task}}), regimes, stored)
    assert sorted(shown.columns) == sorted([task, "b", "regime", "dense, MB", "sparse, MB"])
    assert sorted(shown.loc["30 %"]) == ["", "", "0.5 [−0.5 to 1.5]", "1.0 [0.5 to 1.5]", "low"]
    assert sorted(shown.loc["90 %"])[:2] == ["1.0 [0.0 to 2.0]"] * 2 and {"1.00", "4.00"} < set(shown.loc["90 %"])


def test_a_cost_of_exactly_what_is_allowed_is_within_it(empty):
    table_study(empty, by_hand({"a": (0.1, 0.3, 0.7)}))
    opened = studies.opened()
    exact = view_how_far.costs(opened, "pretrain").set_index("sparsity").cost[0.6]
    answer = view_how_far.answer(opened, "pretrain", {"a": exact - 1e-10})
    assert "Up to 60 %" in answer and rows_of(answer).loc["a"]["within"] == "yes"


def test_sliders_reach_the_largest_cost_and_a_study_without_a_dense_model_has_none(empty):
    table_study(empty, by_hand({"calm": (1, 2, 3), "frail": (5, 20, 33.3)}))
    view = view_how_far.sliders(studies.opened())
    assert control(view, "frail may lose").max == 34
    table_study(empty, [row for row in by_hand({"a": (1, 2, 3)}) if row[0] != "dense"], "lone")
    assert "no pruned cells with a dense cell" in texts(view_how_far.sliders(studies.opened("lone")))
