"""Intervals, verdicts and lines, on cases worked by hand and on simulated studies whose borders are known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from simulation import MARGIN, NOISE, SPARSITIES, cells, truth

from prune_utils.analysis import claims, comparison, replay
from prune_utils.analysis.estimates import Estimate, Verdict, all_of
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.linearity import bent, line_fits, mean_slope
from prune_utils.analysis.regimes import find
from prune_utils.analysis.results import selected_on_half
from prune_utils.analysis.uncertainty import accuracy_draws, loss_draws, seed_spread
from prune_utils.study import paths
from prune_utils.study.schema import Analysis
from prune_utils.study.section import ParamsError

MARGINS = Analysis(accuracy_margin=MARGIN, loss_margin=0.15)


def test_verdicts_are_decided_only_where_the_bound_is_on_one_side():
    estimate = Estimate(1.0, np.linspace(0.0, 2.0, 2001))  # its one-sided bounds are 0.1 and 1.9
    assert estimate.at_most(1.91) is Verdict.SUPPORTED and estimate.at_most(1.89) is Verdict.UNDECIDED
    assert estimate.at_most(0.09) is Verdict.NOT_SUPPORTED and estimate.at_least(0.09) is Verdict.SUPPORTED
    assert estimate.interval() == pytest.approx((0.05, 1.95))
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
    assert Estimate.over_seeds(values).interval() == pytest.approx((low, high), abs=0.01)


def test_the_spread_of_seeds_leaves_their_common_shift_out():
    fall = gain = np.zeros(9)
    frame = cells(2, fall, gain, np.random.default_rng(0))
    shifted = frame.assign(dev_accuracy=frame.dev_accuracy + 0.3 * frame.seed)
    assert seed_spread(shifted) == pytest.approx(seed_spread(frame))
    spread, freedom = seed_spread(frame)
    assert freedom == 18  # 2 seeds, 19 conditions
    expected = np.sqrt(sum(noise**2 for noise in NOISE.values())) / len(NOISE) / 100
    assert 0.6 * expected < spread < 1.5 * expected


def test_dev_examples_are_redrawn_in_pairs():
    """Two arms that answer alike differ by nothing in every draw; each alone varies as a share of examples does."""
    right = np.random.default_rng(0).random(400) < 0.8
    index = pd.MultiIndex.from_tuples(
        [("dense", 0.0, 0), ("pretrain", 0.5, 0)], names=["arm", "target_sparsity", "seed"]
    )
    correct = {"a": pd.DataFrame([right, right], index=index)}
    frame = index.to_frame(index=False).assign(task="a", dev_accuracy=right.mean(), selected=True)
    draws = accuracy_draws(frame, correct)
    assert draws.covers == ("dev examples",)
    assert np.allclose(draws.drawn["dense", 0.0], draws.drawn["pretrain", 0.5])
    assert draws.drawn["dense", 0.0].std() == pytest.approx(right.std() / 20, rel=0.1)
    # and still one seed is no ground for a verdict
    assert draws.difference(("pretrain", 0.5), ("dense", 0.0)).at_most(1.0) is Verdict.UNDECIDED


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(capsys):
    """The coverage table. A border can only be a sparsity measured, so that its interval holds more than it must."""
    studies, lines = 60, ["seeds  low found  low held  high found  high held  differences held (95 % nominal)"]
    for seeds in (1, 3, 5):
        random, hits = np.random.default_rng(seeds), []
        for _ in range(studies):
            low, high, fall, gain = truth(random)
            draws = accuracy_draws(cells(seeds, fall, gain, random))
            found = find(draws, None, MARGINS)
            first, last = (2.0 if end is None else end for end in found.high.interval)
            falls = [draws.difference(("dense", 0.0), ("pretrain", s)).interval() for s in SPARSITIES]
            held = np.mean([100 * a <= f <= 100 * b for (a, b), f in zip(falls, fall, strict=True)])
            ends = found.low.interval
            hits.append([found.low_until == low, ends[0] <= low <= ends[1], found.high_from == high])
            hits[-1] += [first <= high <= last, held]
        shares = np.mean(hits, axis=0)
        lines.append(
            f"{seeds:5}  {shares[0]:9.2f}  {shares[1]:8.2f}  {shares[2]:10.2f}  {shares[3]:9.2f}  {shares[4]:16.3f}"
        )
        assert shares[1] >= 0.93 and shares[3] >= 0.93 and shares[4] == pytest.approx(0.95, abs=0.035)
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def line(task, slope, bend=0.0, noise=0.0):
    losses = np.linspace(1.8, 5.0, 9)
    random = np.random.default_rng(len(task))
    accuracy = 90 + slope * (losses - 1.8) + bend * (losses - 3.4) ** 2 + noise * random.standard_normal(9)
    return pd.DataFrame(
        {
            "task": task,
            "arm": "information_deletion",
            "target_sparsity": np.arange(1, 10) / 10,
            "seed": 0,
            "pretrain_loss": losses,
            "dev_accuracy": accuracy / 100,
            "selected": True,
        }
    )


def test_a_straight_line_is_told_from_a_bent_one():
    fits = line_fits(pd.concat([line("straight", -3.0, noise=0.1), line("bent", -2.0, bend=1.0, noise=0.1)]))
    fits = fits.set_index("task")
    assert fits.slope["straight"] == pytest.approx(-3.0, abs=0.1) and fits.slope["bent"] == pytest.approx(-2.0, abs=0.1)
    assert abs(fits.slope["straight"] + 3.0) < 4 * fits.error["straight"]
    assert bent(fits.reset_index(), 0.05) == ["bent"]
    assert mean_slope(fits.reset_index()).value == pytest.approx(fits.slope.mean())
    assert line_fits(line("few", -1.0).head(3)).empty


def test_the_published_tables_give_the_paper_s_own_regimes_and_claims():
    paper = comparison.the_paper()
    found = find(paper.accuracy, paper.loss, paper.margins)
    assert found.low_until in (0.3, 0.4) and found.low.interval[0] <= 0.3 and found.low.interval[1] >= 0.4
    assert found.high_from == 0.7
    table = claims.claims_table(paper, paper).set_index("claim")
    assert (table.measured.dropna() == table.published.dropna()).all()
    means = paper.cells.groupby(["arm", "target_sparsity"]).dev_accuracy.mean() * 100
    assert table.measured["C3"] == pytest.approx(means["information_deletion", 0.9] - means["pretrain", 0.9], abs=1e-3)
    assert table.measured["C9"] == pytest.approx(86.68 - 81.20, abs=1e-3)
    assert [table.verdict[c] for c in ("C1", "C3", "C5", "C9")] == ["supported"] * 4
    assert table.verdict["C4"] == "not supported" and "CoLA" in table.why["C4"]  # at its majority class it is flat
    assert [table.verdict[c] for c in ("C6", "C8", "C10")] == ["undecided"] * 3
    low, high = json.loads(table.interval["C3"])
    assert low < table.measured["C3"] < high


def evidence(frame, analyses):
    return Evidence(frame, pd.DataFrame(), accuracy_draws(frame), None, MARGINS, analyses)


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
            {"seed": s, "epochs": e, "dev_accuracy": 0.8 + 0.1 * (e == 6) + 0.001 * s * e, "movement_mean": 0.01 * e}
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
    draws = accuracy_draws(read)
    assert not draws.has(("pretrain", 0.2)) and draws.has(("pretrain", 0.3)) and replay.losses(read).empty
    found = find(draws, None, MARGINS)
    assert (
        found.high_from is None and found.low_until == 0.4 and found.low.interval is None
    )  # at 40 % by exactly the margin


def test_losses_of_one_run_have_no_spread():
    runs = replay.losses(comparison.the_paper().cells)
    assert loss_draws(runs).covers == ()
    again = pd.concat([runs, runs.assign(seed=1, pretrain_loss=runs.pretrain_loss + 0.01 * runs.target_sparsity)])
    assert loss_draws(again).covers == ("seeds",)


def test_selection_on_one_half_is_scored_on_the_other():
    # one rate answers the even examples, the other the odd: chosen and scored on different halves both are worthless
    even = np.arange(8) % 2 == 0
    index = pd.MultiIndex.from_tuples(
        [("dense", 0.0, 0, 1e-3), ("dense", 0.0, 0, 2e-3)], names=["arm", "target_sparsity", "seed", "learning_rate"]
    )
    halves = selected_on_half(pd.DataFrame(), {"a": pd.DataFrame([even, ~even], index=index)})
    assert halves.dev_accuracy[0] == 0.5 and halves.held_out_accuracy[0] == 0.0
