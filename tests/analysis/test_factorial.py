"""The 2 × 2 of deleting and fixing: its effects, their intervals, and what is said where a corner is missing."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prune_utils.analysis import comparison, factorial
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.foreign import replay
from prune_utils.analysis.noise.means import DENSE
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.report import captions, plots_regimes
from prune_utils.report.sentences import why
from prune_utils.study.schema import Analysis

MARGINS = Analysis(accuracy_margin=1.0, loss_margin=0.1)
SPARSITIES = (0.5, 0.9)
# points from dense at 50 and 90 %
FALLS = {"information_deletion": (-3.0, -8.0), "frozen": (-1.0, -2.0), "pretrain": (-3.0, -14.0)}


def study(tasks=("a", "b"), seeds=3, sparsities=SPARSITIES, noise=0.1, draw=0, run=0.0, **columns) -> pd.DataFrame:
    """Cells of the four corners with FALLS from 80 %; noise in points; a seed's own shift is up to 1 point.

    `run`: standard deviation of a pre-training run in points; the deleted corners share one, and the kept ones.
    """
    random, rows = np.random.default_rng(draw), []
    runs = run * random.standard_normal((seeds, 1 + len(sparsities)))
    for task in tasks:
        for seed in range(seeds):
            shift = random.uniform(-1, 1)
            corners = {DENSE: 0.0} | {
                (a, s): f for a, fs in FALLS.items() for s, f in zip(sparsities, fs, strict=False)
            }
            for (arm, s), fall in corners.items():
                kept = arm in ("dense", "frozen")
                shared = shift + runs[seed, 0 if kept else 1 + sparsities.index(s)]
                rows.append((task, arm, s, seed, (80 + fall + shared + noise * random.standard_normal()) / 100))
    frame = pd.DataFrame(rows, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy"])
    return frame.assign(selected=True, learning_rate=1e-3, pretrain_loss=np.nan, **columns)


def evidence(cells: pd.DataFrame) -> Evidence:
    return Evidence(cells, pd.DataFrame(), accuracy_means(cells), None, MARGINS)


def at(frame: pd.DataFrame, **where) -> pd.Series:
    return frame.loc[np.logical_and.reduce([frame[name] == value for name, value in where.items()])]


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 0.15]))
@settings(max_examples=20)
def test_the_effects_reproduce_the_four_means(draw, seeds, tasks, lost):
    cells = study([f"task {t}" for t in range(tasks)], seeds, noise=5.0, draw=draw)
    random = np.random.default_rng(draw)
    cells = cells[(random.random(len(cells)) >= lost) | (cells.arm == "dense")]
    found = evidence(cells)
    table = factorial.table(found)
    for row in table.itertuples():
        part = found if row.task == factorial.MEAN else found.over([row.task])
        mean = 100 * part.accuracy.point
        s = row.target_sparsity
        assert row.dense == pytest.approx(mean[DENSE])
        assert row.dense + row.deleting == pytest.approx(mean["information_deletion", s])
        assert row.dense + row.fixing == pytest.approx(mean["frozen", s])
        assert row.dense + row.deleting + row.fixing + row.interaction == pytest.approx(mean["pretrain", s])
        assert row.deleting + row.fixing + row.interaction == pytest.approx(row.total)
        assert row.deleting - row.fixing == pytest.approx(row.difference)
    there = set(table.task)
    assert there <= {factorial.MEAN, *cells.task} and (lost or len(there) == tasks + (tasks > 1))


def test_the_effects_of_a_whole_study_are_means_of_differences():
    cells = study()
    wide = cells.pivot_table(index="target_sparsity", columns="arm", values="dev_accuracy") * 100
    row = at(factorial.table(evidence(cells)), task=factorial.MEAN, target_sparsity=0.9).iloc[0]
    dense, (deleted, frozen, pruned) = wide.dense[0.0], wide.loc[0.9, list(factorial.CORNERS)]
    assert (row.deleting, row.fixing) == pytest.approx((deleted - dense, frozen - dense))
    assert row.interaction == pytest.approx(pruned - deleted - frozen + dense)
    assert (row.deleting, row.fixing, row.total) == pytest.approx((-8, -2, -14), abs=0.3)


@pytest.mark.parametrize("draw", range(3))
def test_intervals_agree_with_a_two_way_model(draw):
    """Balanced, equal noise, one sparsity: least squares with a seed's effect, by statsmodels, of the means over tasks."""
    cells = study(seeds=100, sparsities=(0.9,), noise=1.0, draw=draw)
    means = cells.groupby(["arm", "seed"]).dev_accuracy.mean().mul(100).reset_index()
    means["deleted"] = means.arm.isin(["information_deletion", "pretrain"]).astype(int)
    means["fixed"] = means.arm.isin(["frozen", "pretrain"]).astype(int)
    fit = smf.ols("dev_accuracy ~ deleted * fixed + C(seed)", means).fit()
    (found,) = factorial.splits(evidence(cells)).values()
    names = {"deleting": "deleted", "fixing": "fixed", "interaction": "deleted:fixed"}
    names |= {"total": "deleted + fixed + deleted:fixed", "difference": "deleted - fixed"}
    for name, theirs in names.items():
        test = fit.t_test(f"{theirs} = 0")
        assert found[name].value == pytest.approx(test.effect.item())
        # dense is alone at 0 %, and frozen has a variance of its own, so the errors are close, not equal
        assert found[name].error == pytest.approx(test.sd.item(), rel=0.15)
        ends = found[name].interval()
        half = found[name].error * stats.t.ppf(0.975, fit.df_resid)
        assert (ends[1] - ends[0]) / 2 == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize("seeds, run", [(2, 0.0), (3, 0.4)])
def test_intervals_hold_the_truth(seeds, run):
    """With runs that corners share, too: the noise model takes corners as independent."""
    held, truth = [], {"deleting": -8.0, "fixing": -2.0, "interaction": -4.0, "total": -14.0, "difference": -6.0}
    for draw in range(40):
        found = factorial.splits(evidence(study(("a", "b"), seeds, (0.5, 0.9), 0.5, draw, run)))[0.9]
        held += [low <= truth[name] <= high for name, e in found.items() for low, high in [e.interval()]]
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("arm", ["frozen", "information_deletion", "pretrain", "dense"])
def test_without_a_corner_there_is_no_split_and_it_is_said(arm):
    found = evidence(study().query("arm != @arm"))
    assert factorial.table(found).empty and factorial.splits(found) == {} and factorial.missing(found.cells).empty
    (said,) = why(found)
    assert said.endswith(f"there is no {arm.replace('_', '&#95;')}&#46;") and "not split" in said
    assert list(factorial.table(found).columns) == list(factorial.table(evidence(study())).columns)


def test_the_published_tables_have_no_split():
    paper = comparison.the_paper()
    assert factorial.table(paper).empty and "there is no frozen" in why(paper)[0]


def test_a_hole_in_one_corner_is_told_and_its_mean_left_out():
    cells = study()
    hole = (cells.arm == "frozen") & (cells.task == "b") & (cells.target_sparsity == 0.5)
    found = evidence(cells[~hole])
    table = factorial.table(found)
    assert list(at(table, task=factorial.MEAN).target_sparsity) == [0.9]
    assert list(at(table, task="a").target_sparsity) == [0.5, 0.9] and list(at(table, task="b").target_sparsity) == [
        0.9
    ]
    assert factorial.missing(found.cells).values.tolist() == [["frozen", 0.5, "b", 3, 3]]
    assert "Missing: frozen at 50 % on b (3 of 3 seeds)." in captions.split(found.cells, table, found.accuracy)
    everywhere = (cells.arm == "frozen") & ((cells.task == "b") == (cells.target_sparsity == 0.5))
    assert "no sparsity has them on all tasks" in why(evidence(cells[~everywhere]))[0]


def test_a_seed_that_lacks_or_diverged_is_told_and_does_not_shift_the_effects():
    cells = study(noise=0.0)
    one = (cells.arm == "pretrain") & (cells.seed == 1) & (cells.target_sparsity == 0.9) & (cells.task == "a")
    diverged = cells.assign(dev_accuracy=cells.dev_accuracy.mask(one), selected=~one)
    for lacking in (cells[~one], diverged):
        assert factorial.missing(lacking).values.tolist() == [["pretrain", 0.9, "a", 1, 3]]
        parts = factorial.splits(evidence(lacking))[0.9]
        assert (parts["total"].value, parts["interaction"].value) == pytest.approx((-14.0, -4.0))
    assert factorial.missing(cells).empty


def test_single_runs_have_one_baseline(tmp_path):
    """Own 0 % rows are used only if all three arms have them: otherwise the parts would not add up."""
    for zeros in (("information_deletion", "frozen", "pretrain"), ("information_deletion", "pretrain")):
        rows = [(arm, 0, task, 80 + i) for i, arm in enumerate(zeros) for task in "ab"]
        rows += [(a, s, t, 80 + f) for a, fs in FALLS.items() for s, f in zip((50, 90), fs, strict=True) for t in "ab"]
        table = pd.DataFrame(rows, columns=["arm", "sparsity", "task", "accuracy"])
        table.to_csv(tmp_path / "table.csv", index=False)
        found = evidence(replay.read_table(tmp_path / "table.csv"))
        assert found.accuracy.own_zero == set(zeros)
        for parts in factorial.splits(found).values():
            total = parts["deleting"].value + parts["fixing"].value + parts["interaction"].value
            assert total == pytest.approx(parts["total"].value)


def test_sentences_say_what_the_intervals_show():
    said = why(evidence(study(noise=0.05)))
    assert [s.split(" accuracy")[0] for s in said] == ["At 50 %", "At 90 %"]
    assert (
        "accuracy falls by 14.0 points [13." in said[1] and "deleting alone changes it by −8.0 points [−8." in said[1]
    )
    assert "so together they cost more than their sum" in said[1] and "cost less than their sum" in said[0]
    assert all("deleting costs more than fixing (information deletion minus frozen: −" in s for s in said)
    swapped = study(noise=0.05).replace({"arm": {"frozen": "information_deletion", "information_deletion": "frozen"}})
    assert "fixing costs more than deleting" in why(evidence(swapped))[0]
    noisy = why(evidence(study(noise=8.0, seeds=2, draw=2)))
    assert len(noisy) == 1 and "which costs more is not decided" in noisy[0]  # no fall is shown: the last sparsity
    (single,) = why(evidence(study(seeds=1)))
    assert "not decided" in single and "[" not in single and "nan" not in single
    equal = study(noise=0.01)
    equal.loc[equal.arm == "frozen", "dev_accuracy"] = equal.dev_accuracy[
        equal.arm == "information_deletion"
    ].to_numpy()
    assert "the two cost the same to within 1 points" in why(evidence(equal))[0]


def test_a_corner_at_the_majority_class_is_marked():
    cells = study(dev_majority=0.66, dev_examples=1000)  # pretrain at 90 %: 66 %
    table = factorial.table(evidence(cells))
    assert set(at(table, target_sparsity=0.5).floor) == {""}
    assert list(at(table, target_sparsity=0.9).floor) == ["", "pretrain", "pretrain"]
    said = captions.split(cells, table, accuracy_means(cells))
    assert "At the majority class, where accuracy cannot fall further: pretrain at 90 % on a, b." in said


@pytest.mark.parametrize("tasks, seeds", [(("a", "b"), 2), (("a",), 1), (("$x$ & b",), 2)])
def test_the_figure_has_a_panel_per_task_and_the_parts_as_lines(tasks, seeds):
    cells = study(tasks, seeds, epochs=3)
    cells.loc[cells.arm == "information_deletion", "epochs"] = 13
    found = evidence(cells)
    table = factorial.table(found)
    drawn = plots_regimes.split(table, captions.split(cells, table, found.accuracy))
    shown = [axes for axes in drawn.figure.axes if axes.lines]
    assert [a.get_title() for a in shown] == (["mean over tasks"] if len(tasks) > 1 else []) + list(tasks)
    handles, labels = shown[0].get_legend_handles_labels()
    assert labels == list(plots_regimes.EFFECTS)
    lines = {label: handle.lines[0].get_ydata() for handle, label in zip(handles, labels, strict=True)}
    assert lines["deleting"] + lines["fixing"] + lines["interaction"] == pytest.approx(lines["total"])
    assert list(lines["total"]) == pytest.approx(list(table.total[: len(SPARSITIES)]))
    ends = [end for bar in handles[0].lines[2] for segment in bar.get_segments() for end in segment]
    assert np.isfinite(ends).all() and len(ends) == (2 * len(SPARSITIES) if seeds > 1 else 0)
    assert "information deletion 13" in drawn.caption and "deleting includes further training" in drawn.caption
    assert ("No intervals: one run per point" in drawn.caption) == (
        seeds == 1
    ) and "nan" not in drawn.alt + drawn.caption
    assert list(drawn.data.columns) == list(table.columns)
