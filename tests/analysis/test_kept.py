"""What is kept of a study gives its claims and regimes again."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from prune_utils.analysis import comparison, kept
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.section import ParamsError


def test_a_kept_study_gives_the_claims_and_borders_of_its_results(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", finished)
    monkeypatch.setattr(paths, "EVIDENCE", tmp_path / "evidence")
    study = load_study(paths.results("smoke") / paths.RECORDED)
    original = comparison.compared(["smoke"])
    folder = kept.keep(study)
    assert sum(file.stat().st_size for file in folder.rglob("*.*")) < 500_000
    monkeypatch.setattr(paths, "OUT", tmp_path)  # where no results are
    assert comparison.analysed() == ["smoke"] and kept.folder_of("smoke") == folder
    again = comparison.compared(["smoke"])
    assert original["smoke"].whole and again["smoke"].whole
    part = replace(again["smoke"], evidence=replace(again["smoke"].evidence, cells=again["smoke"].evidence.cells[1:]))
    assert not part.whole and comparison.borders({"x": part}).cells["x"] == "51 of 52"
    for table in (comparison.claims, comparison.borders, comparison.costs):
        pd.testing.assert_frame_equal(table(again), table(original))
    first, second = (one["smoke"].evidence for one in (original, again))
    for name in ("correct", "first_correct"):
        for task, frame in getattr(first, name).items():
            pd.testing.assert_frame_equal(getattr(second, name)[task], frame)
    ours = paths.results("smoke")
    ours.mkdir(parents=True)
    shutil.copy(finished / "results/smoke/cells.csv", ours)  # as while the analysis is made again: no claims yet
    assert kept.folder_of("smoke") == ours
    shutil.rmtree(ours)
    shutil.rmtree(folder)
    with pytest.raises(ParamsError, match="'smoke' has no analysis under results/ or evidence/; available: none"):
        comparison.check(["smoke"])
    with pytest.raises(ParamsError, match="has no analysis yet"):
        kept.keep(study)
