import copy
import math

import pandas as pd
import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertForSequenceClassification

from prune_utils.__main__ import main
from prune_utils.data.glue import GLUE
from prune_utils.data.prepared import pretraining_data
from prune_utils.report.tables import estimate_against_truth
from prune_utils.study import paths
from prune_utils.study.files import read_json, write_json
from prune_utils.study.grid import TRAINED, all_cells, all_runs
from prune_utils.study.params import load_study, merge, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError
from prune_utils.training import sizes
from prune_utils.training.modeling import MaskedBert
from prune_utils.training.probe import Pace
from prune_utils.training.sizes import BERT_BASE, Shape, shape
from prune_utils.workflow.cost import workload
from prune_utils.workflow.cost.needs import needs
from prune_utils.workflow.cost.plan import PAIR, plan, table, together
from prune_utils.workflow.cost.workload import held_out_pairs, pair_tokens, task_tokens
from prune_utils.workflow.graph import nodes
from prune_utils.workflow.progress import NOTEBOOK

PACE = Pace(start=1.0, pair=0.5, step={10: 0.1, 50: 0.3}, evaluation=1e9)
SMOKE = load_study(PARAMS / "smoke.yaml")


@pytest.fixture(scope="module")
def paper():
    return plan(load_study(PARAMS / "paper.yaml"), PACE)


def test_bert_base_has_the_papers_weights():
    assert BERT_BASE.weights == 108_965_376
    assert shape(load_study(PARAMS / "paper.yaml")) == BERT_BASE
    assert shape(load_study(PARAMS / "demo.yaml")).vocabulary < 2000


def test_flop_of_a_sequence_worked_by_hand():
    # one layer of width 2 and intermediate 3, a vocabulary of 5: 4 · 2² + 2 · 2 · 3 = 28 weights
    tiny = Shape(1, 2, 1, 3, 5)
    layer, attention, pooler = 2 * 10 * 28, 4 * 10 * 10 * 2, 2 * 2 * 2
    assert sizes.forward(tiny, 10) == layer + attention + pooler
    # a masked token: a transform of 2 · 2 and logits of 2 · 5
    assert sizes.forward(tiny, 10, 3) == layer + attention + pooler + 3 * 2 * (4 + 10)


def counted(model, batch):
    with FlopCounterMode(display=False) as counter:
        loss = model(**batch).loss
        before = counter.get_total_flops()
        loss.backward()
    return before, counter.get_total_flops()


@pytest.mark.parametrize("kind", [MaskedBert, BertForSequenceClassification])
def test_flop_agrees_with_torchs_own_count_of_a_training_step(tiny_bert, tiny_batch, kind):
    config = copy.deepcopy(tiny_bert.config)
    config._attn_implementation = "eager"  # torch counts the products it sees, and a fused kernel hides two
    config.hidden_size, config.intermediate_size, config.vocab_size = 64, 128, 200
    batch, masked = tiny_batch, int((tiny_batch["labels"] != -100).sum()) / 6
    if kind is BertForSequenceClassification:
        batch = {"input_ids": batch["input_ids"], "labels": torch.tensor([0, 1, 0, 1, 1, 0])}
        masked = 0
    one, step = counted(kind(config).train(), batch)
    ours = 6 * sizes.forward(Shape(2, 64, 2, 128, 200), 12, masked)
    assert one == pytest.approx(ours, rel=0.03)
    assert step == pytest.approx(sizes.TRAINING * ours, rel=0.03)


def test_the_paper_costs_what_it_is_said_to_have_cost(paper):
    """5.5e18 FLOP of pre-training and 1.9e19 of fine-tuning at true lengths (from the paper's counts alone)."""
    cost = paper.groupby("stage", observed=True).flop.sum()
    assert cost["burn-in"] + cost["pre-training"] == pytest.approx(5.5e18, rel=0.25)
    arms = paper[paper.stage == "fine-tuning"].set_index("arm").flop
    arms = arms.drop("frozen")  # which the paper has not
    assert arms.sum() == pytest.approx(1.9e19, rel=0.25)
    # what information deletion costs is more than all other arms together
    assert arms["information_deletion"] > arms.drop("information_deletion").sum()
    assert 15 < paper.hours_arithmetic.sum() < 25 < paper.hours_accelerator.sum()


def test_runs_and_steps_are_those_of_the_grid(paper):
    study = load_study(PARAMS / "paper.yaml")
    assert paper[paper.stage == "fine-tuning"].runs.sum() == len(all_cells(study)) == 960
    pretraining = paper[paper.stage.isin(TRAINED[:2])]
    assert pretraining.runs.sum() == len(all_runs(study)) and pretraining.steps.sum() == 15_000 + 19 * 100_000
    small = plan(SMOKE, PACE).set_index(["stage", "arm"])
    assert small.steps["burn-in", "dense"] == 20 and small.steps["pre-training", "random"] == 2 * 12
    # two tasks, two rates, and at 60 % and 90 % one and two epochs of 96 examples in batches of 32
    assert small.steps["fine-tuning", "information_deletion"] == 2 * 2 * (3 + 6)


def test_the_disk_holds_what_is_stored_sparse():
    """At 0, 60 and 90 %: 4 bytes, and 1.6 and 0.4 with a bit besides; of one seed."""
    weights = shape(SMOKE).weights
    assert sizes.sparse_bytes(SMOKE) == pytest.approx(weights * (4 + 1.6 + 1 / 8 + 0.4 + 1 / 8))
    disk = plan(SMOKE, PACE).set_index(["stage", "arm"]).bytes
    assert disk["pre-training", "random"] == pytest.approx(2 * weights * (4 + 1 / 8))
    assert disk["pre-training", "pretrain"] == pytest.approx(3 * weights * (4 + 1 / 8) + sizes.sparse_bytes(SMOKE))


def test_hours_rest_on_what_was_measured():
    frame = plan(SMOKE, PACE).set_index(["stage", "arm"])
    hour = 3600
    assert frame.hours_here["burn-in", "dense"] * hour == pytest.approx(1 * 1.0 + 20 * 0.5)
    assert frame.hours_here["notebooks", ""] * hour == pytest.approx(NOTEBOOK * frame.runs["notebooks", ""])
    assert frame.hours_here["data", ""] * hour == pytest.approx(PAIR * 16 * 20)
    means = [task_tokens(SMOKE, task.name) for task in SMOKE.tasks]
    steps = [max(0.1, 0.1 + 0.2 * (tokens - 10) / 40) for tokens in means]
    assert frame.hours_here["fine-tuning", "dense"] * hour == pytest.approx(4 * 1.0 + sum(2 * 3 * s for s in steps))


def test_hours_of_an_accelerator_are_the_longer_of_arithmetic_and_launches(paper):
    rows = paper[paper.stage.isin(TRAINED)]
    launches = rows.steps * sizes.launching(BERT_BASE) / 3600
    assert (rows.hours_accelerator >= launches * (1 - 1e-9)).all()
    assert (rows.hours_accelerator >= rows.hours_arithmetic).all()
    assert rows.hours_arithmetic.sum() == pytest.approx(rows.flop.sum() / (0.4 * 790e12) / 3600)


def test_jobs_side_by_side_wait_for_the_data_and_the_burn_in():
    frame = pd.DataFrame({"stage": ["data", "burn-in", "pre-training", "fine-tuning"], "hours": [1.0, 2.0, 4.0, 8.0]})
    assert together(frame, "hours", seeds=1, jobs=4) == 1 + 2 + 1 + 2
    assert together(frame, "hours", seeds=2, jobs=4) == 1 + 1 + 1 + 2
    assert together(frame, "hours", seeds=2, jobs=1) == 15


def test_lengths_are_measured_where_the_text_is_at_hand_and_known_where_not():
    pairs = pretraining_data(SMOKE)
    tokens, masked = pair_tokens(SMOKE)
    assert tokens == pytest.approx(sum(pairs["length"]) / len(pairs), rel=0.05)
    assert masked == pytest.approx(sum(y != -100 for row in pairs["labels"] for y in row) / len(pairs), rel=0.05)
    assert held_out_pairs(SMOKE) == len(pretraining_data(SMOKE, held_out=True))
    paper = load_study(PARAMS / "paper.yaml")
    assert pair_tokens(paper) == (128, 19) and task_tokens(paper, "MNLI") == GLUE["MNLI"].tokens


def test_gpu_small_is_planned_under_half_an_hour(monkeypatch):
    """With the lengths of its files, which need not be here."""
    for name, value in {
        "train_size": lambda task: {"CoLA": 8_551, "SST-2": 67_349}[task.name],
        "dev_size": lambda task: 1_000,
        "task_tokens": lambda study, name: 13,
        "pair_tokens": lambda study: (60, 9),
        "held_out_pairs": lambda study: 6_000,
    }.items():
        monkeypatch.setattr(workload, name, value)
    monkeypatch.setattr("prune_utils.workflow.graph.node.train_size", lambda task: 0)
    study = load_study(PARAMS / "gpu_small.yaml")
    frame = plan(study, PACE)
    assert set(frame[frame.stage == "fine-tuning"].arm) == set(study.grid.arms)
    assert 0.1 < together(frame, "hours_accelerator", 1, study.machine.jobs) < 0.5


@pytest.mark.slow
def test_the_plan_of_smoke_is_told_in_seconds_and_kept(capsys):
    assert main(["plan", str(PARAMS / "smoke.yaml")]) == 0
    said = capsys.readouterr().out
    assert "here: about" in said and "one H200: about" in said and "information_deletion" in said
    kept = pd.DataFrame(read_json(paths.results("smoke") / paths.PLAN)["rows"])
    assert (kept[kept.stage.isin(TRAINED)].hours_here > 0).all()
    block = said[said.index("machine:\n  needs:") :].split("\n\n")[0]
    asked = validated(merge(SMOKE.model_dump(), yaml.safe_load(block))).machine.needs
    assert set(asked) == {"pretraining", "finetuning", "prunability", "inside"}
    assert all(10 <= need.runtime <= 30 and 2500 <= need.mem_mb <= 16000 for need in asked.values())


def test_what_notebooks_need_is_twice_the_share_of_the_longest_one():
    study = validated(merge(SMOKE.model_dump(), {"machine": {"sparsities_per_node": 1}}))
    slow = PACE._replace(step={10: 200.0, 50: 600.0})
    frame = plan(study, slow)
    every = [node.examples for node in nodes(study) if node.template == paths.FINETUNING_NOTEBOOK]
    hours = frame.groupby("stage", observed=True).hours_here.sum()
    share = hours["fine-tuning"] * max(every) / sum(every)
    share *= 1 + hours["evaluation"] / (hours[TRAINED].sum() + hours["prunability"])
    told = yaml.safe_load(needs(study, frame, "H200").partition("\n")[2])["machine"]["needs"]
    assert told["finetuning"]["runtime"] == 10 * math.ceil(2 * 60 * share / 10) > 50


def test_the_sum_of_a_table_is_that_of_its_rows():
    frame = plan(SMOKE, PACE)
    lines = table(frame, "H200").splitlines()
    assert lines[-1].split()[:3] == ["total", f"{frame.runs.sum():,.0f}", f"{frame.steps.sum():,.0f}"]
    assert sum(line.split()[0] == "evaluation" for line in lines[1:]) == 1


def test_an_unknown_accelerator_is_refused_with_those_known(capsys):
    assert main(["plan", str(PARAMS / "smoke.yaml"), "--accelerator", "H2000"]) == 2
    assert capsys.readouterr().err.strip() == "accelerator is 'H2000'; allowed: H200, A100"
    with pytest.raises(ParamsError):
        sizes.accelerator("")


def test_the_plan_is_held_against_the_truth_and_a_hole_stays_a_hole(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    cells = pd.DataFrame({"seconds": [1.0, 2.0]})
    runs = pd.DataFrame({"method": ["dense", "gradual", "random"], "seconds": [10.0, 20.0, 30.0]})
    without = estimate_against_truth(SMOKE, cells, runs)
    assert without["estimated seconds"].isna().all()
    rows = [
        {"stage": s, "runs": 2, "hours_here": h} for s, h in [("burn-in", 1), ("fine-tuning", 2), ("fine-tuning", 3)]
    ]
    write_json(paths.results("smoke") / paths.PLAN, {"rows": rows})
    held = estimate_against_truth(SMOKE, cells, runs)
    assert list(held["measured seconds"]) == [10.0, 50.0, 3.0] and list(held.finished) == [1, 2, 2]
    assert held["estimated seconds"].iloc[[0, 2]].tolist() == [3600, 18000] and held["planned"].iloc[2] == 4


def test_a_table_is_not_planned(capsys):
    assert main(["plan", str(PARAMS / "published.yaml")]) == 2
    assert "study 'published' is a table of results, which trains nothing" in capsys.readouterr().err
