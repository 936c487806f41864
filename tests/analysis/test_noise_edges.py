"""Studies with few, unequal or strange repeats: what is known of their noise is not overstated."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import verdicts
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from prune_utils.analysis import comparison
from prune_utils.analysis.claims import claims_table
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import accuracy, fine_tuned_first
from prune_utils.analysis.foreign import replay
from prune_utils.analysis.noise.components import components
from prune_utils.analysis.noise.estimates import Estimate, Verdict
from prune_utils.analysis.noise.means import DENSE, Means, Part
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.analysis.noise.tables import within_arms
from prune_utils.analysis.noise.variances import ENOUGH, LEAST, line
from prune_utils.analysis.regimes import curves, find
from prune_utils.analysis.results import selected
from prune_utils.report.sentences import sentences
from prune_utils.study import paths
from prune_utils.study.schema import Analysis

SPARSITIES = (0.3, 0.5, 0.7, 0.9)
TABLE = paths.ROOT / "prune_utils/analysis/published/table1_glue_by_sparsity.csv"


def study(arms, seeds=(0, 1), sparsities=SPARSITIES, draw=0, noise=0.3, tasks=("a",)):
    """Each arm is 2 points below dense at all sparsities; noise in points; a seed's own shift is 0.5 points."""
    random, rows = np.random.default_rng(draw), []
    shift = 0.5 * random.standard_normal((len(tasks), 10))
    for place, task in enumerate(tasks):
        for arm, sparsity in [DENSE, *((arm, s) for arm in arms for s in sparsities)]:
            for seed in arms[arm] if arm in arms and arms[arm] else seeds:
                value = 80 - 2 * (arm != "dense") + shift[place, seed] + noise * random.standard_normal()
                rows.append((task, arm, sparsity, seed, value / 100))
    columns = ["task", "arm", "target_sparsity", "seed", "dev_accuracy"]
    return pd.DataFrame(rows, columns=columns).assign(selected=True, learning_rate=1e-3, pretrain_loss=np.nan)


@pytest.mark.parametrize("seeds", [2, 5])
def test_two_conditions_give_the_paired_t_test(seeds):
    frame = study({"pretrain": None}, range(seeds), [0.5])
    wide = frame.pivot(index="seed", columns="arm", values="dev_accuracy")
    gaps = wide.pretrain - wide.dense
    found = accuracy_means(frame).difference(("pretrain", 0.5), DENSE)
    assert (found.value, found.error, found.freedom) == pytest.approx((gaps.mean(), stats.sem(gaps), seeds - 1))


@pytest.mark.parametrize("sparsities", [(0.5,), SPARSITIES])
def test_an_arm_of_its_own_has_no_more_freedom_than_residuals(sparsities):
    frame = pd.concat([study({"pretrain": None}), study({"random": None}, sparsities=sparsities, draw=1)])
    frame = frame.drop_duplicates(["task", "arm", "target_sparsity", "seed"])
    part = accuracy_means(frame).parts[-1]
    assert part.freedom <= len(sparsities)  # one residual for each, with two seeds


def test_averages_over_sparsities_of_arms_that_share_no_seed_hold_the_truth():
    """What a seed does to all its cells does not average out over the sparsities of an arm."""
    held = []
    for draw in range(60):
        means = accuracy_means(study({"pretrain": None, "downstream": (3, 4, 5)}, range(3), draw=draw))
        low, high = means.mean_difference("downstream", "pretrain", list(SPARSITIES)).interval()
        held.append(low <= 0 <= high)
    assert np.mean(held) > 0.85  # 0.63 if its cells are taken as independent


def losses(rise, seeds=(0,), noise=0.0):
    random = np.random.default_rng(0)
    rows = [
        ("gradual", s, seed, 2 + rise * s + noise * random.standard_normal())
        for s in (0, *SPARSITIES)
        for seed in seeds
    ]
    return pd.DataFrame(rows, columns=["method", "target_sparsity", "seed", "pretrain_loss"])


@pytest.mark.parametrize("rise", [3.0, -3.0])
def test_the_loss_of_one_seed_decides_nothing(rise):
    """Its neighbouring sparsities give it a spread, which is for tables of single runs."""
    frame, runs = study({"pretrain": None, "information_deletion": None}, [0]), losses(rise)
    one = Evidence(frame, runs, accuracy_means(frame), loss_means(runs), Analysis(accuracy_margin=1, loss_margin=0.1))
    assert set(claims_table(one).verdict) == {"undecided"}
    paper = comparison.the_paper()
    assert paper.loss.repeated and paper.accuracy.repeated


def test_seeds_are_those_that_decide_what_is_undecided():
    """Accuracy is within a margin of 9 points for sure: it is the loss, at 30 %, that is undecided."""
    frame, runs = study({"pretrain": None}, range(3)), losses(0.2, range(3), noise=0.1)
    margins = Analysis(accuracy_margin=9, loss_margin=0.1)
    found = Evidence(frame, runs, accuracy_means(frame), loss_means(runs), margins)
    rise = found.loss.difference(("gradual", 0.3), ("gradual", 0.0))
    assert accuracy.low_costs_nothing(found).undecided() == [(rise, 0.1)]
    needed = rise.seeds_to_decide(0.1, 3)
    said = f"{needed} seeds in all" if needed else "more than 50 seeds"
    assert f"; {said} would decide it" in claims_table(found).set_index("claim").why["C1"]
    unlearnt = frame.assign(dev_majority=0.9, dev_examples=1000)
    table = claims_table(replace(found, cells=unlearnt)).set_index("claim")
    assert "no task was learnt" in table.why["C1"] and "would decide" not in table.why["C1"]


def test_a_length_of_fine_tuning_that_a_task_lacks_is_left_out():
    rows = [
        (task, seed, epochs, 0.8 + 0.001 * seed * epochs, 0.01 * epochs)
        for task in "ab"
        for seed in range(3)
        for epochs in (0, 1, 3, 6)
        if (task, epochs) != ("b", 6)
    ]
    tuned = pd.DataFrame(rows, columns=["task", "seed", "epochs", "dev_accuracy", "movement_mean"])
    tuned = tuned.assign(learning_rate=1e-3)
    frame = study({"pretrain": None})
    evidence = Evidence(
        frame, pd.DataFrame(), accuracy_means(frame), None, Analysis(accuracy_margin=1, loss_margin=0.1), {}
    )
    found = fine_tuned_first.longer_is_no_help(replace(evidence, analyses={"fine_tune_first": tuned}))
    assert "after 3 epochs minus after 1" in found.why and found.estimate.value == pytest.approx(0.2)
    short = tuned[(tuned.epochs < 3) | (tuned.task == "a")]
    found = fine_tuned_first.longer_is_no_help(replace(evidence, analyses={"fine_tune_first": short}))
    assert found.verdict is Verdict.UNDECIDED and found.why.startswith("not measured")


def test_scratch_has_no_0_percent_row_to_be_compared_with(tmp_path):
    table = pd.read_csv(TABLE)
    scratch = table[(table.arm == "pretrain") & (table.sparsity == 0)].assign(arm="scratch")
    scratch["dev_accuracy"] -= 0.2
    pd.concat([table, scratch]).to_csv(tmp_path / "table.csv", index=False)
    means, paper = accuracy_means(replay.read_table(tmp_path / "table.csv")), comparison.the_paper().accuracy
    assert means.own_zero == paper.own_zero and means.point[DENSE] == pytest.approx(paper.point[DENSE])
    assert means.difference(("scratch", 0.0), DENSE).value == pytest.approx(means.point["scratch", 0.0] - 0.8709)


def test_arms_of_a_table_with_deviations_keep_their_own_0_percent_rows(tmp_path):
    table = pd.read_csv(TABLE)[["task", "arm", "sparsity", "dev_accuracy"]]
    table.assign(std=0.003, n=3).to_csv(tmp_path / "table.csv", index=False)
    means, paper = accuracy_means(replay.read_table(tmp_path / "table.csv")), comparison.the_paper().accuracy
    assert means.own_zero == paper.own_zero and means.covers == ("seeds",)
    ours, theirs = (one.mean_difference("downstream", "pretrain", [0.4, 0.5]) for one in (means, paper))
    assert ours.value == pytest.approx(theirs.value)
    found = means.difference(("pretrain", 0.4), DENSE)
    assert found.error == pytest.approx(np.sqrt(2 * 0.003**2 / 3 / 5)) and found.freedom == pytest.approx(20)


def test_components_are_those_of_the_arms_whose_variance_is_pooled():
    frame = pd.concat([study({"pretrain": None}, draw=repeat).assign(repeat=repeat) for repeat in range(3)])
    frame = selected(frame.drop(columns="selected").reset_index(drop=True))
    wild = frame[frame.arm == "dense"].assign(arm="scratch")
    wild["dev_accuracy"] = np.random.default_rng(0).random(len(wild))
    pd.testing.assert_frame_equal(components(pd.concat([frame, wild], ignore_index=True)), components(frame))


def test_dev_examples_never_make_the_spread_over_seeds_smaller():
    """Their part is a difference of estimates and may be negative: it must not leave an error of 0, which decides all."""
    point = pd.Series([0.8, 0.7], pd.MultiIndex.from_tuples([DENSE, ("pretrain", 0.5)]))
    seeds, answers = Part(np.diag([1.0, 1.0]), 4), Part(np.diag([-1.5, -1.0]), 300, lasting=True)
    found = Means(point, (seeds, answers), ("seeds", "dev examples")).difference(("pretrain", 0.5), DENSE)
    assert (found.error, found.freedom, found.lasting) == pytest.approx((np.sqrt(2), 4, 0))


def test_a_gain_within_the_margin_is_not_called_none():
    """Information deletion is 0.4 points better for sure, which is within the margin of half a point: no high regime."""
    frame = study({"pretrain": None, "information_deletion": None}, range(3), noise=0.01)
    frame.loc[frame.arm == "information_deletion", "dev_accuracy"] += 0.004
    margins = Analysis(accuracy_margin=0.5, loss_margin=0.1)
    found, runs = find(accuracy_means(frame), None, margins), losses(0.2)
    said = "\n".join(
        sentences(frame.assign(train_loss=0.1), curves(frame.assign(train_loss=0.1), runs), found, margins)
    )
    assert "does not beat the pruned model by more than the margin" in said


def test_the_simulated_study_whose_task_has_one_seed_is_analysed():
    assert verdicts.shares(verdicts.WORLDS["a seed fails a task, 2 seeds"], 1)["C3"]


squares = st.sampled_from([0.0, 1e-30, 1e-3, 0.1, 1.0, 30.0])  # mean square of the residuals of a sparsity
levels = st.lists(
    st.tuples(st.integers(0, 9), squares, st.integers(1, 20)), min_size=3, unique_by=lambda level: level[0]
)


@given(levels)
def test_the_trend_of_variances_is_a_gamma_regression_and_stays_bounded(table):
    """No line near it has less deviance, which is convex; squares that are 0 at some sparsities do not lead it astray."""
    at, means, free = np.array(sorted(table), float).T
    assume(means.any() and free.sum() >= ENOUGH)
    found, _ = line(at / 10, means * free, free)
    assert found.max() <= (1 + 1e-9) * means @ free
    if np.isclose(found.max(), means @ free):
        return  # all squares together

    def deviance(trend):
        return free @ (trend + np.maximum(means, LEAST * (means @ free) / free.sum()) * np.exp(-trend))

    fitted, span = np.log(found), (at - at[0]) / np.ptp(at)
    assert fitted == pytest.approx(fitted[0] + (fitted[-1] - fitted[0]) * span, abs=1e-6)
    for rise, slope in [(0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01), (0.01, -0.01), (-0.01, 0.01)]:
        assert deviance(fitted) <= deviance(fitted + rise + slope * span)


def own_arms(missing):
    """A study of the dense model and two arms of its own, whose noise is 0.3 points; one may lack a cell."""
    frame = study({"first": None, "second": None}, range(5)).assign(commit="c")
    return frame[~((frame.arm == "first") & (frame.target_sparsity == 0.9) & (frame.seed == 1) & missing)]


def test_a_missing_cell_of_an_arm_of_its_own_hardly_widens_its_interval():
    whole, rest = (accuracy_means(own_arms(missing)) for missing in (False, True))
    for one, other in [(("first", 0.9), ("second", 0.9)), (("first", 0.5), DENSE)]:
        errors = [100 * means.difference(one, other).error for means in (whole, rest)]
        assert 0.1 < errors[0] < 0.4 and errors[1] == pytest.approx(errors[0], rel=0.3)


@pytest.mark.parametrize("drawn", [{}, {"random": None}])
@pytest.mark.parametrize("base", [0.9, 0.8, 0.843])
def test_seeds_that_are_copies_tell_no_spread_whatever_another_arm_does(base, drawn):
    frame = study({"pretrain": None, "downstream": None, **drawn}, range(3), (0.3, 0.4))
    alike = frame.arm != "random"
    frame.loc[alike, "dev_accuracy"] = np.where(frame.arm == "dense", base, base - 0.01)[alike]
    means = accuracy_means(frame)
    assert means.difference(("pretrain", 0.3), DENSE).error is None
    assert find(means, None, Analysis(accuracy_margin=1.0, loss_margin=0.1)).low.interval is None


def test_arms_that_were_repeated_have_errors_beside_arms_that_were_not():
    repeated = study({"random": None, "scratch": None}, range(3), draw=1)
    means = accuracy_means(pd.concat([study({"pretrain": None}, [0]), repeated[repeated.arm != "dense"]]))
    assert means.difference(("pretrain", 0.5), ("pretrain", 0.7)).error is None
    assert 0 < 100 * means.difference(("random", 0.5), ("scratch", 0.5)).error < 1


@pytest.mark.parametrize("values", [[91.5, 91.5, 91.5], [91.0, 90.0, 89.0], [92.2, 91.7, 91.2]])
def test_points_on_a_line_tell_no_spread(values):
    """A table of single runs, each arm with a 0 % row of its own."""
    at = pd.MultiIndex.from_product([["pretrain"], [0.0, 0.2, 0.4]])
    (part,) = within_arms(pd.Series(np.array(values) / 100, at), {"pretrain": ""})
    assert np.isnan(part.covariance.diagonal()).all()


@pytest.mark.parametrize("value", [0.4 - 0.3, 0.5 - 0.4, 0.9 - 0.8])
def test_a_value_at_the_limit_is_within_it_whatever_its_last_digit(value):
    for estimate in (Estimate(value, 0.0), Estimate(-value, 0.0).scaled(-1)):
        assert estimate.at_most(0.1) is estimate.at_least(0.1) is Verdict.SUPPORTED
    assert Estimate(value - 0.1, 0.0).p_value() == 1 and Estimate(value, 0.0).p_value() == 0
