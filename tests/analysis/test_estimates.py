"""Intervals, verdicts and lines, on cases worked by hand and on simulated studies whose borders are known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import verdicts
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from simulation import MARGIN, NOISE, cells

from prune_utils.analysis import claims, comparison
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.foreign import replay
from prune_utils.analysis.linearity import lines, mean_slope, table
from prune_utils.analysis.noise import examples
from prune_utils.analysis.noise.estimates import Estimate, Verdict, all_of
from prune_utils.analysis.noise.means import DENSE, Means, Part
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.analysis.predictions import selected_on_half
from prune_utils.analysis.regimes import find
from prune_utils.analysis.results import mean_over_tasks
from prune_utils.study import paths
from prune_utils.study.schema import Analysis
from prune_utils.study.section import ParamsError

MARGINS = Analysis(accuracy_margin=MARGIN, loss_margin=0.15)


def test_verdicts_are_decided_only_where_the_bound_is_on_one_side():
    estimate = Estimate(1.0, 0.5, 10)
    bound = 0.5 * stats.t.ppf(0.95, 10)
    assert estimate.at_most(1.01 + bound) is Verdict.SUPPORTED and estimate.at_most(0.99 + bound) is Verdict.UNDECIDED
    assert estimate.at_most(0.99 - bound) is Verdict.NOT_SUPPORTED
    assert estimate.at_least(0.99 - bound) is Verdict.SUPPORTED
    assert estimate.within(1.01 + bound) is Verdict.SUPPORTED and estimate.within(0.99 + bound) is Verdict.UNDECIDED
    assert estimate.scaled(-2).within(1.98 - 2 * bound) is Verdict.NOT_SUPPORTED
    assert estimate.interval() == pytest.approx(stats.t.interval(0.95, 10, 1.0, 0.5))
    assert all_of(Verdict.SUPPORTED, Verdict.UNDECIDED) is Verdict.UNDECIDED
    assert all_of(Verdict.UNDECIDED, Verdict.NOT_SUPPORTED, Verdict.SUPPORTED) is Verdict.NOT_SUPPORTED


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_a_single_seed_decides_nothing(value, limit):
    estimate = Estimate.over_seeds([value])
    assert estimate.value == value and estimate.interval() is None
    assert estimate.at_most(limit) is estimate.at_least(limit) is Verdict.UNDECIDED


def test_intervals_over_seeds_are_student_s():
    values = [1.0, 2.0, 4.0, 5.0]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert Estimate.over_seeds(values).interval() == pytest.approx((low, high))


def errors(means: Means) -> np.ndarray:
    return np.sqrt(sum(part.covariance.diagonal() for part in means.parts))


def test_the_spread_of_seeds_leaves_their_common_shift_out():
    fall = gain = np.zeros(9)
    frame = cells(2, fall, gain, np.random.default_rng(0))
    shifted = frame.assign(dev_accuracy=frame.dev_accuracy + 0.3 * frame.seed)
    ours, theirs = accuracy_means(frame), accuracy_means(shifted)
    assert errors(theirs) == pytest.approx(errors(ours))
    assert theirs.difference(DENSE, ("pretrain", 0.5)).value == pytest.approx(
        ours.difference(DENSE, ("pretrain", 0.5)).value
    )
    expected = np.sqrt(sum(noise**2 for noise in NOISE.values())) / len(NOISE) / 100 / np.sqrt(2)
    assert (errors(ours) > 0.5 * expected).all() and (errors(ours) < 1.7 * expected).all()


def test_a_contrast_is_worked_by_hand():
    """Variance w'Cw, summed over parts, and Satterthwaite's degrees of freedom."""
    point = pd.Series([0.8, 0.7, 0.6], pd.MultiIndex.from_tuples([DENSE, ("pretrain", 0.5), ("random", 0.5)]))
    own, shared = Part(np.diag([1.0, 2.0, 4.0]), 5), Part(np.ones((3, 3)), 2)
    found = Means(point, (own, shared), ("seeds",)).difference(DENSE, ("pretrain", 0.5))
    assert (found.value, found.error, found.freedom) == pytest.approx((0.1, np.sqrt(3), 5))  # what is shared cancels
    means = Means(point, (own, Part(np.diag([0.0, 0.0, 4.0]), 2)), ("seeds",))
    found = means.difference(DENSE, ("random", 0.5))
    assert found.error == pytest.approx(3) and found.freedom == pytest.approx(81 / (25 / 5 + 16 / 2))
    own = Means(pd.concat([point, pd.Series([0.9], [("pretrain", 0.0)])]), (), ("seeds",), frozenset({"pretrain"}))
    assert own.difference(DENSE, ("pretrain", 0.5)).value == pytest.approx(0.2)  # against its own 0 %
    assert means.only(["random"]).point.tolist() == [0.6]


def test_a_seed_that_lacks_a_cell_does_not_shift_the_means():
    """Two seeds four points apart, one without one cell: the difference is still that of the seed that has both."""
    frame = cells(2, np.zeros(9), np.zeros(9), np.random.default_rng(0))
    frame["dev_accuracy"] = 0.8 + 0.04 * frame.seed + 0.1 * (frame.target_sparsity == 0.5)
    hole = frame[
        ~((frame.seed == 1) & (frame.arm == "pretrain") & (frame.target_sparsity == 0.5) & (frame.task == "QQP"))
    ]
    assert accuracy_means(hole).difference(("pretrain", 0.5), DENSE).value == pytest.approx(0.1)
    halves = mean_over_tasks(hole)
    assert halves[~halves.whole][["arm", "target_sparsity", "seed"]].values.tolist() == [["pretrain", 0.5, 1]]


@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([0.0, 0.1, 0.3]))
@settings(max_examples=25)
def test_means_are_those_of_least_squares(seed, seeds, missing):
    """An independent fit of condition and seed, by statsmodels, gives the same differences."""
    random = np.random.default_rng(seed)
    frame = cells(seeds, np.zeros(9), np.zeros(9), random)
    frame = frame[(frame.task == "QQP") & ((random.random(len(frame)) >= missing) | (frame.arm == "dense"))]
    fit = smf.ols(
        "dev_accuracy ~ C(where) + C(seed)", frame.assign(where=frame.arm + frame.target_sparsity.astype(str))
    ).fit()
    means = accuracy_means(frame)
    for condition in means.point.index:
        theirs = fit.params.get(f"C(where)[T.{condition[0]}{condition[1]}]", 0.0)
        assert means.difference(condition, DENSE).value == pytest.approx(theirs, abs=1e-9)


def test_variances_agree_with_restricted_maximum_likelihood():
    """Equal noise and an effect of arm and seed, 40 seeds: the components are those of statsmodels' mixed model."""
    frame = verdicts.draw(replace(verdicts.World(40, 1, growth=1.0, random=1.0), arm=0.6), np.random.default_rng(3))[0]
    frame = frame[frame.arm.isin(["pretrain", "information_deletion", "downstream"])]
    table = frame.assign(where=frame.arm + frame.target_sparsity.astype(str), pair=frame.arm + frame.seed.astype(str))
    model = smf.mixedlm("dev_accuracy ~ C(where) + C(seed)", table, groups="pair").fit(reml=True)
    parts = accuracy_means(frame).parts
    common = parts[-1].covariance[0, 1] * 40
    assert common == pytest.approx(float(model.cov_re.iloc[0, 0]), rel=0.15)
    assert np.mean([p.covariance.diagonal().max() for p in parts[:-1]]) * 40 == pytest.approx(model.scale, rel=0.15)


def test_dev_examples_are_the_same_for_all_cells():
    """Two arms that answer alike differ by nothing; each alone varies as a share of examples does."""
    right = np.random.default_rng(0).random(400) < 0.8
    index = pd.MultiIndex.from_tuples(
        [("dense", 0.0, 0), ("pretrain", 0.5, 0)], names=["arm", "target_sparsity", "seed"]
    )
    correct = {"a": pd.DataFrame([right, right], index=index)}
    frame = index.to_frame(index=False).assign(task="a", dev_accuracy=right.mean(), selected=True)
    means = accuracy_means(frame, correct)
    assert means.covers == ("dev examples",)
    assert errors(means)[0] == pytest.approx(right.std(ddof=1) / np.sqrt(400))
    (part,) = means.parts
    assert np.array([1, -1]) @ part.covariance @ np.array([1, -1]) == pytest.approx(0)
    # and still one seed is no ground for a verdict
    assert means.difference(("pretrain", 0.5), DENSE).at_most(1.0) is Verdict.UNDECIDED


def test_what_seeds_answer_by_chance_is_not_counted_twice():
    """Every example has the same chance of a right answer: all noise is over seeds, none over examples."""
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([["dense"], [0.0], range(8), [1e-3]])
    correct = pd.DataFrame(
        random.random((8, 2000)) < 0.8, index=index.set_names(["arm", "target_sparsity", "seed", "learning_rate"])
    )
    covariance = examples.part({"a": correct}, pd.MultiIndex.from_tuples([DENSE]), 1).covariance
    assert abs(covariance[0, 0]) < 0.2 * 0.16 / 8 / 2000  # of what a share of 8 × 2,000 answers varies by


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arm × seed, 3 seeds", "everything"])
def test_intervals_hold_the_truth_as_often_as_they_say(name):
    """A slice of the table of benchmarks/verdicts.py; the limits allow for the chance of so few studies."""
    for quantity, (held, below, above) in verdicts.shares(verdicts.WORLDS[name], 40).items():
        assert held >= 0.86 and max(below, above) <= 0.14, quantity


def test_a_table_of_single_runs_has_its_noise_within_arms():
    """The paper's table: no more than 0.13 points for a mean over five tasks, where its four 0 % rows differ by 0.4."""
    paper = comparison.the_paper()
    assert paper.accuracy.own_zero == {"pretrain", "information_deletion", "downstream", "random"}
    assert 0.0010 < np.sqrt(paper.accuracy.parts[0].covariance[0, 0]) < 0.0013
    lead = paper.accuracy.mean_difference("downstream", "pretrain", [0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert 100 * lead.value == pytest.approx(-0.39, abs=0.005)  # -0.75 without the 0 % rows


def line(task, slope, bend=0.0, noise=0.0, seed=0):
    losses = np.linspace(1.8, 5.0, 9)
    random = np.random.default_rng([len(task), seed])
    accuracy = 90 + slope * (losses - 1.8) + bend * (losses - 3.4) ** 2 + noise * random.standard_normal(9)
    return pd.DataFrame(
        {
            "task": task,
            "arm": "information_deletion",
            "target_sparsity": np.arange(1, 10) / 10,
            "seed": seed,
            "pretrain_loss": losses,
            "dev_accuracy": accuracy / 100,
            "selected": True,
        }
    )


def test_a_straight_line_is_told_from_a_bent_one():
    frame = pd.concat(
        [
            line(name, slope, bend, 0.1, seed)
            for seed in range(3)
            for name, slope, bend in (("straight", -3.0, 0), ("bent", -2.0, 1.0))
        ]
    )
    found = lines(evidence(frame, {}))
    assert found["straight"].slope.value == pytest.approx(-3.0, abs=0.1)
    assert found["straight"].bend.within(1.0) is Verdict.SUPPORTED
    assert found["bent"].bend.value == pytest.approx(-(3.2**2) / 4, abs=0.3)  # the parabola's middle below its chord
    assert found["bent"].bend.within(1.0) is Verdict.NOT_SUPPORTED
    assert mean_slope(found).value == pytest.approx(np.mean([one.slope.value for one in found.values()]))
    assert list(table(found).task) == ["bent", "straight"]
    assert not lines(evidence(frame[frame.target_sparsity < 0.4], {}))


def test_cells_at_the_majority_class_say_nothing_of_a_slope():
    frame = pd.concat([line("task", -5.0, noise=0.1, seed=seed) for seed in range(3)])
    frame = frame.assign(dev_accuracy=frame.dev_accuracy.clip(lower=0.78), dev_majority=0.78, dev_examples=10_000)
    with_floor, without = (lines(evidence(frame, {}), floor)["task"] for floor in (True, False))
    assert with_floor.left_out == [0.7, 0.8, 0.9] and without.left_out == []
    assert abs(with_floor.bend.value) < 0.5 < abs(without.bend.value)


def test_the_published_tables_give_the_paper_s_own_regimes_and_claims():
    paper = comparison.the_paper()
    found = find(paper.accuracy, paper.loss, paper.margins)
    assert found.low_until in (0.3, 0.4) and found.low.interval[0] <= 0.3 and found.low.interval[1] >= 0.4
    assert found.high_from == 0.7
    table = claims.claims_table(paper, paper).set_index("claim")
    assert (table.measured.dropna() == table.published.dropna()).all()
    assert table.measured["C3"] == pytest.approx(4.38, abs=1e-3)
    assert table.measured["C9"] == pytest.approx(5.4, abs=1e-3)
    assert [table.verdict[c] for c in ("C2", "C3", "C4", "C5", "C9")] == ["supported"] * 5
    assert table.verdict["C1"] == "undecided"  # at 40 % the fall is the margin
    assert "with them the claim is not supported, bent on CoLA" in table.why["C4"]  # at its majority class it is flat
    assert table.why["C4"].endswith("without any cell at 90 % it is supported")
    assert [table.verdict[c] for c in ("C6", "C8", "C10")] == ["undecided"] * 3
    low, high = json.loads(table.interval["C3"])
    assert low < table.measured["C3"] < high


def evidence(frame, analyses):
    return Evidence(frame, pd.DataFrame(), accuracy_means(frame), None, MARGINS, analyses)


def test_claims_on_the_inside_worked_by_hand():
    frame = cells(3, np.zeros(9), np.zeros(9), np.random.default_rng(0))
    seeds = pd.Series([0, 1, 2])
    near, far = pd.Series([0.02, 0.021, 0.022]), pd.Series([0.2, 0.21, 0.22])
    mask = pd.DataFrame({"seed": seeds, "difference": near, "difference_fine_tuning_alone": near / 2})
    moved = pd.DataFrame({"seed": seeds, "mean": far})
    ranks = pd.concat([pd.DataFrame({"seed": seeds, "decile": d, "mean": m}) for d, m in ((0, far), (9, near))])
    heads = pd.DataFrame({"seed": seeds, "sparsity": 0.5, "pruned_share": 0.5 + near})
    analyses = {"mask_difference": mask, "movement": moved, "movement_by_rank": ranks, "heads": heads}
    table = claims.claims_table(evidence(frame, analyses)).set_index("claim")
    assert table.measured["C6"] == pytest.approx(2.1) and table.verdict["C6"] == "supported"
    assert table.measured["C7"] == pytest.approx(21.0) and table.verdict["C7"] == "not supported"
    assert table.measured["C10"] == pytest.approx(2.1) and table.verdict["C10"] == "supported"
    calm = claims.claims_table(evidence(frame, analyses | {"movement": moved.assign(mean=near)})).set_index("claim")
    assert calm.verdict["C7"] == "supported"
    tuned = pd.DataFrame(
        [
            {
                "task": "a",
                "learning_rate": 1e-3,
                "seed": s,
                "epochs": e,
                "dev_accuracy": 0.8 + 0.1 * (e == 6) + 0.001 * s * e,
                "movement_mean": 0.01 * e,
            }
            for s in seeds
            for e in (0, 1, 6)
        ]
    )
    longer = claims.claims_table(evidence(frame, {"fine_tune_first": tuned})).set_index("claim")
    assert longer.measured["C8"] == pytest.approx(10.5) and longer.verdict["C8"] == "not supported"


def test_what_a_study_lacks_is_undecided_and_said():
    frame = cells(3, np.zeros(9), np.zeros(9), np.random.default_rng(0))
    only = frame[frame.arm.isin(["dense", "pretrain"])]
    table = claims.claims_table(evidence(only, {})).set_index("claim")
    assert table.verdict["C3"] == "undecided" and "information_deletion" in table.why["C3"]
    one = claims.claims_table(evidence(frame[frame.seed == 0], {})).set_index("claim")
    assert set(one.verdict) == {"undecided"}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.drop(columns="task"), "no column task"),
        (lambda t: t.assign(arm="pruned"), "lines 2 and 52 are both dense"),
        (lambda t: t.assign(dev_accuracy=187.0), "line 2: dev_accuracy is '187.0'"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path, change, message):
    table = pd.read_csv(paths.ROOT / "prune_utils/analysis/published/table1_glue_by_sparsity.csv")
    change(table).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ParamsError, match=message):
        replay.read_table(tmp_path / "table.csv")


def test_a_table_with_holes_fewer_arms_and_no_losses_gives_what_it_can(tmp_path):
    table = pd.read_csv(paths.ROOT / "prune_utils/analysis/published/table1_glue_by_sparsity.csv")
    table = table[table.arm == "pretrain"].rename(columns={"dev_accuracy": "accuracy"})
    table.loc[(table.task == "CoLA") & (table.sparsity == 0.2), "accuracy"] = float("nan")
    table[["arm", "sparsity", "task", "accuracy"]].to_csv(tmp_path / "table.csv", index=False)
    read = replay.read_table(tmp_path / "table.csv")
    draws = accuracy_means(read)
    assert not draws.has(("pretrain", 0.2)) and draws.has(("pretrain", 0.3)) and replay.losses(read).empty
    found = find(draws, None, MARGINS)
    assert (
        found.high_from is None and found.low_until == 0.4 and found.low.interval is None
    )  # at 40 % by exactly the margin


def test_losses_of_one_run_have_the_spread_of_their_neighbours():
    runs = replay.losses(comparison.the_paper().cells)
    assert loss_means(runs).covers == ("neighbouring sparsities",)
    few = runs[runs.target_sparsity.isin([0.0, 0.5, 0.9])]  # no three neighbours up to 50 %
    assert loss_means(few).covers == () and loss_means(few).difference(("gradual", 0.9), ("gradual", 0.0)).error is None
    again = pd.concat([runs, runs.assign(seed=1, pretrain_loss=runs.pretrain_loss + 0.01 * runs.target_sparsity)])
    assert loss_means(again).covers == ("seeds",)


def test_selection_on_one_half_is_scored_on_the_other():
    # one rate answers the even examples, the other the odd: chosen and scored on different halves both are worthless
    even = np.arange(8) % 2 == 0
    index = pd.MultiIndex.from_tuples(
        [("dense", 0.0, 0, 1e-3), ("dense", 0.0, 0, 2e-3)], names=["arm", "target_sparsity", "seed", "learning_rate"]
    )
    halves = selected_on_half(pd.DataFrame(), {"a": pd.DataFrame([even, ~even], index=index)})
    assert halves.dev_accuracy[0] == 0.5 and halves.held_out_accuracy[0] == 0.0


def test_the_same_value_is_shown_with_the_same_digits_however_it_was_computed():
    sums = (0.7 + 0.1 + 0.05 - 0.8475, 0.0025, -(0.8475 - 0.85))
    assert len(set(sums)) > 1 and {f"{Estimate(one).scaled(100).value:+.1f}" for one in sums} == {"+0.2"}
