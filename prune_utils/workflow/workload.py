"""Count what a study computes: trainings, steps, sequences and their lengths, by stage and arm."""

import itertools
from collections import Counter
from statistics import fmean

import pandas as pd

from prune_utils.data import tasks, text
from prune_utils.data.glue import facts
from prune_utils.data.pairs import IGNORED, examples
from prune_utils.data.prepared import encoded
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.grid import TRAINED, all_cells, all_runs
from prune_utils.study.schema import Study
from prune_utils.training.sizes import dev_size, pairs_bytes, parameters, sparse_bytes, train_size
from prune_utils.workflow.nodes import nodes, prunability_epochs

STAGES = ["data", *TRAINED, "prunability", "evaluation", "notebooks"]
CHECKPOINT = 4 + 1 / 8  # bytes per weight: float32, and one bit of mask
EVALUATION_BATCH = 128  # as in trainer.arguments
SAMPLE = 500  # documents of the corpus, and examples of a task, whose lengths are measured
HUB_PAIRS = 8  # sentence pairs per held-out document of the hub (approximate)


def work(study: Study) -> pd.DataFrame:
    """Everything a study computes: one row per stage, arm, method and length of sequence.

    Columns `runs` (trainings or evaluations), `steps` (batches of all runs), `examples` (sequences of all runs),
    `length` (tokens per sequence), `masked` (predicted tokens per sequence), `bytes` (on disk). Steps and examples are
    exact, except that the pairs of stage `data` are an upper bound; lengths are means.
    """
    rows = pd.DataFrame([*_pretraining_rows(study), *_finetuning_rows(study), *_prunability_rows(study)])
    data = {"stage": "data", "runs": 1, "examples": study.pretraining.pairs_read, "bytes": pairs_bytes(study)}
    around = pd.DataFrame([data, {"stage": "notebooks", "runs": len(nodes(study))}]).assign(arm="", method="")
    return pd.concat([rows, around], ignore_index=True).fillna(0)


def _trained(of: dict, stage: str, steps: int, examples: int, evaluated: int, batches: int, kept: float = 0) -> list:
    """Two rows: the trainings of a stage, and their evaluations."""
    return [
        of | {"stage": stage, "steps": steps, "examples": examples, "bytes": kept},
        of | {"stage": "evaluation", "steps": batches, "examples": evaluated, "bytes": 0},
    ]


def _pretraining_rows(study: Study) -> list[dict]:
    recipe, rows = study.pretraining, []
    tokens, masked = pair_tokens(study)
    held_out = held_out_pairs(study)
    for method, count in Counter(run.method for run in all_runs(study)).items():
        burn_in, gradual = method == "dense", method == "gradual"
        # the gradual checkpoints serve other arms too, and are counted with `pretrain`
        of = {"arm": "pretrain" if gradual else method, "method": method, "runs": count}
        of |= {"length": tokens, "masked": masked}
        steps = count * recipe.optimisation(burn_in).steps
        kept = count * parameters(study) * CHECKPOINT + (sparse_bytes(study) if gradual else 0)
        stage, batches = "burn-in" if burn_in else "pre-training", count * -(-held_out // EVALUATION_BATCH)
        rows += _trained(of, stage, steps, steps * recipe.batch_size, count * held_out, batches, kept)
    return rows


def _finetuning_rows(study: Study) -> list[dict]:
    recipe, cells, rows = study.finetuning, all_cells(study), []
    for task in study.tasks:
        size, evaluated, length = train_size(task), train_size(task) + dev_size(task), task_tokens(study, task.name)
        for arm in study.grid.arms:
            if not (chosen := [cell for cell in cells if (cell.task, cell.arm) == (task.name, arm)]):
                continue
            count = len(chosen)
            of = {"arm": arm, "method": chosen[0].method, "runs": count, "length": length, "masked": 0}
            steps = sum(-(-recipe.epochs.of(arm, cell.sparsity) * size // recipe.batch_size) for cell in chosen)
            kept = count * parameters(study) * CHECKPOINT if arm == "dense" else 0
            batches = count * -(-evaluated // EVALUATION_BATCH)
            rows += _trained(of, "fine-tuning", steps, steps * recipe.batch_size, count * evaluated, batches, kept)
    return rows


def _prunability_rows(study: Study) -> list[dict]:
    """Fine-tuning first: the trainings before and after pruning."""
    seeds, rows = len(study.grid.seeds), []
    runs = seeds * len(study.prunability.epochs)
    for task in study.tasks:
        examples = seeds * prunability_epochs(study) * train_size(task)
        evaluated = runs * (train_size(task) + dev_size(task))
        of = {"arm": "", "method": "", "runs": runs, "length": task_tokens(study, task.name), "masked": 0}
        steps, batches = -(-examples // study.finetuning.batch_size), -(-evaluated // EVALUATION_BATCH)
        rows += _trained(of, "prunability", steps, examples, evaluated, batches)
    return rows


def task_tokens(study: Study, name: str) -> float:
    """Mean tokens of a task's training examples, measured on a sample; for tasks of the hub, the known mean of GLUE."""
    task, longest = study.task(name), study.corpus.max_length
    if task.source == "hub":
        return min(facts(name).tokens, longest)
    frame = tasks.examples(task)[0]
    sample = frame.sample(min(SAMPLE, len(frame)), random_state=0)
    return fmean(encoded(sample, tokenizer_of(study), longest)["length"])


def pair_tokens(study: Study) -> tuple[float, float]:
    """Mean tokens of a sentence pair, and mean masked tokens; for text of the hub, the largest allowed length."""
    corpus, recipe = study.corpus, study.pretraining
    if corpus.source == "hub":
        masked = min(recipe.max_masked, max(1, round(recipe.masked_share * corpus.max_length)))
        return corpus.max_length, masked
    documents = itertools.islice(text.documents(corpus, held_out=False), SAMPLE)
    pairs = list(examples(documents, tokenizer_of(study), corpus.max_length, recipe, "sample"))
    masked = [sum(label != IGNORED for label in pair["labels"]) for pair in pairs]
    return fmean(pair["length"] for pair in pairs), fmean(masked)


def held_out_pairs(study: Study) -> int:
    """Number of sentence pairs that a pre-training run is evaluated on; approximate for text of the hub."""
    corpus = study.corpus
    if corpus.source == "hub":
        return HUB_PAIRS * corpus.held_out_documents
    documents = text.documents(corpus, held_out=True)
    pairs = examples(documents, tokenizer_of(study), corpus.max_length, study.pretraining, "pairs True 0")
    return sum(1 for _ in pairs)
