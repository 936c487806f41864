"""The comparison of methods, on cells with known differences, and its correction against statsmodels'."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import methods
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.report import captions, plots_prunability
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS
from prune_utils.study.schema import Analysis
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.arms import SHIPPED
from prune_utils.workflow.graph import nodes

LEVELS = {"pretrain": 0.8, "movement": 0.801, "ticket": 0.7, "random": 0.6}
STUDY = load_study(PARAMS / "methods.yaml")


def evidence(seeds=6, noise=0.002):
    """Accuracies of four arms at two sparsities on two tasks; dense has 0.9. Each seed has a shift of its own."""
    random, rows = np.random.default_rng(0), []
    for seed in range(seeds):
        shift = random.normal(0, 0.01)
        for task in ("a", "b"):
            rows.append((task, "dense", 0.0, seed, 0.9 + shift + random.normal(0, noise), 10.0))
            for arm, level in LEVELS.items():
                for sparsity, change in ((0.5, 0.0), (0.9, -0.1)):
                    rows.append((task, arm, sparsity, seed, level + change + shift + random.normal(0, noise), 20.0))
    names = ["task", "arm", "target_sparsity", "seed", "dev_accuracy", "seconds"]
    cells = pd.DataFrame(rows, columns=names).assign(selected=True, learning_rate=1e-3, commit="x")
    runs = pd.DataFrame({"method": ["gradual", "random"], "target_sparsity": 0.5, "seconds": [5.0, 7.0], "seed": 0})
    margins = Analysis(accuracy_margin=15.0, loss_margin=0.1)
    return Evidence(cells, runs, accuracy_means(cells), None, margins)


@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=20))
def test_corrected_p_values_are_statsmodels(p_values):
    assert methods.holm(np.array(p_values)) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_a_missing_p_value_is_no_test():
    assert methods.holm(np.array([np.nan, 0.04, 0.01])).tolist() == pytest.approx([np.nan, 0.04, 0.02], nan_ok=True)


def test_arms_that_differ_are_told_apart_and_arms_that_do_not_are_not():
    found = methods.pairs(evidence())
    assert len(found) == 2 * 6 and (found.difference >= 0).all() and (found.corrected >= found.p_value).all()
    same = found.better.isin(["pretrain", "movement"]) & found.worse.isin(["pretrain", "movement"])
    assert found[~same].apart.all() and not found[same].apart.any()
    at_half = found[(found.target_sparsity == 0.5) & (found.worse == "random") & (found.better == "ticket")].iloc[0]
    assert at_half.low < 10 < at_half.high
    for sparsity in (0.5, 0.9):
        best, second, last = methods.groups(found, sparsity)
        assert set(best) == {"pretrain", "movement"} and (second, last) == (["ticket"], ["random"])
    said = captions.told_apart(found)
    assert "At 50 %, none of" in said and "shown to be behind one of these: ticket, random" in said
    assert "for all 12 comparisons together" in said


def test_published_orders_are_tested_where_a_study_has_both_arms_at_the_same_sparsity(monkeypatch, tmp_path):
    rows = [
        *(
            f"x,MNLI,0.9,{better},{worse},80.5,78.0,1,"
            for better, worse in (("ticket", "random"), ("random", "ticket"))
        ),
        "x,MNLI,0.9,movement,pretrain,80.5,78.0,5,one seed",
        "x,MNLI,0.7,ticket,random,80.5,78.0,1,",
        "x,MNLI,0.9,ticket,fisher,80.5,78.0,1,",
    ]
    names = "source,task,sparsity,better,worse,better_score,worse_score,runs,differs"
    (tmp_path / "orders.csv").write_text("\n".join([names, *rows]))
    monkeypatch.setattr(methods, "ORDERS", tmp_path / "orders.csv")
    found = methods.orders(evidence(noise=0.01))
    assert found.outcome.tolist() == ["agrees", "opposite", "undecided"] and (found.there == 2.5).all()
    assert found.here.tolist() == pytest.approx([10, -10, 0.1], abs=1.5) and (found.low < found.high).all()
    assert found.differs.tolist() == ["", "", "one seed"]
    assert methods.orders(evidence(seeds=1)).outcome.tolist() == ["undecided"] * 3  # no interval


def test_published_orders_are_those_of_the_sources():
    """Against the transcribed tables, whose arms have the authors' names."""
    folder = paths.ROOT.parent / "shared" / "reference" / "foreign"
    if not folder.exists():
        pytest.skip("no published tables on this machine")
    sanh = pd.read_csv(folder / "sanh2020_all_methods.csv").set_index(["arm", "sparsity", "task"]).dev_accuracy * 100
    chen = pd.read_csv(folder / "chen2020_lottery_all_rows_with_std.csv")
    chen = chen.set_index(["method", "sparsity", "task"]).score_percent
    theirs = {
        "trained_movement": "movement", "soft_movement": "soft_movement", "gradual_encoder": "magnitude",
        "ticket": "imp_ticket_theta0", "random": "random_mask_theta0",
    }  # fmt: skip
    for row in pd.read_csv(methods.ORDERS).itertuples():
        of = sanh if row.source.startswith("Sanh") else chen
        scores = [of[theirs[arm], row.sparsity, row.task] for arm in (row.better, row.worse)]
        assert scores == pytest.approx([row.better_score, row.worse_score]), row


def test_every_published_order_names_arms_of_the_table():
    found = pd.read_csv(methods.ORDERS)
    assert {*found.better, *found.worse} <= set(SHIPPED.rows) and found.sparsity.between(0, 1).all()


def test_one_seed_tells_nothing_apart():
    found = methods.pairs(evidence(seeds=1))
    assert found.p_value.isna().all() and not found.apart.any()
    assert captions.told_apart(found) == "Whether the arms differ is not known: this needs two arms and two seeds."


def test_the_table_has_borders_changes_and_times():
    table = methods.table(evidence(), STUDY).set_index("arm")
    # a fall of 10 points is within the margin of 15, one of 20 is not
    assert table.low_until.to_dict() == {"pretrain": 0.5, "movement": 0.5, "ticket": 0.0, "random": 0.0}
    assert table.change_90["random"] == pytest.approx(-40, abs=0.5) and table.accuracy_50["ticket"] < 75
    assert (table.change_50_low < table.change_50).all() and (table.change_50 < table.change_50_high).all()
    # pruned in pre-training; while fine-tuned; after the dense cell
    assert table.pretraining_seconds.to_dict() == {"pretrain": 5.0, "movement": 0.0, "ticket": 0.0, "random": 7.0}
    assert table.finetuning_seconds.to_dict() == {"pretrain": 20.0, "movement": 20.0, "ticket": 30.0, "random": 20.0}
    drawn = plots_prunability.methods(table.reset_index())
    assert [axes.get_title() for axes in drawn.figure.axes] == ["50 %", "90 %"]
    assert "pretrain: \u221210" in drawn.alt and len(drawn.figure.axes[0].get_yticklabels()) == 4


def test_a_table_of_results_is_refused():
    with pytest.raises(ParamsError, match="study 'published' is a table of results; allowed is a study that trains"):
        methods.table(evidence(), load_study(PARAMS / "published.yaml"))


def test_a_study_of_other_arms_has_the_page_and_one_of_the_papers_has_not():
    names = {name: [node.name for node in nodes(load_study(PARAMS / f"{name}.yaml"))] for name in ("methods", "smoke")}
    assert "methods" in names["methods"] and "methods" not in names["smoke"]
