"""What a grid can decide, which seeds would decide the rest, and where the noise comes from."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prune_utils.analysis import power
from prune_utils.analysis.claims import claims_table
from prune_utils.analysis.noise.components import components
from prune_utils.analysis.noise.estimates import Estimate
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.results import mean_over_tasks, selected
from prune_utils.study import paths
from prune_utils.study.grid import Cell, all_cells, cells
from prune_utils.study.params import extended, load_study, merge, read_yaml, validated
from prune_utils.study.section import ParamsError

DEMO = load_study(paths.PARAMS / "demo.yaml")
EXAMPLES = {task.name: 2000 for task in DEMO.tasks}


def test_the_seeds_that_decide_are_those_of_the_formula():
    estimate = Estimate(1.0, 1.0, 3)  # two seeds
    needed = estimate.seeds_to_decide(0.0, 2)
    for seeds, enough in ((needed, True), (needed - 1, False)):
        freedom, error = 3 * (seeds - 1), np.sqrt(2 / seeds)
        assert (sum(stats.t.ppf((0.95, 0.8), freedom)) * error <= 1.0) is np.bool_(enough)
    assert estimate.seeds_to_decide(1.0, 2) is None  # exactly at the limit
    assert Estimate(1.0, 1.0, 3, lasting=0.9).seeds_to_decide(0.0, 2) is None  # other dev examples are what it needs
    assert Estimate(1.0).seeds_to_decide(0.0, 2) is None and estimate.seeds_to_decide(0.0, 1) is None


@given(st.floats(0.1, 5), st.floats(2, 50))
def test_a_test_has_the_power_that_is_stated_at_its_reach(error, freedom):
    """The estimate's own t distribution, shifted by the reach, exceeds the bound of the test in four of five cases."""
    reach = Estimate(0.0, error, freedom).reach()
    bound = stats.t.ppf(0.95, freedom) * error
    assert stats.t.sf((bound - reach) / error, freedom) == pytest.approx(0.8)


def test_more_seeds_tasks_and_examples_decide_more():
    few = power.table(DEMO, EXAMPLES).reach
    assert list(few.index) == ["C1", "C2", "C3", "C5", "C8", "C9", "C11", "C16"]
    assert (power.table(DEMO, EXAMPLES, 12).reach < few).all()
    assert power.table(DEMO, dict.fromkeys(EXAMPLES, 8000)).reach["C3"] == pytest.approx(few["C3"] / 2)
    assert "one seed decides no claim" in power.told(
        load_study(paths.PARAMS / "paper.yaml"), dict.fromkeys(["MNLI", "QQP", "QNLI", "SST-2", "CoLA"], 1000)
    )


def test_an_undecided_claim_says_how_many_seeds_would_decide_it():
    random = np.random.default_rng(0)
    rows = [
        ("a", arm, s, seed, 0.8 - fall + 0.02 * random.standard_normal())
        for arm, s, fall in [("dense", 0.0, 0), ("pretrain", 0.3, 0), ("pretrain", 0.4, 0), ("pretrain", 0.7, 0.1)]
        for seed in range(2)
    ]
    frame = pd.DataFrame(rows, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy"])
    frame = frame.assign(selected=True, learning_rate=1e-3, pretrain_loss=np.nan)
    found = power.Evidence(frame, pd.DataFrame(), accuracy_means(frame), None, DEMO.analysis)
    assert "seeds in all would decide it" in claims_table(found).set_index("claim").why["C1"]


REPEATED = validated(
    merge(
        extended(read_yaml(paths.PARAMS / "smoke.yaml"), paths.PARAMS), {"grid": {"seeds": [0, 1], "fine_tunings": 3}}
    )
)


def test_several_fine_tunings_have_folders_and_training_seeds_of_their_own():
    every = all_cells(REPEATED)
    assert len(every) == 3 * len({(c.task, c.arm, c.sparsity, c.learning_rate, c.seed) for c in every})
    assert len({cell.folder("smoke") for cell in every}) == len(every)
    assert len({(cell.training_seed, cell.seed) for cell in every}) == 6
    assert {cell.pretrained(REPEATED).seed for cell in every if cell.arm == "pretrain"} == {0, 1}
    (one,) = [
        c for c in cells(REPEATED, "sentiment", 0, [0.6], ["downstream"]) if c.repeat == 2 and c.learning_rate == 1e-3
    ]
    assert one.dense() == Cell("sentiment", "dense", 0.0, 1e-3, 0, 2)
    assert Cell("sentiment", "dense", 0.0, 1e-3, 0).folder("smoke").name == "learning-rate-0.001"  # as ever
    with pytest.raises(
        ParamsError, match=r"seeds are \[0, 1000\]; with several fine_tunings, allowed are seeds below 1000"
    ):
        validated(merge(REPEATED.model_dump(), {"grid": {"seeds": [0, 1000]}}))


def repeated(seeds: int, fine_tunings: int, tuning: float, run: float) -> pd.DataFrame:
    """One task; noise of each fine-tuning and of each pre-training, in points."""
    random, rows = np.random.default_rng(1), []
    for seed in range(seeds):
        for s in (0.0, 0.3, 0.5, 0.7, 0.9):
            own = run * random.standard_normal()
            for repeat in range(fine_tunings):
                value = 0.8 + (own + tuning * random.standard_normal()) / 100
                rows.append(("a", "pretrain" if s else "dense", s, seed, repeat, 1e-3, value))
    columns = ["task", "arm", "target_sparsity", "seed", "repeat", "learning_rate", "dev_accuracy"]
    return selected(pd.DataFrame(rows, columns=columns))


def test_the_components_of_the_noise_are_told_apart():
    found = 100 * components(repeated(60, 4, tuning=0.5, run=1.0)).pow(2).mean().pow(0.5)
    assert found.fine_tuning == pytest.approx(0.005 * 100, rel=0.1) and found.pre_training == pytest.approx(
        1.0, rel=0.15
    )
    alone = 100 * components(repeated(60, 4, tuning=0.5, run=0.0)).pow(2).mean().pow(0.5)
    assert alone.pre_training < 0.15


def test_fine_tunings_of_one_model_are_no_seeds_of_their_own():
    """The mean over them is one unit: the error is that of the seeds, however many fine-tunings each has."""
    frame = repeated(3, 4, tuning=0.0, run=1.0)
    once = frame[frame.repeat == 0].drop(columns="repeat")
    ours, theirs = (accuracy_means(one).difference(("pretrain", 0.5), ("dense", 0.0)) for one in (frame, once))
    assert (ours.value, ours.error, ours.freedom) == pytest.approx((theirs.value, theirs.error, theirs.freedom))
    assert mean_over_tasks(frame).whole.all() and len(mean_over_tasks(frame)) == len(once)
