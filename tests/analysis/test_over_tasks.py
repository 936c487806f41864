"""What differs between tasks: recoveries over training sets, slopes, train losses; claims C12 to C15 case by case."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prune_utils.analysis import comparison, linearity
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import accuracy, fitting, lines
from prune_utils.analysis.foreign import replay
from prune_utils.analysis.noise.estimates import Estimate, Verdict, combined
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.noise.tasks import trend
from prune_utils.data.glue import GLUE
from prune_utils.study import paths
from prune_utils.study.schema import Analysis
from prune_utils.study.section import ParamsError

TABLE = paths.ROOT / "prune_utils/analysis/published/table1_glue_by_sparsity.csv"
SIZES = {"a": 1_000, "b": 10_000, "c": 100_000, "d": 1_000_000}
values = st.lists(st.floats(-10, 10).map(lambda value: round(value, 3)), min_size=3, max_size=8).filter(np.ptp)


@given(values, st.integers(0, 2**32))
def test_without_noise_of_their_own_tasks_have_the_line_of_least_squares(y, seed):
    x = np.random.default_rng(seed).permutation(len(y)) + 0.5
    ours, theirs = trend(x, [Estimate(one, 0.0) for one in y]), stats.linregress(x, y)
    assert ours.value == pytest.approx(theirs.slope, abs=1e-5)
    assert ours.error == pytest.approx(theirs.stderr, rel=1e-3, abs=1e-4)
    assert ours.freedom == len(y) - 2


@given(values, st.integers(0, 2**32))
def test_of_tasks_that_differ_by_noise_alone_each_counts_by_its_noise(y, seed):
    random = np.random.default_rng(seed)
    x, errors = random.permutation(len(y)) + 0.5, random.uniform(20, 60, len(y))
    ours = trend(x, [Estimate(one, error) for one, error in zip(y, errors, strict=True)])
    theirs = sm.WLS(y, sm.add_constant(x), weights=errors**-2).fit()
    assert ours.value == pytest.approx(theirs.params[1], abs=1e-7)
    assert ours.error == pytest.approx(np.sqrt(theirs.normalized_cov_params[1, 1]))


@given(values, st.floats(0.1, 2), st.floats(-50, 50))
def test_a_trend_is_that_of_differences(y, error, shift):
    x = np.arange(len(y))
    one, other = (trend(x, [Estimate(v + by, error) for v in y]) for by in (0.0, shift))
    assert (one.value, one.error) == pytest.approx((other.value, other.error), abs=1e-6)


def test_too_few_tasks_or_one_without_a_spread_give_no_error():
    assert trend([1, 2], [Estimate(0.0, 0.1), Estimate(1.0, 0.1)]) == Estimate(1.0)
    assert trend([1, 2, 3], [Estimate(0.0, 0.1), Estimate(1.0), Estimate(2.0, 0.1)]).error is None


def test_independent_estimates_add_up():
    found = combined([1, -2], [Estimate(3.0, 0.3, 5, 0.2), Estimate(1.0, 0.4, 7, 0.1)])
    assert (found.value, found.error, found.lasting) == pytest.approx((1.0, np.sqrt(0.09 + 0.64), np.sqrt(0.04 + 0.04)))
    assert found.freedom == pytest.approx(0.73**2 / (0.09**2 / 5 + 0.64**2 / 7))
    assert combined([1, 1], [Estimate(3.0, 0.3), Estimate(1.0)]).error is None


def study(cells, seeds=(0, 1, 2), noise=0.05, **columns):
    """`cells`: points and train loss by task, arm and sparsity; noise, in points and hundredths of a nat, of ± that size."""
    rows = [
        {"task": task, "arm": arm, "target_sparsity": s, "seed": seed, "pretrain_loss": 2 + 3 * s}
        | {"dev_accuracy": (points + own) / 100, "train_loss": loss + own / 100, "train_examples": SIZES.get(task)}
        for seed in seeds
        for place, ((task, arm, s), (points, loss)) in enumerate(cells.items())
        for own in [noise * (seed - 1) * (-1) ** (place // 2)]
    ]
    frame = pd.DataFrame(rows).assign(selected=True, learning_rate=1e-3, **columns)
    return Evidence(frame, pd.DataFrame(), accuracy_means(frame), None, Analysis(accuracy_margin=0.5, loss_margin=0.1))


def recovering(gains, **columns):
    """Tasks whose pruned model lies at 70 %, and gains so many points by information deletion."""
    cells = {}
    for task, gain in gains.items():
        cells |= {
            (task, "dense", 0.0): (90, 0.1),
            (task, "pretrain", 0.5): (85, 0.1),
            (task, "pretrain", 0.9): (70, 0.1),
        }
        cells |= {(task, "information_deletion", 0.9): (70 + gain, 0.1)}
    return study(cells, **columns)


@pytest.mark.parametrize(
    "gains, verdict, slope",
    [
        ({"a": 0.0, "b": 2.1, "c": 3.9, "d": 6.0}, "supported", 1.98),
        ({"a": 6.0, "b": 3.9, "c": 2.1, "d": 0.0}, "not supported", -1.98),
        ({"a": 3.0, "b": -2.0, "c": 4.0, "d": 2.5}, "undecided", 0.45),
        ({"a": 0.0, "b": 2.0, "c": 3.0}, "undecided", 1.5),  # three tasks leave one degree of freedom
    ],
)
def test_recovery_is_held_against_training_sets(gains, verdict, slope):
    found = accuracy.recovery_grows_with_examples(recovering(gains))
    assert found.verdict == verdict and found.estimate.value == pytest.approx(slope, abs=0.01), found.why
    assert found.estimate.freedom == len(gains) - 2 and found.undecided() == []  # no seeds would decide it


def test_recovery_needs_three_tasks_that_are_learnt_and_differ_in_size():
    gains = {"a": 0.0, "b": 2.0, "c": 4.0, "d": 6.0}
    for lacking in (
        recovering({"a": 0.0, "b": 2.0}),
        recovering(gains, train_examples=5),
        recovering(gains, train_examples=np.nan),
    ):
        found = accuracy.recovery_grows_with_examples(lacking)
        assert found.verdict is Verdict.UNDECIDED and found.estimate is None and "train_examples" in found.why
    majority = {"dev_majority": lambda frame: frame.task.map({"a": 0.95}).fillna(0.5), "dev_examples": 10_000}
    found = accuracy.recovery_grows_with_examples(recovering(gains, **majority))
    assert found.estimate.freedom == 1 and "a (" not in found.why  # task a is not learnt
    floor = {"dev_majority": lambda frame: frame.task.map({"a": 0.7}).fillna(0.5), "dev_examples": 10_000}
    found = accuracy.recovery_grows_with_examples(recovering(gains, **floor))
    assert found.estimate.freedom == 2 and "without a, with a cell at the majority class, the claim is" in found.why


def fitted(tasks, **columns):
    """Tasks by gap to the dense model, points, and rise of the train loss, nats."""
    cells = {}
    for task, (gap, rise) in tasks.items():
        cells |= {(task, "dense", 0.0): (90, 0.2), (task, "information_deletion", 0.5): (89, 0.2)}
        cells |= {(task, "information_deletion", 0.9): (90 - gap, 0.2 + rise), (task, "pretrain", 0.9): (60, 0.6)}
    return study(cells, **columns)


@pytest.mark.parametrize(
    "tasks, verdict, gap",
    [
        ({"a": (10, -0.1), "b": (4, 0.0)}, "supported", 7.0),
        ({"a": (10, 0.3), "b": (4, 0.0)}, "supported", 4.0),  # task a is not fitted, and does not count
        ({"a": (10, 0.3), "b": (0.1, 0.0)}, "not supported", 0.1),
        ({"a": (0.5, 0.0)}, "undecided", 0.5),  # exactly the margin
        ({"a": (10, 0.05)}, "undecided", 10.0),  # exactly the limit of the train loss
        ({"a": (10, 0.3)}, "undecided", None),  # fitted on no task
    ],
)
def test_a_gap_counts_where_the_task_is_fitted(tasks, verdict, gap):
    found = fitting.information_is_gone(fitted(tasks))
    assert found.verdict == verdict, found.why
    assert found.estimate is None if gap is None else found.estimate.value == pytest.approx(gap, abs=0.06)
    assert all(f"{task} {rise:+.2f}" in found.why for task, (_, rise) in tasks.items())  # of every task
    once = fitting.information_is_gone(fitted(tasks, seeds=(1,)))
    assert once.verdict is Verdict.UNDECIDED and (once.estimate is None) == (gap is None)


def test_the_squared_error_of_a_regression_is_no_train_loss_in_nats():
    pearson = {"dev_pearson": lambda frame: frame.dev_accuracy.where(frame.task == "b")}
    pearson |= {"dev_majority": lambda frame: (frame.task == "a").map({True: 0.5}), "dev_examples": 1000}
    found = fitting.information_is_gone(fitted({"a": (10, 0.0), "b": (4, 0.0)}, **pearson))
    assert found.estimate.value == pytest.approx(10, abs=0.06) and "b +" not in found.why
    for find in (fitting.information_is_gone, fitting.downstream_fits_alike):
        found = find(fitted({"a": (10, 0.0)}, train_loss=np.nan))
        assert found.verdict is Verdict.UNDECIDED and found.why.startswith("not measured: train losses")


def alike(*differences, **columns):
    cells = {("a", "dense", 0.0): (90, 0.2)}
    for place, difference in enumerate(differences, start=1):
        cells |= {("a", arm, place / 10): (90, 0.2 + d) for arm, d in (("pretrain", 0), ("downstream", difference))}
    return study(cells, **columns)


@pytest.mark.parametrize(
    "differences, verdict",
    [
        ([0.01, -0.01, 0.02], "supported"),
        ([0.1, 0.1, 0.1], "not supported"),
        ([-0.1, -0.1, -0.1], "not supported"),
        ([0.05, 0.05, 0.05], "undecided"),  # exactly the limit
        ([0.3, 0.0, -0.3], "not supported"),  # equal on average only
    ],
)
def test_train_losses_are_alike_within_the_limit_on_average_and_nowhere_beyond(differences, verdict):
    found = fitting.downstream_fits_alike(alike(*differences))
    assert found.verdict == verdict and found.unit == "nats", found.why
    assert found.estimate.value == pytest.approx(np.mean(differences), abs=1e-3)
    assert fitting.downstream_fits_alike(alike(*differences, seeds=(1,))).verdict is Verdict.UNDECIDED


def test_a_train_loss_that_longer_training_lowers_is_compared_with_that_of_a_dense_model_trained_as_long():
    cells = {("a", "dense", 0.0): (90, 0.2), ("a", "downstream", 0.0): (91, 0.1)}
    cells |= {("a", arm, 0.5): (85, loss) for arm, loss in (("pretrain", 0.4), ("downstream", 0.3))}
    found = fitting.downstream_fits_alike(study(cells))
    assert found.verdict == "supported" and found.estimate.value == pytest.approx(0, abs=1e-3), found.why
    assert "which the longer training of downstream changes by -0.10" in found.why


def costing(slopes, **columns):
    """Tasks by what a nat of pre-training loss costs, points; a task that would fall below 60 % stays there."""
    return study(
        {
            (task, "information_deletion" if s else "dense", s): (max(90 - slope * 3 * s, 60), 0.1)
            for task, slope in slopes.items()
            for s in (0.0, 0.2, 0.4, 0.6, 0.8)
        },
        **columns,
    )


@pytest.mark.parametrize(
    "slopes, verdict, difference",
    [
        ({"a": 2.0, "b": 5.0}, "supported", 3.0),
        ({"a": 2.0, "b": 2.1, "c": 7.0}, "supported", 5.0),
        ({"a": 2.0, "b": 2.1, "c": 2.1}, "not supported", 0.1),
        ({"a": 2.0, "b": 2.5}, "undecided", 0.5),  # exactly the margin per nat
    ],
)
def test_slopes_are_told_apart(slopes, verdict, difference):
    noise = 0.8 if verdict == "undecided" else 0.05
    found = lines.slopes_differ(costing(slopes, noise=noise))
    assert found.verdict == verdict, found.why
    assert found.estimate.value == pytest.approx(difference, abs=0.1)
    low, high = found.estimate.interval()
    assert (low > 0) == (verdict == "supported") or verdict == "not supported"
    assert lines.slopes_differ(costing(slopes, seeds=(1,))).verdict is Verdict.UNDECIDED
    assert lines.slopes_differ(costing({"a": 2.0})).estimate is None


def test_an_interval_of_the_most_certain_pair_holds_all_pairs_at_once():
    found = linearity.lines(costing({"a": 2.0, "b": 3.0, "c": 5.0}))
    pairs = linearity.differences(found)
    assert list(pairs) == [("c", "b"), ("c", "a"), ("b", "a")] and all(one.value > 0 for one in pairs.values())
    one = pairs["c", "a"]
    half = stats.t.ppf(1 - 0.05 / 2 / 3, one.freedom) * one.error
    wide = lines.slopes_differ(costing({"a": 2.0, "b": 3.0, "c": 5.0})).estimate.interval()
    assert wide == pytest.approx((one.value - half, one.value + half))


def test_the_floor_rule_and_what_follows_without_it_are_said_of_both_claims():
    floor = {"dev_majority": 0.59, "dev_examples": 1000}  # at 60 % cells are not above it
    found = costing({"a": 2.0, "b": 25.0, "c": 3.0}, **floor)
    for find in (lines.a_bit_of_bert, lines.slopes_differ):
        assert "left out on b, and with them the claim is" in find(found).why
    alone = lines.slopes_differ(costing({"a": 2.0, "b": 25.0}, **floor))
    assert alone.estimate is None and "above the majority class" in alone.why
    mild = costing({"a": 2.0, "b": 7.0}, **floor)
    for find in (lines.a_bit_of_bert, lines.slopes_differ):
        assert "left out" not in find(mild).why and "without any cell at 80 % it is" in find(mild).why


def test_the_paper_s_tables_have_the_sizes_of_the_released_tasks_and_its_own_recoveries():
    cells = comparison.the_paper().cells
    assert dict(cells.groupby("task").train_examples.first()) == {task: GLUE[task].train for task in set(cells.task)}
    table = pd.read_csv(TABLE).set_index(["arm", "sparsity", "task"]).sort_index()
    gain = (table.loc["information_deletion", 0.9] - table.loc["pretrain", 0.9]).dev_accuracy * 100
    assert gain[["MNLI", "QQP", "SST-2", "CoLA"]].tolist() == pytest.approx([8.1, 6.4, 2.7, 0.0])  # paper §4.3
    freed = table.loc["information_deletion"]
    gap, rise = freed.loc[0.0, "QNLI"] - freed.loc[0.9, "QNLI"], freed.loc[0.9, "QNLI"] - freed.loc[0.0, "QNLI"]
    assert gap.dev_accuracy == pytest.approx(0.132) and rise.train_loss < 0
    assert "QNLI +13.2" in fitting.information_is_gone(comparison.the_paper()).why


@pytest.mark.parametrize(
    "text, message",
    [
        ("12.5", "line 2: train_examples is '12.5'; allowed is a whole number from 1 up"),
        ("9", "train_examples is 9 in line 2 and 8551 in line [0-9]+; allowed is one for each task"),
    ],
)
def test_a_table_has_one_size_for_each_task(tmp_path, text, message):
    table = pd.read_csv(TABLE, dtype=str)
    table = pd.concat(
        [table[table.task == "CoLA"].iloc[:1].assign(train_examples=text), table.iloc[:4], table.iloc[5:]]
    )
    table.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ParamsError, match=message):
        replay.read_table(tmp_path / "table.csv")
