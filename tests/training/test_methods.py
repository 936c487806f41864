"""Arms that are pruned by other scores, at other times, from other masks, or with a teacher."""

import copy

import pytest
import torch
from tiny import MACHINE, RECIPE

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings import methods
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.results import cells_frame, pretraining_frame
from prune_utils.data import prepared
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.pruning.checkpoints import load_checkpoint
from prune_utils.pruning.masks import magnitude_masks
from prune_utils.pruning.matrices import check_zeros, prunable_matrices
from prune_utils.pruning.schedule import Schedule
from prune_utils.pruning.scores import chooser
from prune_utils.report import plots_prunability
from prune_utils.study import paths
from prune_utils.study.grid import Cell, Run, cells
from prune_utils.study.params import extended, merge, read_yaml, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.record import differences, record
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.arms import PRETRAINED, SCORES, SHIPPED, Teacher, Zeros
from prune_utils.training import pretraining
from prune_utils.training.finetuning import fine_tuned, finetune, starting_model
from prune_utils.training.loop.distillation import distance, distilled
from prune_utils.training.loop.trainer import train
from prune_utils.training.modeling import MaskedEncoder
from prune_utils.training.pretraining import pretrain

LATER = [name for name, row in SHIPPED.rows.items() if row.when not in PRETRAINED or row.teacher]
TINY = merge(
    extended(read_yaml(PARAMS / "smoke.yaml")),
    {
        "study": "methods_test",
        "tasks": [
            {"source": "embedded", "name": "sentiment", "train": 32, "dev": 16},
            {"source": "embedded", "name": "acceptability", "train": 32, "dev": 16},
        ],
        "corpus": {"documents": 60, "held_out_documents": 10},
        "pretraining": {"burn_in_steps": 4, "steps": 6, "ramp_steps": 4, "frequency": 1},
        "finetuning": {"learning_rates": [1e-3]},
        "prunability": {"sparsity": 0.5},
        "grid": {"sparsities": [0.0, 0.5], "arms": ["dense", *LATER, "borrowed", "sparser"]},
        "own_arms": {
            "borrowed": {
                "score": "magnitude", "pattern": "rows", "when": "rewound", "fate": "zero", "masks_of": "acceptability"
            },
            "sparser": {"score": "movement", "pattern": "model", "when": "gradual", "fate": "free"},
        },
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return validated(TINY)


def at(arm, sparsity=0.5, task="sentiment"):
    return Cell(task, arm, sparsity, 1e-3, 0)


@pytest.mark.slow(40)
@pytest.mark.parametrize("arm", [*LATER, "borrowed", "sparser"])
def test_every_row_trains_to_its_sparsity(study, arm):
    result, row = finetune(study, at(arm)), study.arm_table.rows[arm]
    assert 0 <= result["dev_accuracy"] <= 1
    width, inner, layers = (
        getattr(study.model, key) for key in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    inside = layers * (4 * width**2 + 2 * width * inner)
    share = (
        inside / (inside + width**2 + len(tokenizer_of(study)) * width) if row.pattern.startswith("encoder") else 1.0
    )
    assert result["realised_sparsity"] == pytest.approx(0.5 * share, abs=2e-3)
    assert row.fate == "free" or result["final_sparsity"] >= result["realised_sparsity"]
    assert result["epochs"] == sum(at(arm).epochs_trained(study)) > 0


@pytest.mark.slow(5)
def test_the_arms_are_compared_from_their_results(study):
    mine = ["movement", "ticket", "distilled"]
    every = [at("dense", 0.0, task.name) for task in study.tasks]
    every += [at(arm, 0.5, task.name) for arm in mine for task in study.tasks]
    for cell in every:
        finetune(study, cell)
    frame, runs = cells_frame(study, every), pretraining_frame(study)
    found = Evidence(frame, runs, accuracy_means(frame), None, study.analysis)
    table = methods.table(found, study).set_index("arm")
    assert list(table.index) == mine and table.change_50_low.isna().all()  # one seed has no interval
    assert table[["accuracy_50", "change_50", "finetuning_seconds"]].notna().all(axis=None)
    assert (table.pretraining_seconds > 0).to_dict() == {"movement": False, "ticket": False, "distilled": True}
    assert len(methods.pairs(found)) == 3 and len(plots_prunability.methods(table.reset_index()).figure.axes) == 1


@pytest.mark.slow(5)
def test_a_ticket_keeps_the_pre_trained_values_and_the_mask_of_the_fine_tuned_model(study):
    finetune(study, at("dense", 0.0))
    start, _, _ = starting_model(study, at("dense", 0.0), labels=2)
    for arm, pruned in (("ticket", fine_tuned(study, at("dense", 0.0))), ("pretrained_ticket", start)):
        model, masks, realised = starting_model(study, at(arm), labels=2)
        wanted = magnitude_masks(prunable_matrices(pruned), 0.5)
        assert realised == pytest.approx(0.5, abs=1e-3)
        for name, matrix in prunable_matrices(model).items():
            assert torch.equal(masks[name], wanted[name])
            assert torch.equal(matrix, prunable_matrices(start)[name] * wanted[name])
        assert torch.equal(model.classifier.weight, start.classifier.weight)


@pytest.mark.slow(5)
def test_a_mask_can_come_from_another_task(study):
    other = at("dense", 0.0, "acceptability")
    finetune(study, other)
    _, masks, _ = starting_model(study, at("borrowed"), labels=2)
    wanted = chooser(Zeros("magnitude", "rows", "start"), 2)(prunable_matrices(fine_tuned(study, other)), 0.5)
    assert all(torch.equal(masks[name], wanted[name]) for name in wanted)


def test_rounds_of_rewinding_prune_the_same_share_of_what_is_left_and_only_more(study):
    """The masks are nested: what has gone is zero in the model that the next round prunes."""
    finetune(study, at("dense", 0.0))
    first, masks, realised = starting_model(study, at("iterative_ticket"), 2, 1 - 0.5 ** (1 / 3))
    assert realised == pytest.approx(0.2063, abs=2e-3)
    _, more, realised = starting_model(study, at("iterative_ticket"), 2, 1 - 0.5 ** (2 / 3), first)
    assert realised == pytest.approx(0.370, abs=2e-3)
    assert all(not (more[name] & ~masks[name]).any() for name in masks)
    assert at("iterative_ticket").epochs_trained(study) == [1, 1, 1]


def test_distance_is_the_divergence_at_a_temperature():
    ours, theirs = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    p, q = torch.softmax(theirs / 2, 1), torch.softmax(ours / 2, 1)
    assert distance(ours, theirs, 2.0).item() == pytest.approx((4 * (p * (p / q).log()).sum(1).mean()).item())
    assert distance(ours, ours, 3.0).item() == pytest.approx(0, abs=1e-7)
    assert distance(ours[:, :1], theirs[:, :1], 2.0).item() == pytest.approx(1.0)  # ((1 - 0)² + (0 - 1)²) / 2


@pytest.mark.slow(5)
def test_a_teacher_without_a_share_changes_nothing_and_one_with_a_share_does(study, tmp_path):
    """In both stages; in pre-training, the teacher's outputs are the words at masked tokens."""
    tokenizer = tokenizer_of(study)
    finetune(study, at("dense", 0.0))
    tuned = fine_tuned(study, at("dense", 0.0))
    start, _, _ = starting_model(study, at("dense", 0.0), labels=2)
    burnt_in, _, _ = load_checkpoint(MaskedEncoder, Run("dense", 0.0, 0).checkpoint(study.study), 0.0)
    stages = {
        "fine-tuning": (start, tuned, prepared.task_data(study, "sentiment", tokenizer)[0]),
        "pre-training": (burnt_in, copy.deepcopy(burnt_in), prepared.pretraining_data(study)),
    }
    for stage, (start, teacher, data) in stages.items():

        def trained(name, loss=None, start=start, data=data, stage=stage):
            model = copy.deepcopy(start)
            train(model, data, RECIPE, 3, tmp_path / stage / name, MACHINE, tokenizer, loss=loss)
            return model.state_dict()

        plain = trained("plain")
        none, half = (trained(f"{s}", distilled(teacher, Teacher(share=s))) for s in (0.0, 0.5))
        assert all(torch.equal(plain[name], none[name]) for name in plain), stage
        assert not all(torch.equal(plain[name], half[name]) for name in plain), stage


@pytest.mark.slow(5)
def test_the_teacher_of_pre_training_is_the_dense_model_and_does_not_learn(study, monkeypatch):
    teachers, run = [], Run("distilled_twice", 0.5, 1)
    monkeypatch.setattr(pretraining, "distilled", lambda model, how: (teachers.append(model), distilled(model, how))[1])
    pretrain(study, run)
    dense = load_checkpoint(MaskedEncoder, run.dense().checkpoint(study.study), 0.0)[0].state_dict()
    assert all(torch.equal(dense[name], weights.cpu()) for name, weights in teachers[0].state_dict().items())


def test_a_teacher_in_pre_training_makes_runs_of_their_own_and_one_in_fine_tuning_does_not(study):
    taught, plain = (pretrain(study, at(arm).pretrained(study)) for arm in ("distilled_twice", "distilled"))
    assert taught["method"] == "distilled_twice" and plain["method"] == "gradual"
    assert (
        taught["realised_sparsity"] == plain["realised_sparsity"] and taught["pretrain_loss"] != plain["pretrain_loss"]
    )


@pytest.mark.slow(5)
@pytest.mark.parametrize("score", [name for name, reads in SCORES.items() if reads == "training"])
def test_a_learnt_score_resumes_from_the_middle_of_the_ramp_to_the_last_digit(score, tiny_bert, pairs, words, tmp_path):
    def made(model):
        return GradualPruning(model, Schedule(0.75, 18, 3), chooser(Zeros(score, "matrix", "gradual"), 2))

    class Stop(Exception):
        pass

    class Stopping(GradualPruning):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 16:  # checkpoints are at 7 and 14
                raise Stop

    whole, broken = copy.deepcopy(tiny_bert), copy.deepcopy(tiny_bert)
    wanted = made(whole)
    train(whole, pairs, RECIPE, 3, tmp_path / "whole", MACHINE, words, wanted)
    stopping = Stopping(broken, Schedule(0.75, 18, 3), chooser(Zeros(score, "matrix", "gradual"), 2))
    with pytest.raises(Stop):
        train(broken, pairs, RECIPE, 3, tmp_path / "broken", MACHINE, words, stopping)
    again = made(tiny_bert)
    train(tiny_bert, pairs, RECIPE, 3, tmp_path / "broken", MACHINE, words, again)
    check_zeros(tiny_bert, again.masks, 0.75)
    assert all(torch.equal(wanted.masks[name], mask) for name, mask in again.masks.items())
    for (name, a), b in zip(whole.named_parameters(), tiny_bert.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_params_file_adds_rows(study):
    assert Run("sparser", 0.5, 0) == at("sparser").pretrained(study) and study.arm_table.ramped("sparser")
    assert [cell.arm for cell in cells(study, "sentiment", 0, [0.5]) if cell.arm in TINY["own_arms"]] == [
        "borrowed",
        "sparser",
    ]


MINE = {"score": "magnitude", "pattern": "matrix", "when": "start", "fate": "zero"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"score": "larger"}, "own_arms.mine.score is 'larger'; input should be 'magnitude', 'random'"),
        ({"pattern": "4:2"}, "pattern is '4:2'; allowed are matrix, rows, .* N:M with N below M, such as 2:4"),
        ({"score": "movement"}, "score is 'movement', which is learnt step by step, and when is 'start'; allowed are"),
        ({"score": "fisher"}, "score is 'fisher' and examples is None; allowed is a number for fisher, block_fisher"),
        ({"examples": 9}, "score is 'magnitude' and examples is 9; allowed is a number for fisher"),
        ({"score": "fisher", "examples": 9, "when": "gradual"}, "is measured once, and when is 'gradual'; allowed are"),
        ({"pattern": "2:4", "when": "gradual"}, "pattern is '2:4', which has one sparsity, and when is 'gradual'"),
        (
            {"fate": "frozen", "when": "fine-tuned"},
            "fate is 'frozen' and when is 'fine-tuned'; this fate is only allowed for",
        ),
        ({"rounds": 2}, "when is 'start'; rounds and masks_of are only allowed if it is 'rewound'"),
        ({"when": "rewound", "rounds": 2, "masks_of": "sentiment"}, "rounds is 2; allowed is 1 round"),
        ({"when": "rewound", "rounds": 2, "pattern": "2:4"}, "has one sparsity, and rounds is 2; allowed is 1"),
        ({"when": "rewound", "masks_of": "parsing"}, "masks_of is 'parsing'; allowed are pretraining, sentiment, acc"),
        (
            {"teacher": {"share": 0.5, "during": "both"}, "when": "fine-tuning"},
            "teacher.during is 'both' and when is 'fine-tuning'; only allowed for gradual and start",
        ),
        ({"teacher": {"share": 1.5}}, "own_arms.mine.teacher.share is 1.5; input should be less than or equal to 1"),
        ({"look": ["#000000", "o", "mine"]}, "unknown parameter 'own_arms.mine.look'"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_the_reason(row, message):
    with pytest.raises(ParamsError, match=message):
        validated(merge(TINY, {"own_arms": {"mine": MINE | row}}))


def test_a_name_that_is_taken_and_an_arm_that_is_nowhere_are_refused():
    for name in ("pretrain", "gradual", "dense"):
        with pytest.raises(ParamsError, match=rf"own_arms\.{name}: the name is taken"):
            validated(merge(TINY, {"own_arms": {name: MINE}}))
    with pytest.raises(ParamsError, match="grid.arms has 'mine'; allowed are dense, scratch, pretrain"):
        validated(merge(TINY, {"grid": {"arms": ["dense", "mine"]}}))


def test_a_new_arm_may_have_epochs_of_its_own_beside_finished_results_and_a_trained_one_may_not_change_them():
    first = merge(TINY, {"study": "later_arm"})
    record(validated(first))
    longer, folder = (
        validated(merge(first, {"finetuning": {"epochs": {"controls": {"one_shot": 5}}}})),
        paths.results("later_arm"),
    )
    assert differences(longer, folder) == []
    (folder / "finetune" / "sentiment" / "seed-0" / "one_shot").mkdir(parents=True)
    assert differences(longer, folder) == ["finetuning.epochs.controls was None and is {'one_shot': 5}"]


def test_results_of_a_row_are_not_mixed_with_those_of_a_changed_one(study):
    record(study)
    folder = paths.results(study.study)
    assert differences(validated(merge(TINY, {"own_arms": {"mine": MINE}})), folder) == []
    changed = validated(merge(TINY, {"own_arms": {"sparser": {"pattern": "rows"}}}))
    assert differences(changed, folder) == ["own_arms.sparser.pattern was 'model' and is 'rows'"]
    (folder / paths.RECORDED).unlink()
