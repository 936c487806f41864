"""Models without their dead feed-forward units: ordinary folders whose outputs are those of the masked models."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from prune_utils.export.shrinking import live_units, parameters, shrunk
from prune_utils.pruning.families import FAMILIES, kind_and_layer
from prune_utils.pruning.matrices import apply_masks, prunable_matrices
from prune_utils.pruning.patterns import pattern_of
from prune_utils.pruning.scores import by_magnitude
from tests.encoders import config, library

IDS = torch.randint(5, 200, (3, 12), generator=torch.Generator().manual_seed(0))


def masked(kind, sparsity, name=None):
    """A model in double precision whose feed-forward units are pruned, with biases that are not zero."""
    model = library(kind, name).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).double()
    weights = {n: p.detach().clone() for n, p in prunable_matrices(model).items()}
    apply_masks(model, by_magnitude("units", weights, sparsity, model.config.num_attention_heads))
    return model


@pytest.mark.parametrize("kind", FAMILIES)
def test_outputs_stay_and_the_folder_is_an_ordinary_one(kind, tmp_path):
    full = masked(kind, 0.75)
    small = shrunk(full)
    with torch.no_grad():
        assert torch.allclose(full(IDS)[0], small(IDS)[0], rtol=0, atol=1e-12)
    field = FAMILIES[kind].config_name("intermediate_size")
    assert getattr(small.config, field) == getattr(full.config, field) // 4
    assert parameters(small) < parameters(full)
    small.save_pretrained(tmp_path)
    again = type(small).from_pretrained(tmp_path, dtype=torch.float64).eval()
    with torch.no_grad():
        assert torch.equal(small(IDS)[0], again(IDS)[0])


def test_a_classifier_keeps_its_head():
    full = masked("bert", 0.5, "BertForSequenceClassification")
    small = shrunk(full)
    assert isinstance(small, type(AutoModelForSequenceClassification.from_config(config("bert"))))
    with torch.no_grad():
        assert torch.allclose(full(IDS)[0], small(IDS)[0], rtol=0, atol=1e-12)


@given(st.lists(st.integers(0, 32), min_size=2, max_size=2), st.integers(0, 2**31))
def test_the_layer_with_the_most_live_units_sets_the_size(dead, seed):
    full = library("bert").double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, matrix in prunable_matrices(full).items():
            kind, layer = kind_and_layer(name)
            if layer and kind == "output":
                matrix[:, torch.randperm(32, generator=generator)[: dead[layer - 1]]] = 0
    small = shrunk(full)
    assert [int(live.sum()) for live in live_units(full).values()] == [32 - count for count in dead]
    assert small.config.intermediate_size == max(1, 32 - min(dead))
    with torch.no_grad():
        assert torch.allclose(full(IDS)[0], small(IDS)[0], rtol=0, atol=1e-12)


def test_a_unit_with_one_weight_left_stays():
    full = library("bert").eval()
    with torch.no_grad():
        for name, matrix in prunable_matrices(full).items():
            if kind_and_layer(name)[0] == "output":
                matrix[1:, :5] = 0
    assert shrunk(full).config.intermediate_size == 32


def test_what_is_cut_is_what_the_pattern_pruned():
    full = masked("bert", 0.5)
    masks = {name: matrix != 0 for name, matrix in prunable_matrices(full).items()}
    pattern_of("units").check(masks, 0.5, 2)
    assert all(int(live.sum()) == 16 for live in live_units(full).values())
