import itertools

import pandas as pd
import pytest

from prune_utils.analysis.claims import claims_table
from prune_utils.analysis.evidence import Evidence, unlearnt
from prune_utils.analysis.noise.means import Means
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.analysis.regimes import Regimes, curves, find
from prune_utils.analysis.results import mean_over_tasks
from prune_utils.report import plots_pretraining, plots_regimes, tables
from prune_utils.report.sentences import sentences
from prune_utils.study.schema import Analysis

MARGINS = Analysis(accuracy_margin=0.5, loss_margin=0.05)
SPARSITIES = [0.0, 0.3, 0.5, 0.7, 0.9]
#                 0     30    50    70    90 %
PRETRAIN = [90.0, 89.8, 86.0, 80.0, 70.0]
DELETION = [90.0, 89.9, 86.2, 82.0, 78.0]
LOSS = [2.00, 2.02, 2.20, 2.60, 3.40]


def study(tasks=("a", "b"), seeds=(0, 1)):
    """Cells and runs with the accuracies and losses above, a task apart by two points and a seed by 0.2.

    Two seeds have noise of ±0.0001 points or nats that no mean keeps.
    """
    rows, noise = [], {0: 0.0001, 1: -0.0001} if len(seeds) > 1 else {0: 0.0}
    for (i, task), seed in itertools.product(enumerate(tasks), seeds):
        shift = 2 * i + 0.2 * seed
        rows += [
            {
                "arm": arm,
                "target_sparsity": 0.0,
                "dev_accuracy": (value + shift) / 100,
                "train_loss": 0.1,
                "task": task,
                "seed": seed,
            }
            for arm, value in (("dense", 90.0), ("scratch", 60.0))
        ]
        for arm, values in (("pretrain", PRETRAIN), ("information_deletion", DELETION)):
            rows += [
                {
                    "arm": arm,
                    "target_sparsity": s,
                    "dev_accuracy": (v + shift + noise[seed] * (-1) ** round(10 * s)) / 100,
                    "task": task,
                    "seed": seed,
                    "train_loss": 0.1 + s * (arm == "pretrain"),
                }
                for s, v in zip(SPARSITIES[1:], values[1:], strict=True)
            ]
    cells = pd.DataFrame(rows).assign(selected=True, dev_examples=100, learning_rate=1e-3)
    runs = pd.DataFrame(
        [
            {
                "method": "gradual",
                "target_sparsity": s,
                "pretrain_loss": loss + noise[seed] * (-1) ** round(10 * s),
                "seed": seed,
            }
            for s, loss in zip(SPARSITIES, LOSS, strict=True)
            for seed in seeds
        ]
    )
    return cells, runs


def regimes(cells, runs) -> Regimes:
    return find(accuracy_means(cells), loss_means(runs), MARGINS)


def test_the_definitions_on_a_case_worked_by_hand():
    cells, runs = study()
    found = regimes(cells, runs)
    assert (found.low_until, found.high_from) == (0.3, 0.7)
    assert [found.of(s) for s in SPARSITIES] == ["low", "low", "medium", "high", "high"]


def test_a_rise_of_pretraining_loss_alone_ends_the_low_regime():
    cells, runs = study()
    runs.loc[runs.target_sparsity == 0.3, "pretrain_loss"] = 2.06
    assert regimes(cells, runs).low_until == 0.0


def test_low_is_unbroken_from_zero_and_high_to_the_end():
    cells, runs = study()
    cells.loc[(cells.arm == "pretrain") & (cells.target_sparsity == 0.3), "dev_accuracy"] -= 0.05
    cells.loc[(cells.arm == "pretrain") & (cells.target_sparsity == 0.5), "dev_accuracy"] = 0.95
    cells.loc[(cells.arm == "information_deletion") & (cells.target_sparsity == 0.9), "dev_accuracy"] -= 0.2
    found = regimes(cells, runs)
    assert (found.low_until, found.high_from) == (0.0, None)


def test_what_is_not_there_is_not_said():
    cells, runs = study()
    without = cells[cells.arm != "information_deletion"]
    table = curves(without, runs)
    found = regimes(without, runs)
    assert (found.low_until, found.high_from) == (0.3, None)
    assert not any("information" in s for s in sentences(without, table, found, MARGINS))


def test_what_an_unfinished_study_lacks_is_not_said():
    cells, runs = study()
    # scratch without any dense; pretrain and information deletion at no sparsity in common
    hole = cells.task.eq("a") & cells.arm.eq("pretrain") & cells.target_sparsity.eq(0.5)
    assert "nan" not in tables.table_one(cells[~hole]).to_string().lower()
    for part in (
        cells[cells.arm != "dense"],
        cells[cells.arm != "scratch"],
        cells[~((cells.arm == "pretrain") & (cells.target_sparsity > 0.3))],
        cells[
            ~(cells.arm.eq("pretrain") & cells.target_sparsity.gt(0.3))
            & ~(cells.arm.eq("information_deletion") & cells.target_sparsity.lt(0.5))
        ],
    ):
        said = sentences(part, curves(part, runs), regimes(part, runs), MARGINS)
        assert said and not any("nan" in sentence for sentence in said)
        assert "nan" not in tables.table_one(part).to_string().lower()


def test_points_are_means_and_seeds_in_percent():
    cells, _ = study()
    draws = accuracy_means(cells)
    table = tables.points(cells, "dev_accuracy", 100, draws)
    row = table.loc[("pretrain", 30.0)]
    assert list(row[["seed 0", "seed 1", "mean"]]) == pytest.approx(
        [90.8, 91.0, 90.9], abs=1e-3
    )  # 89.8, and tasks 2 apart
    assert row.low <= row["mean"] <= row.high
    fine = cells.assign(target_sparsity=cells.target_sparsity.replace({0.3: 0.124, 0.5: 0.126}))
    assert {12.4, 12.6} <= set(tables.points(fine, "dev_accuracy").index.get_level_values(1))


def test_a_task_that_was_not_learnt_decides_nothing():
    cells, runs = study()
    assert unlearnt(cells) == []
    majority = cells.assign(dev_majority=cells.task.map({"a": 0.5, "b": 0.9}))  # dense: 90.1 and 92.1 of 100 examples
    assert unlearnt(majority) == ["b"]
    said = sentences(majority, curves(cells, runs), regimes(cells, runs), MARGINS)
    assert said[0].startswith("**Not learnt: b.**")
    for low, verdicts in ((0.5, {"supported", "not supported"}), (0.91, {"undecided"})):
        learnt = cells.assign(dev_majority=low, pretrain_loss=float("nan"))
        found = Evidence(learnt, runs, accuracy_means(learnt), loss_means(runs), MARGINS)
        table = claims_table(found).set_index("claim")
        assert (set(table.verdict[["C1", "C3"]]) <= verdicts) and table.measured[["C1", "C3"]].notna().all()


def test_a_seed_without_all_tasks_is_filled_in_and_said():
    cells, _ = study()
    hole = cells[~((cells.task == "b") & (cells.seed == 1) & (cells.target_sparsity == 0.9))]
    means = mean_over_tasks(hole)
    assert means[~means.whole].seed.tolist() == [1, 1]  # both arms at 90 %
    whole = mean_over_tasks(cells)
    assert list(means.dev_accuracy) == pytest.approx(list(whole.dev_accuracy))  # seeds differ by a constant here


def test_sentences_tables_and_tests_agree_where_a_seed_lacks_something():
    """Seeds differ by a constant: a missing cell or run must not change a mean."""
    cells, runs = study()
    runs = runs.assign(pretrain_loss=runs.pretrain_loss + 0.3 * runs.seed)
    hole = cells[~((cells.task == "b") & (cells.seed == 1) & (cells.target_sparsity == 0.9))]
    lacking = runs[~((runs.seed == 1) & (runs.target_sparsity == 0.5))]
    pd.testing.assert_frame_equal(curves(hole, lacking), curves(cells, runs), check_exact=False, rtol=0, atol=1e-3)
    assert list(tables.table_one(hole).average) == list(tables.table_one(cells).average)
    rise = loss_means(lacking).difference(("gradual", 0.5), ("gradual", 0.0)).value
    table = curves(cells, lacking)["pretrain_loss", "gradual"]
    assert rise == pytest.approx(table[0.5] - table[0.0], abs=1e-9)


def test_sentences_carry_the_runs_own_numbers():
    cells, runs = study()
    table = curves(cells, runs)
    said = "\n".join(sentences(cells, table, regimes(cells, runs), MARGINS))
    assert "+30.0 points on a" in said
    assert (
        "Low, up to 30 % (the border is between 30 and 50 %): the pruned model's accuracy is 0.2 points below the unpruned model's"
        in said
    )
    assert "its pre-training loss is 0.020 nats higher" in said
    assert "Medium, at 50 % (pretrain −4.0 points, information deletion −3.8 points)" in said
    assert (
        "High, from 70 % (the border is between 50 and 70 %): at 90 % the train loss of the pruned model is 1.00, against 0.10 unpruned"
        in said
    )
    assert "removing the mask raises accuracy by 8.0 points" in said


@pytest.mark.parametrize("tasks, seeds", [(("a", "b"), (0, 1)), (("a",), (0,))])
def test_every_figure_and_table_is_drawn_from_few_or_many_cells(tasks, seeds):
    cells, runs = study(tasks, seeds)
    found = regimes(cells, runs)
    figure = plots_regimes.accuracy(cells, found).figure
    line = {text.get_label(): text for text in figure.axes[0].lines}["pruned in pre-training"]
    expected = [a + (len(tasks) - 1) + 0.1 * (len(seeds) - 1) for a in PRETRAIN]
    # two arms are drawn side by side, but the 0 % point, which they share, is drawn once
    assert list(line.get_xdata()) == pytest.approx([0, 29.6, 49.6, 69.6, 89.6]) and list(line.get_markevery()) == [
        1,
        2,
        3,
        4,
    ]
    (shared,) = [drawn for drawn in figure.axes[0].lines if list(drawn.get_xdata()) == [0]]
    assert list(shared.get_ydata()) == pytest.approx(expected[:1])
    assert list(line.get_ydata()) == pytest.approx(expected)
    assert len(plots_regimes.by_task(cells, "train_loss").figure.axes) == len(tasks)
    assert plots_pretraining.pretraining_loss(runs, found).figure.axes[0].lines
    hidden = plots_regimes.accuracy(cells[cells.arm == "dense"], found, at=cells.target_sparsity)
    assert [text.get_text() for text in hidden.figure.axes[0].texts] == [
        text.get_text() for text in figure.axes[0].texts
    ]  # the regimes do not depend on what is drawn
    table = tables.table_one(cells)
    assert table.loc[("dense", 0.0), "a"].startswith("90.0" if len(seeds) == 1 else "90.1")
    assert list(table.index.levels[0]) and "average" in table.columns


def test_what_is_not_low_may_be_high_where_high_was_not_measured():
    means = Means(pd.Series({("dense", 0.0): 0.9, ("pretrain", 0.3): 0.9, ("pretrain", 0.6): 0.5}))
    found = find(means, None, MARGINS)
    assert [found.of(s) for s in (0.3, 0.6)] == ["low", "unknown"] and not found.high.measured and found.low.measured


@pytest.mark.parametrize("arms", [3, 24])
def test_a_figure_of_many_arms_keeps_its_axes(arms):
    """The legend of many arms is outside of the axes, which stay as high."""
    rows = [("dense", 0.0, 0.9)] + [(f"arm {n}", s, 0.8 - 0.01 * n) for n in range(arms) for s in (0.3, 0.6)]
    cells = pd.DataFrame(rows, columns=["arm", "target_sparsity", "dev_accuracy"])
    cells = cells.assign(task="a", seed=0, selected=True, learning_rate=1e-3, train_loss=0.1)
    figure = plots_regimes.accuracy(cells).figure
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().height > 200
    assert bool(figure.legends) == (arms > plots_regimes.MOST_INSIDE)


def test_the_seeds_of_a_target_have_its_colour_and_one_entry_of_the_legend():
    history = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    results = [{"target_sparsity": s, "seed": seed, "history": history} for seed in (0, 1) for s in (0.5, 0.0)]
    (axes,) = plots_pretraining.training_loss(results).figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0 %", "50 %"]
    colours = [line.get_color() for line in axes.lines]
    assert len(colours) == 4 and len({tuple(colour) for colour in colours}) == 2
