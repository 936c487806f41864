"""All that a study computes, counted: trainings, steps, sequences and their lengths, by stage and arm."""

from collections import Counter

import pandas as pd

from prune_utils.grid import all_cells, pretraining_runs
from prune_utils.lengths import held_out_pairs, pair_tokens, task_tokens
from prune_utils.nodes import nodes, prunability_epochs
from prune_utils.schema import Study
from prune_utils.sizes import dev_size, pairs_bytes, pairs_wanted, parameters, sparse_bytes, train_size
from prune_utils.truth import TRAINED

STAGES = ["data", *TRAINED, "prunability", "evaluation", "notebooks"]
CHECKPOINT = 4 + 1 / 8  # bytes a weight: float32, and a bit of mask
EVALUATION_BATCH = 128  # as in training.arguments


def work(study: Study) -> pd.DataFrame:
    """All that is to be computed: one row a stage, arm, method and length of sequence.

    `runs` trainings (or evaluations) of together `steps` batches and `examples` sequences of `length` tokens, of
    which `masked` are predicted. Steps and examples are exact (of `data`, the pairs to be made, at most), lengths are means. `bytes`: of disk.
    """
    rows = pd.DataFrame([*_pretraining_rows(study), *_finetuning_rows(study), *_prunability_rows(study)])
    data = {"stage": "data", "runs": 1, "examples": pairs_wanted(study), "bytes": pairs_bytes(study)}
    around = pd.DataFrame([data, {"stage": "notebooks", "runs": len(nodes(study))}]).assign(arm="", method="")
    return pd.concat([rows, around], ignore_index=True).fillna(0)


def _pretraining_rows(study: Study) -> list[dict]:
    recipe, seeds, rows = study.pretraining, len(study.grid.seeds), []
    tokens, masked = pair_tokens(study)
    held_out = held_out_pairs(study)
    for method, count in Counter(method for method, _ in pretraining_runs(study)).items():
        arm = "pretrain" if method == "gradual" else method  # whose checkpoints serve the other arms as well
        of = {"arm": arm, "method": method, "runs": seeds * count, "length": tokens, "masked": masked}
        steps = of["runs"] * (recipe.burn_in_steps if method == "dense" else recipe.steps)
        kept = of["runs"] * parameters(study) * CHECKPOINT + (sparse_bytes(study) if method == "gradual" else 0)
        rows.append(
            of
            | {"stage": "burn-in" if method == "dense" else "pre-training", "steps": steps}
            | {"examples": steps * recipe.batch_size, "bytes": kept}
        )
        batches = -(-held_out // EVALUATION_BATCH)
        rows.append(
            of | {"stage": "evaluation", "steps": of["runs"] * batches, "examples": of["runs"] * held_out, "bytes": 0}
        )
    return rows


def _finetuning_rows(study: Study) -> list[dict]:
    cells, rows = all_cells(study), []
    for task in study.tasks:
        size, evaluated, length = train_size(task), train_size(task) + dev_size(task), task_tokens(study, task.name)
        for arm in study.grid.arms:
            chosen = [cell for cell in cells if (cell.task, cell.arm) == (task.name, arm)]
            if not chosen:
                continue
            epochs = [study.finetuning.epochs.of(arm, cell.sparsity) for cell in chosen]
            steps = sum(-(-each * size // study.finetuning.batch_size) for each in epochs)
            of = {"arm": arm, "method": chosen[0].method, "runs": len(chosen), "length": length, "masked": 0}
            kept = len(chosen) * parameters(study) * CHECKPOINT if arm == "dense" else 0
            rows.append(
                of
                | {"stage": "fine-tuning", "steps": steps, "bytes": kept}
                | {"examples": steps * study.finetuning.batch_size}
            )
            batches = -(-evaluated // EVALUATION_BATCH)
            rows.append(
                of
                | {"stage": "evaluation", "steps": len(chosen) * batches, "examples": len(chosen) * evaluated}
                | {"bytes": 0}
            )
    return rows


def _prunability_rows(study: Study) -> list[dict]:
    """Fine-tuning first: what is trained before pruning, and after it."""
    runs, rows = len(study.grid.seeds) * len(study.prunability.epochs), []
    for task in study.tasks:
        examples = len(study.grid.seeds) * prunability_epochs(study) * train_size(task)
        evaluated = runs * (train_size(task) + dev_size(task))
        of = {"arm": "", "method": "", "runs": runs, "length": task_tokens(study, task.name), "masked": 0, "bytes": 0}
        steps = -(-examples // study.finetuning.batch_size)
        rows.append(of | {"stage": "prunability", "steps": steps, "examples": examples})
        rows.append(of | {"stage": "evaluation", "steps": -(-evaluated // EVALUATION_BATCH), "examples": evaluated})
    return rows
