"""The paper's own tables through the whole analysis, value by value: a change of any number must be meant."""

import json
from pathlib import Path

import pandas as pd
import pytest

from prune_utils.analysis import comparison, regimes
from prune_utils.analysis.claims import CLAIMS, claims_table
from prune_utils.report.captions import FIGURES

GOLDEN = pd.read_csv(Path(__file__).with_name("published_claims.csv")).set_index("claim")


@pytest.fixture(scope="module")
def table():
    return claims_table(comparison.the_paper()).set_index("claim")


@pytest.mark.parametrize("claim", GOLDEN.index)
def test_a_claim_on_the_paper_s_tables(table, claim):
    ours, golden = table.loc[claim], GOLDEN.loc[claim]
    assert ours.verdict == golden.verdict
    assert ours.measured == pytest.approx(golden.measured, abs=5e-4, nan_ok=True)
    assert isinstance(ours.interval, str) == isinstance(golden.interval, str)
    if isinstance(golden.interval, str):
        assert json.loads(ours.interval) == pytest.approx(json.loads(golden.interval), abs=2e-3)


def test_every_claim_is_here_and_its_figures_have_a_place_in_the_report(table):
    assert list(GOLDEN.index) == list(CLAIMS) == list(table.index)
    assert {name for claim in CLAIMS.values() for name in claim.figure.split(", ")} <= set(FIGURES)


def test_the_regimes_of_the_paper_s_tables():
    paper = comparison.the_paper()
    found = regimes.find(paper.accuracy, paper.loss, paper.margins)
    assert (found.low.estimate, found.low.interval) == (0.4, (0.3, 0.4))
    assert (found.high.estimate, found.high.interval) == (0.7, (0.1, 0.8))
    assert found.covers == ("neighbouring sparsities",)
