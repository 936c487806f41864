import copy
import re

import pytest
import torch
from tiny import MACHINE, RECIPE, STATE, train_steps

from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.inside.similarity import similarity_frame
from prune_utils.pruning.callbacks import FixedMask, GradualPruning
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.masks import magnitude_mask
from prune_utils.pruning.matrices import check_zeros, prunable_matrices
from prune_utils.pruning.patterns import pattern_of
from prune_utils.pruning.scores import score_of
from prune_utils.report import plots_inside, plots_pretraining, style
from prune_utils.study.grid import Cell, Run, runs
from prune_utils.study.params import extended, load_study, merge, read_yaml, validated
from prune_utils.study.paths import PARAMS, ROOT
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.arms import PATTERNS, PRETRAINED, SCORES, SHIPPED
from prune_utils.training.finetuning import finetune, starting_model
from prune_utils.training.loop.trainer import train
from prune_utils.training.modeling import new_model
from prune_utils.training.pretraining import pretrain, pruner
from prune_utils.workflow.graph import nodes

CONTROLS = tuple(
    n for n, row in SHIPPED.rows.items() if SHIPPED.method_of(n) == n and row.when in PRETRAINED and n != "random"
)
SMOKE = extended(read_yaml(PARAMS / "smoke.yaml"))
TINY = merge(
    SMOKE,
    {
        "study": "controls_test",
        "tasks": [{"source": "embedded", "name": "sentiment", "train": 32, "dev": 16}],
        "corpus": {"documents": 60, "held_out_documents": 10},
        "pretraining": {"burn_in_steps": 4, "steps": 6, "ramp_steps": 4},
        "prunability": {"sparsity": 0.5},
        "grid": {"sparsities": [0.0, 0.5], "arms": ["dense", *CONTROLS]},
    },
)


def test_one_shot_masks_are_those_of_the_dense_model(tiny_bert):
    dense = {name: p.detach().clone() for name, p in prunable_matrices(tiny_bert).items()}
    pruning = pruner(validated(TINY), Run("one_shot", 0.6, 0), tiny_bert)
    pruning.on_train_begin(None, STATE, None)
    for name, p in prunable_matrices(tiny_bert).items():
        assert torch.equal(pruning.masks[name], magnitude_mask(dense[name], 0.6))
        assert torch.equal(p, dense[name] * pruning.masks[name])
    pruning.on_train_end(None, STATE, None)


@pytest.mark.parametrize(
    "method", [method for method, zeros in SHIPPED.methods.items() if zeros and zeros.when == "start"]
)
def test_masks_that_are_whole_at_the_start_never_change(tiny_bert, tiny_batch, method):
    pruning = pruner(validated(TINY), Run(method, 0.5, 0), tiny_bert)
    assert type(pruning) is FixedMask
    before = copy.deepcopy(pruning.masks)
    train_steps(tiny_bert, tiny_batch, pruning, steps=3)
    assert all(torch.equal(before[name], pruning.masks[name]) for name in before)
    check_zeros(tiny_bert, pruning.masks, 0.5, SHIPPED.pattern(method))


@pytest.mark.parametrize("method", CONTROLS)
def test_training_under_every_method_ends_with_its_zeros(tiny_bert, pairs, words, tmp_path, method):
    study = validated(merge(TINY, {"pretraining": {"steps": 24, "ramp_steps": 16, "frequency": 3}}))
    sparsity = SHIPPED.rows[method].only or (0.5 if method == "layers" else 0.75)
    pruning = pruner(study, Run(method, sparsity, 0), tiny_bert)
    train(tiny_bert, pairs, RECIPE, 3, tmp_path, MACHINE, words, pruning)
    realised = check_zeros(tiny_bert, pruning.masks, sparsity, SHIPPED.pattern(method))
    # weights of both layers that heads, feed-forward units and all have; the others are two embeddings and the pooler's
    inside = {"heads": 2 * 4 * 256, "units": 2 * 2 * 512, "layers": 2 * (4 * 256 + 2 * 512)}
    every = sum(p.numel() for p in prunable_matrices(tiny_bert).values())
    # 8 of the 10 blocks of the words go, and 3 of the 4 of a matrix
    assert realised == pytest.approx(
        sparsity * inside.get(method, every) / every, abs=0.02 if method == "blocks" else 2e-3
    )


def test_global_pruning_follows_the_schedule_over_all_matrices(tiny_bert):
    recipe = validated(TINY).pretraining
    pruning = pruner(validated(TINY), Run("global", 0.8, 0), tiny_bert)
    assert isinstance(pruning, GradualPruning)
    for step in range(recipe.ramp_steps + 1):
        if pruning.schedule.renews(step):
            pruning.renew(pruning.schedule.sparsity(step))
            assert pruning.sparsity == pytest.approx(pruning.schedule.sparsity(step), abs=1e-3)
    check_zeros(tiny_bert, pruning.masks, 0.8, "model")
    shares = {round(mask.float().mean().item(), 2) for mask in pruning.masks.values()}
    assert len(shares) > 1  # matrices are not pruned alike


@pytest.mark.slow
def test_an_arm_is_fine_tuned_from_its_own_methods_run_with_its_mask():
    study = validated(TINY)
    for arm in CONTROLS:
        cell = Cell("sentiment", arm, 0.5, 1e-3, 0)
        model, masks, realised = starting_model(study, cell, labels=2)
        result = pretrain(study, Run(arm, 0.5, 0))
        assert result["method"] == arm and result["realised_sparsity"] == realised
        assert realised == check_zeros(model, masks, 0.5, SHIPPED.pattern(arm))
        whole = SHIPPED.pattern(arm) not in ("matrix", "rows", "model", "2:4", "1:2")
        assert realised == pytest.approx(0.5, abs=1e-3) or (whole and 0 < realised < 0.6)


def test_a_frozen_cell_starts_dense_with_the_masks_of_its_gradual_run():
    study = validated(merge(TINY, {"study": "frozen_test", "grid": {"arms": ["dense", "frozen"]}}))
    cell = Cell("sentiment", "frozen", 0.5, 1e-3, 0)
    model, masks, realised = starting_model(study, cell, labels=2)
    dense, _, _ = starting_model(study, cell.dense(), labels=2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), dense.parameters(), strict=True))
    pruned, theirs, same = starting_model(study, Cell("sentiment", "pretrain", 0.5, 1e-3, 0), labels=2)
    assert realised == same and all(torch.equal(masks[name], theirs[name]) for name in theirs)
    result = finetune(study, cell)
    assert result["realised_sparsity"] == same and result["final_sparsity"] < 0.1
    assert result["pretrain_loss"] == pretrain(study, Run("gradual", 0.0, 0))["pretrain_loss"]


def test_heads_are_trained_alone_before_the_burn_in():
    changes = {"head_steps": 3, "head_learning_rate": 1e-2, "burn_in_learning_rate": 1e-30, "weight_decay": 0.0}
    study = validated(merge(TINY, {"study": "heads_test", "pretraining": changes}))
    tokenizer, run = tokenizer_of(study), Run("dense", 0.0, 0)
    result = pretrain(study, run)
    assert [entry["step"] for entry in result["history"]] == [1, 2, 3, 4, 5, 6, 7]
    before = new_model(study, tokenizer, 0)
    after, _, _ = load_checkpoint(type(before), run.checkpoint(study.study), 0.0)
    encoder = {f"bert.{name}" for name, _ in before.bert.named_parameters()}
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        assert torch.allclose(old, new, rtol=0, atol=1e-20) == (name in encoder), name
    with pytest.raises(
        ParamsError, match="head_steps is 3 and head_learning_rate is None; allowed are both, or neither"
    ):
        validated(merge(TINY, {"pretraining": {"head_steps": 3}}))


def test_where_the_zeros_of_every_arm_come_from():
    study = validated(TINY)

    def of(arm):
        cell = Cell("a", arm, 0.6 if arm in SHIPPED.rows else 0.0, 1e-3, 0)
        return study.arm_table.method_of(arm), cell.pretrained(study)

    start = Run("gradual", 0.0, 0)
    expected = {
        "dense": ("none", Run("gradual", 0.0, 0)),
        "scratch": ("none", None),
        "pretrain": ("gradual", Run("gradual", 0.6, 0)),
        "information_deletion": ("gradual", Run("gradual", 0.6, 0)),
        "frozen": ("gradual", Run("gradual", 0.0, 0)),
        "downstream": ("one_shot", Run("gradual", 0.0, 0)),
        "random": ("random", Run("random", 0.6, 0)),
        **{control: (control, Run(control, 0.6, 0)) for control in CONTROLS},
        "distilled": ("gradual", Run("gradual", 0.6, 0)),
        "distilled_twice": ("distilled_twice", Run("distilled_twice", 0.6, 0)),
        "gradual_downstream": ("gradual", start),
        **{
            arm: (arm, start)
            for arm in ("gradual_encoder", "movement", "trained_movement", "soft_movement", "uncertainty")
        },
        **{arm: (arm, start) for arm in ("downstream_encoder", "fisher", "block_fisher", "activation")},
        **{arm: ("one_shot", start) for arm in ("ticket", "iterative_ticket", "pretrained_ticket")},
    }
    assert {arm: of(arm) for arm in expected} == expected


def test_every_score_and_pattern_of_the_table_is_there_and_every_arm_has_its_row_in_the_docs():
    rows = SHIPPED.rows.values()
    assert {row.score for row in rows} == {*SCORES} and {row.pattern for row in rows} == {
        *PATTERNS,
        "2:4",
        "1:2",
        "encoder:model",
    }
    for name, reads in SCORES.items():
        score = score_of(name)
        assert (score.update is None) == (reads == "weights") and score.seen in (None, "gradients", "inputs"), name
    assert all(pattern_of(name).choose for name in PATTERNS)
    table = (ROOT / "docs" / "arms.md").read_text().split("\n\n")[1]
    assert set(SHIPPED.arms) <= set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines())))


def test_the_readme_has_the_table_of_arms():
    said = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|", (ROOT / "README.md").read_text(), re.M)
    assert said == [(name, row.score, row.pattern, row.when, row.fate) for name, row in SHIPPED.rows.items()]


def test_a_study_runs_a_method_only_where_it_has_its_arm():
    assert {run.method for run in runs(load_study(PARAMS / "text.yaml"), 0)} == {"dense", "gradual"}
    assert {run.method for run in runs(load_study(PARAMS / "demo.yaml"), 0)} == {"dense", "gradual", "random", "global"}
    study = load_study(PARAMS / "controls.yaml")
    every = runs(study, 0)
    assert every[:4] == [Run("dense", 0.0, 0), *(Run("gradual", s, 0) for s in (0.0, 0.5, 0.7))]
    assert set(every[4:]) == {Run(m, s, 0) for m in study.grid.arms[2:] for s in (0.5, 0.7)}
    assert sum(node.parameters.get("method") == "heads" for node in nodes(study)) == 1


def test_controls_are_fine_tuned_as_long_as_pretrain_unless_told():
    epochs = validated(TINY).finetuning.epochs
    assert {epochs.of(arm, 0.5) for arm in ("pretrain", "frozen", *CONTROLS)} == {1}
    told = validated(merge(TINY, {"finetuning": {"epochs": {"pretrain": 2, "frozen": 3, "controls": {"global": 5}}}}))
    assert told.finetuning.epochs.of("frozen", 0.5) == 3
    assert [told.finetuning.epochs.of(arm, 0.5) for arm in CONTROLS] == [
        5 if arm == "global" else 2 for arm in CONTROLS
    ]
    with pytest.raises(
        ParamsError, match="finetuning.epochs.controls has 'globl'; allowed are one_shot, global, heads"
    ):
        validated(merge(TINY, {"finetuning": {"epochs": {"controls": {"globl": 5}}}}))


def test_every_arm_and_method_has_a_line_of_its_own():
    assert {*SHIPPED.rows, *SHIPPED.methods} - {"dense"} == set(style.STYLE)
    looks = [style.STYLE[arm][:2] for arm in SHIPPED.rows]
    assert len({colour for colour, _ in looks}) == len(looks)
    first = [marker for _, marker in looks[:8]]  # those of the paper and the first controls
    assert len({*first}) == len(first)


def test_the_figure_of_losses_draws_every_method_from_the_run_at_zero():
    import pandas as pd

    runs = pd.DataFrame(
        [
            {"method": m, "target_sparsity": s, "pretrain_loss": 2 + i + s, "seed": 0}
            for i, m in enumerate(["gradual", "random", *CONTROLS])
            for s in (0.0, 0.5)
            if s or m == "gradual"
        ]
    )
    *lines, shared = plots_pretraining.pretraining_loss(runs).figure.axes[0].lines
    assert len(lines) == 2 + len(CONTROLS) and all(len(line.get_xdata()) == 2 for line in lines)
    # side by side at 50 %, from one point at zero
    assert len({line.get_xdata()[1] for line in lines}) == len(lines)
    assert all(abs(line.get_xdata()[1] - 50) < 3 for line in lines)
    assert {(line.get_xdata()[0], line.get_ydata()[0]) for line in [*lines, shared]} == {(0, 2.0)}


@pytest.mark.slow
def test_features_are_compared_under_every_method():
    study = validated(TINY)
    for run in runs(study, 0):
        pretrain(study, run)
    frame = similarity_frame(study, [0])
    assert set(frame.method) == {"gradual", *CONTROLS} and frame.cosine.between(0, 1 + 1e-6).all()
    labels = [line.get_label() for line in plots_inside.similarity(frame).figure.axes[0].lines]
    assert all(f"{style.STYLE[method][2]}, mean" in labels for method in frame.method)
