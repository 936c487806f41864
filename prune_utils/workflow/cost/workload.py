"""Count what a study computes: trainings, steps, sequences and their lengths, by stage and arm."""

import itertools
from statistics import fmean

import pandas as pd

from prune_utils.data import tasks, text
from prune_utils.data.glue import facts
from prune_utils.data.masked_tokens import IGNORED
from prune_utils.data.pairs import examples
from prune_utils.data.prepared import encoded
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.grid import TRAINED, Cell, Run, all_cells, all_runs, delayed
from prune_utils.study.schema import Study
from prune_utils.training.sizes import dev_size, pairs_bytes, shape, sparse_bytes, train_size
from prune_utils.workflow.graph import nodes

STAGES = ["data", *TRAINED, "prunability", "evaluation", "notebooks"]
CHECKPOINT = 4 + 1 / 8  # bytes per weight: float32, and one bit of mask
EVALUATION_BATCH = 128  # as in trainer.arguments
SAMPLE = 500  # documents of the corpus, and examples of a task, whose lengths are measured
HUB_PAIRS = 8  # sentence pairs per held-out document of the hub (approximate)


def work(study: Study) -> pd.DataFrame:
    """Everything a study computes: one row per training and one per evaluation.

    Columns `stage`, `arm`, `method`, `runs`, `steps` (batches), `examples` (sequences), `length` (tokens per sequence),
    `masked` (predicted tokens per sequence), `bytes` (on disk). Steps and examples are exact, except that the pairs of
    stage `data` are an upper bound; lengths are means.
    """
    trained = pd.DataFrame([*_pretraining_rows(study), *_finetuning_rows(study)]).assign(runs=1)
    read = trained.pop("evaluated")
    data = {"stage": "data", "runs": 1, "examples": study.pretraining.pairs_read, "bytes": pairs_bytes(study)}
    around = pd.DataFrame([data, {"stage": "notebooks", "runs": len(nodes(study))}]).assign(arm="", method="")
    evaluation = trained.assign(stage="evaluation", steps=-(-read // EVALUATION_BATCH), examples=read, bytes=0)
    return pd.concat([trained, evaluation, around], ignore_index=True).fillna(0)


def _pretraining_rows(study: Study) -> list[dict]:
    (tokens, masked), held_out, weights, rows = pair_tokens(study), held_out_pairs(study), shape(study).weights, []
    for run in all_runs(study):
        # a step of the heads alone is counted as a whole one
        steps = sum(recipe.steps for _, recipe in study.pretraining.stages(burn_in=run.method == "dense"))
        of = {"stage": "burn-in" if run.method == "dense" else "pre-training", "method": run.method}
        # the gradual checkpoints serve other arms too, and are counted with `pretrain`
        of["arm"] = "pretrain" if run.method == "gradual" else run.method
        sparse = sparse_bytes(study) if run == Run("gradual", 0.0, study.grid.seeds[0]) else 0  # of one seed
        of |= {"steps": steps, "examples": steps * study.pretraining.batch_size, "evaluated": held_out}
        rows.append(of | {"length": tokens, "masked": masked, "bytes": weights * CHECKPOINT + sparse})
    return rows


def _finetuning_rows(study: Study) -> list[dict]:
    """The cells, and the models that are fine-tuned first, each with its training before and after pruning."""
    batch, weights, rows = study.finetuning.batch_size, shape(study).weights, []
    later = [cell for task in study.tasks for seed in study.grid.seeds for cell in delayed(study, task.name, seed)]
    known = {task.name: (train_size(task), dev_size(task), task_tokens(study, task.name)) for task in study.tasks}
    for cell in [*all_cells(study), *later]:
        size, dev, tokens = known[cell.task]
        of = {"stage": "prunability", "arm": "", "method": "", "bytes": 0}
        if isinstance(cell, Cell):
            kept = weights * CHECKPOINT if cell.arm == "dense" else 0
            of = {"stage": "fine-tuning", "arm": cell.arm, "method": study.arm_table.method_of(cell.arm), "bytes": kept}
        steps = sum(-(-epochs * size // batch) for epochs in cell.epochs_trained(study))
        of |= {"steps": steps, "examples": steps * batch, "evaluated": size + dev}
        rows.append(of | {"length": tokens, "masked": 0})
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
