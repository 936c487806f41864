"""Several fine-tunings of one pre-trained model, trained and analysed."""

import pytest

from prune_utils.analysis.noise.components import components
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.predictions import dev_correct, selected_on_half
from prune_utils.analysis.results import cells_frame, pretraining_frame
from prune_utils.study import paths
from prune_utils.study.grid import all_cells
from prune_utils.study.params import extended, merge, read_yaml, validated
from prune_utils.training.finetuning import finetune

STUDY = validated(
    merge(
        extended(read_yaml(paths.PARAMS / "smoke.yaml")),
        {
            "study": "fine_tunings_test",
            "tasks": [{"source": "embedded", "name": "sentiment", "train": 32, "dev": 16}],
            "corpus": {"documents": 60, "held_out_documents": 10},
            "pretraining": {"burn_in_steps": 4, "steps": 6, "ramp_steps": 4},
            "finetuning": {"learning_rates": [1e-3]},
            "prunability": {"sparsity": 0.6},
            "grid": {
                "sparsities": [0.0, 0.6],
                "arms": ["dense", "pretrain", "downstream"],
                "seeds": [0, 1],
                "fine_tunings": 2,
            },
        },
    )
)


@pytest.mark.slow
def test_fine_tunings_share_their_pretraining_and_nothing_else():
    for cell in all_cells(STUDY):
        finetune(STUDY, cell)
    cells = cells_frame(STUDY)
    assert len(pretraining_frame(STUDY)) == 6  # of each seed the burn-in and two runs, however many fine-tunings
    assert len(cells) == 16 and cells.selected.all() and set(cells.repeat) == {0, 1}
    by_run = cells.groupby(["arm", "target_sparsity", "seed"])
    assert (by_run.pretrain_loss.nunique() == 1).all() and (by_run.train_loss.nunique() == 2).all()
    correct = dev_correct(STUDY, cells)
    assert correct["sentiment"].shape == (16, 16)
    rows = cells.set_index(["arm", "target_sparsity", "seed", "learning_rate", "repeat"]).dev_accuracy
    assert correct["sentiment"].mean(axis=1).to_dict() == pytest.approx(rows.to_dict())
    means = accuracy_means(cells, correct)
    assert means.point["pretrain", 0.6] == pytest.approx(cells[cells.arm == "pretrain"].dev_accuracy.mean())
    assert means.difference(("pretrain", 0.6), ("dense", 0.0)).interval()
    assert len(selected_on_half(cells, correct)) == 16 and list(components(cells).index) == [0.0, 0.6]
