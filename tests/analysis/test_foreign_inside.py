"""Tables of movement and of weights, the paper's and others."""

import numpy as np
import pandas as pd
import pytest

from prune_utils.analysis import comparison
from prune_utils.analysis.claims import claims_table
from prune_utils.analysis.foreign import inside, replay
from prune_utils.pruning.families import in_order, label
from prune_utils.report import plots_inside, plots_prunability
from prune_utils.report.tables import BERT_BASE, weights_beside
from prune_utils.study import paths
from prune_utils.study.params import load_study
from prune_utils.study.section import ParamsError

WIDTH, LAYERS, VOCABULARY = 768, 12, 30_522


def bert_base():
    """The frame of a study of BERT-Base: names and sizes of its 74 matrices, in order."""
    sizes = {"embeddings.word_embeddings": VOCABULARY * WIDTH, "pooler.dense": WIDTH**2}
    attention = [f"attention.{part}" for part in ("self.query", "self.key", "self.value", "output.dense")]
    for layer in range(LAYERS):
        sizes |= {f"encoder.layer.{layer}.{part}": WIDTH**2 for part in attention}
        sizes |= {f"encoder.layer.{layer}.{part}.dense": 4 * WIDTH**2 for part in ("intermediate", "output")}
    frame = pd.DataFrame({"matrix": in_order(f"{name}.weight" for name in sizes), "sparsity": 0.0, "seed": 0})
    size = frame.matrix.str.removesuffix(".weight").map(sizes)
    return frame.assign(size=size, mean=np.arange(len(frame)) / 1000, std=0.04)


def test_the_paper_s_tables_are_read_whole():
    cells, _, further = replay.frames(load_study(paths.PARAMS / "published.yaml"))
    first, weights = further["fine_tune_first"], further["weights"]
    assert list(first.task.unique()) == list(cells.task.unique()) and list(first.epochs.unique()) == list(range(13))
    assert len(first) == 5 * 13 and set(first.learning_rate) == {5e-5} and first.dev_accuracy.isna().all()
    at = first.set_index(["task", "epochs"])
    assert at.movement_mean["MNLI", 1] == pytest.approx(0.035003) and at.movement_std["CoLA", 12] == pytest.approx(
        0.011668
    )
    # three epochs at 5e-5 are in Table 2 as well, from other trainings
    table_2 = further["movement"].query("learning_rate == 5e-5").set_index("task")["mean"]
    assert (at.movement_mean.xs(3, level="epochs") - table_2).abs().max() < 0.005
    assert list(weights.matrix) == [label(name) for name in bert_base().matrix]
    by_name = weights.set_index("matrix")
    assert tuple(by_name.loc["word embeddings", ["mean", "std"]]) == (-0.0282, 0.042)
    assert tuple(by_name.loc["layer 12 intermediate", ["mean", "std"]]) == (0.0004, 0.039)


REFERENCE = paths.ROOT.parent / "shared/reference"


@pytest.mark.skipif(not REFERENCE.exists(), reason="the transcribed tables are not here")
def test_they_are_the_transcribed_ones():
    theirs = pd.read_csv(REFERENCE / "gordon2020_fig4_movement_by_epoch.csv")
    first = inside.read_movement_by_epochs(paths.ROOT / "prune_utils/analysis/published/fig4_movement_by_epoch.csv")
    for ours, column in (("movement_mean", "mean_percent"), ("movement_std", "std_percent")):
        assert list(100 * first[ours]) == pytest.approx(list(theirs[column]))
    theirs = pd.read_csv(REFERENCE / "gordon2020_table3_weights.csv")
    ours = inside.read_weights(paths.ROOT / "prune_utils/analysis/published/table3_weights.csv")
    assert sorted(zip(ours["mean"], ours["std"], strict=True)) == sorted(
        zip(theirs["mean"], theirs["std"], strict=True)
    )


@pytest.mark.parametrize(
    "read_table, text, said",
    [
        (
            "movement_by_epochs",
            "task,epochs,mean\na,1.5,0.02\n",
            "line 2: epochs is '1.5'; allowed is a whole number from 0",
        ),
        ("movement_by_epochs", "task,epochs,mean\na,1,-\n", "line 2: mean is '-'; allowed is a number"),
        (
            "movement_by_epochs",
            "task,epochs,mean\na,1,0.02\na,1,0.03\n",
            "line 3: epochs is '1'; allowed is one row for",
        ),
        ("movement_by_epochs", "task,mean\na,0.02\n", "no column epochs"),
        ("weights", "matrix,mean,std\nq,-0.1,-0.2\n", "line 2: std is '-0.2'; allowed is one number of at least 0"),
        (
            "weights",
            "matrix,mean,std\nq,-0.1 %,0.2\n",
            "line 2: mean is '-0.1 %'; allowed is one number, without a % sign",
        ),
        ("weights", "matrix,mean,std\nq,,0.2\nk,0,1\n", "line 2: mean is ''; allowed is a number"),
        (
            "weights",
            "matrix,mean,std\nq,0.1,0.2\nq,0.1,0.2\n",
            "line 3: matrix is 'q'; allowed is one row for each matrix",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_line(tmp_path, read_table, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ParamsError) as error:
        replay.FURTHER[read_table][1](tmp_path / "t.csv")
    assert said in str(error.value) and f"table.{read_table}" in str(error.value)


def test_movement_without_accuracies_says_how_far_the_order_has_settled():
    why = claims_table(comparison.the_paper()).set_index("claim").why["C8"]
    mean = comparison.the_paper().analyses["fine_tune_first"].groupby("epochs").movement_mean.mean()
    assert why.startswith(
        f"not measured: accuracy by epochs before pruning; after 1 epoch, the order has moved {100 * mean[1] / mean[12]:.0f} %"
    )


def test_the_paper_s_movement_stands_beside_ours_for_tasks_in_both():
    theirs = comparison.the_paper().analyses["fine_tune_first"]
    ours = pd.DataFrame({"task": ["CoLA", "mine"] * 2, "seed": 0, "learning_rate": 1e-3, "epochs": [0, 0, 3, 3]})
    ours["movement_mean"] = [0, 0, 0.02, 0.03]
    drawn = plots_prunability.movement_by_epochs(ours, theirs)
    lines = {line.get_label(): line for line in drawn.figure.axes[0].lines}
    assert list(lines["CoLA, paper"].get_ydata()) == list(100 * theirs[theirs.task == "CoLA"].movement_mean)
    assert "mine, paper" not in lines and "MNLI, paper" not in lines
    assert "learning rate 0.001; in grey, the paper's, at 5e-05" in drawn.caption
    assert set(drawn.data.task) == {"CoLA", "mine", "CoLA, paper"}
    none = plots_prunability.movement_by_epochs(ours[ours.task == "mine"], theirs)
    assert "paper" not in none.caption and set(none.data.task) == {"mine"}


def test_weights_stand_beside_the_paper_s_only_for_a_model_of_its_shape():
    theirs, frame = comparison.the_paper().analyses["weights"], bert_base()
    assert frame["size"].sum() == BERT_BASE
    both = weights_beside(frame, theirs)
    assert len(both) == 74 and list(both.index) == list(theirs.matrix)
    row = both.loc["layer 1 output"]
    assert (
        row["mean, paper"] == -0.0012
        and row["mean"] == pytest.approx(0.006)
        and list(both) == ["mean", "std", "mean, paper", "std, paper"]
    )
    assert weights_beside(frame.assign(size=frame["size"] // 4), theirs).empty  # narrower
    assert weights_beside(frame[~frame.matrix.str.contains("layer.11")], theirs).empty
    shown = plots_inside.mean_and_std(theirs, of="The table's model")
    assert len(shown.figure.axes[0].get_yticklabels()) == 74 and "The table's model" in shown.caption


@pytest.mark.parametrize("mean, std", [("mean", "std"), ("mean_percent", "std"), ("mean_percent", "std_percent")])
def test_spreads_below_a_percent_have_the_scale_of_their_means(tmp_path, mean, std):
    table = tmp_path / "t.csv"
    table.write_text(f"task,epochs,{mean},{std}\nMNLI,0,1.2,0.2\nMNLI,1,2.5,0.4\n")
    found = inside.read_movement_by_epochs(table)
    assert found.movement_mean.tolist() == [0.012, 0.025] and found.movement_std.tolist() == [0.002, 0.004]
    table.write_text(f"task,epochs,{mean}\nMNLI,0,1.2\nMNLI,1,2.5±0.4\n")
    with pytest.raises(ParamsError, match="2.5±0.4.*allowed is a number without a spread"):
        inside.read_movement_by_epochs(table)
