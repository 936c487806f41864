"""What the attention heads of a pruned model are worth, against a removal by hand."""

import pytest
import torch

from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.matrices import prunable_matrices
from prune_utils.study import paths
from prune_utils.study.grid import Run
from prune_utils.study.params import load_study
from prune_utils.study.record import read_csv
from prune_utils.training.modeling import MaskedEncoder
from prune_utils.training.pretraining import evaluate


def test_half_of_the_heads_are_removed_and_the_loss_is_measured_again(finished, monkeypatch):
    """By hand: the attention outputs of the removed heads are zero, and nothing else changes."""
    monkeypatch.setattr(paths, "OUT", finished)
    study = load_study(paths.PARAMS / "smoke.yaml")
    frame = read_csv(paths.inside("smoke") / "heads_removed.csv").set_index("sparsity")
    place = Run("gradual", 0.6, 0).checkpoint("smoke")
    model = MaskedEncoder.from_pretrained(place)
    weights = {name: matrix.detach() for name, matrix in prunable_matrices(model).items()}
    size, sums = model.config.hidden_size // 2, {}
    for layer in (0, 1):
        for head in (0, 1):
            rows = slice(head * size, (head + 1) * size)
            at = f"encoder.layer.{layer}.attention"
            parts = [weights[f"{at}.self.{name}.weight"][rows] for name in ("query", "key", "value")]
            parts.append(weights[f"{at}.output.dense.weight"][:, rows])
            sums[layer, head] = sum(part.abs().sum().item() for part in parts)
    for layer, head in sorted(sums, key=sums.get)[:2]:
        output = model.get_submodule(f"bert.encoder.layer.{layer}.attention")
        rows = slice(head * size, (head + 1) * size)
        with torch.no_grad():
            output.output.dense.weight[:, rows] = 0
    found = evaluate(model, study, tokenizer_of(study))["pretrain_loss"]
    assert frame.without_heads[0.6] == pytest.approx(found, abs=1e-5)
    assert (frame.index == study.grid.sparsities).all()
