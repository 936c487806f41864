"""Parts of the benchmarks whose numbers the documents quote."""

import numpy as np
import pandas as pd
import pytest
import simulation
import torch
from inference import int8
from seeds import of_seeds
from torch import nn

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.measured import accuracy_means, loss_means
from prune_utils.study.schema import Analysis

pytestmark = pytest.mark.unit


def test_int8_rounds_the_weights_of_linear_layers_and_leaves_the_model_as_it_is():
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh())
    inputs = torch.randn(8, 64)
    rounded = int8(model)
    apart = (rounded(inputs) - model(inputs)).abs().max()
    assert rounded[0].weight().dtype == torch.qint8 and model[0].weight.dtype == torch.float32
    assert 0 < apart < 0.1


def evidence(seeds: list[int]) -> Evidence:
    """The evidence of some seeds of a study of four, with a loss, predictions and an analysis."""
    fall = np.linspace(0, 8, len(simulation.SPARSITIES))
    cells = simulation.cells(4, fall, 0 * fall, np.random.default_rng(0))
    runs = cells[cells.task == "MNLI"].rename(columns={"arm": "method"})
    runs = runs.assign(method="gradual", pretrain_loss=runs.dev_accuracy)
    cells, runs = (frame[frame.seed.isin(seeds)].reset_index(drop=True) for frame in (cells, runs))
    index = ["seed", "arm", "target_sparsity"]
    right = cells[cells.task == "MNLI"].set_index(index)[[]].assign(**{"0": True, "1": False})
    analyses = {"changes": pd.DataFrame({"seed": seeds, "value": 1.0}), "shares": pd.DataFrame({"share": [0.1]})}
    margins = Analysis(accuracy_margin=simulation.MARGIN, loss_margin=0.1)
    return Evidence(cells, runs, accuracy_means(cells), loss_means(runs), margins, analyses, {"MNLI": right})


def test_the_evidence_of_some_seeds_is_that_of_a_study_of_these_seeds():
    found, expected = of_seeds(evidence([0, 1, 2, 3]), (1, 3)), evidence([1, 3])
    pd.testing.assert_frame_equal(found.cells, expected.cells)
    pd.testing.assert_frame_equal(found.correct["MNLI"], expected.correct["MNLI"])
    for name, frame in expected.analyses.items():
        pd.testing.assert_frame_equal(found.analyses[name], frame)
    pd.testing.assert_series_equal(found.loss.point, expected.loss.point)
    pd.testing.assert_series_equal(found.accuracy.point, accuracy_means(found.cells, found.correct).point)
    assert found.cells.seed.nunique() == 2
