"""Trends over the amount of text, and heads after pruning, on cases whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import less_text
from prune_utils.analysis.findings.inside import heads_after_pruning
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.report import plots_pretraining
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS
from prune_utils.study.schema import Analysis

NAMES = ("text_eighth", "text_quarter", "text_half", "text")


def evidence(slope, analyses=None):
    """Two tasks and three seeds whose accuracy falls by `slope` points per unit of sparsity; each seed shifts all of it."""
    at = {0.0: "dense", 0.3: "pretrain", 0.6: "pretrain", 0.9: "pretrain"}
    cells = [
        (task, arm, s, seed, 0.9 + 0.01 * seed - slope * s / 100)
        for task in "ab"
        for seed in (0, 1, 2)
        for s, arm in at.items()
    ]
    frame = pd.DataFrame(cells, columns=["task", "arm", "target_sparsity", "seed", "dev_accuracy"])
    frame = frame.assign(selected=True, learning_rate=1e-3, commit="x")
    return Evidence(
        frame, pd.DataFrame(), accuracy_means(frame), None, Analysis(accuracy_margin=2, loss_margin=1), analyses or {}
    )


def test_the_params_files_differ_in_their_text_alone_and_in_nothing_else():
    studies = {name: load_study(PARAMS / f"{name}.yaml") for name in NAMES}
    assert less_text.amounts(studies) == {"text_eighth": 1625, "text_quarter": 3250, "text_half": 6500, "text": 13000}
    assert less_text.amounts({name: studies[name] for name in ("text",)}) == {}
    assert less_text.amounts(studies | {"demo": load_study(PARAMS / "demo.yaml")}) == {}
    assert less_text.amounts({n: load_study(PARAMS / f"{n}.yaml") for n in ("published", "demo")}) == {}


def test_a_trend_is_the_change_per_doubling():
    documents = {"a": 1000, "b": 2000, "c": 4000}
    found = {"a": evidence(12.0), "b": evidence(8.0), "c": evidence(4.0)}
    table = less_text.by_text(documents, found)
    assert table.fall.to_numpy() == pytest.approx(np.repeat([12, 8, 4], 9) * table.target_sparsity)
    ends = less_text.ends(table, 2.0).groupby("documents").end.mean()
    assert ends.to_list() == pytest.approx([2 / 12, 2 / 8, 2 / 4])
    trends = less_text.trends(table, 2.0).set_index("of")
    assert trends.slope[0.3] == pytest.approx(-4 * 0.3) and trends.slope[0.9] == pytest.approx(-4 * 0.9)
    assert trends.slope["low until"] == pytest.approx(100 * (2 / 4 - 2 / 12) / 2)
    assert "the end of the low regime moves by +16.7 points of sparsity" in less_text.said(less_text.trends(table, 2.0))
    drawn = plots_pretraining.less_text(table, less_text.ends(table, 2.0), less_text.trends(table, 2.0))
    assert "3.6 at 1000, 1.2 at 4000" in drawn.alt.replace("30 %: ", "", 1)


def test_low_ends_at_the_last_sparsity_where_nothing_is_lost():
    table = less_text.by_text({"a": 1000}, {"a": evidence(0.5)})
    assert (less_text.ends(table, 2.0).end == 0.9).all()


def test_heads_are_compared_with_those_of_the_unpruned_run_of_their_seed():
    rows = [(seed, s, 2.0 + seed, 2.0 + seed + 0.1 * seed + (1 + s) * 0.5) for seed in (0, 1) for s in (0.0, 0.5)]
    frame = pd.DataFrame(rows, columns=["seed", "sparsity", "pretrain_loss", "without_heads"])
    found = heads_after_pruning(evidence(1.0, {"heads_removed": frame})).set_index("sparsity")
    assert found.rise[0.0] == pytest.approx(0.55) and found.more[0.5] == pytest.approx(0.25)
    assert found.low[0.5] == pytest.approx(0.25) and found.high[0.5] == pytest.approx(0.25)
    assert heads_after_pruning(evidence(1.0)).empty
