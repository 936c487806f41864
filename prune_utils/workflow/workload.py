"""All that a study computes, counted: trainings, steps, sequences and their lengths, by stage and arm."""

import itertools
from collections import Counter
from statistics import fmean

import pandas as pd

from prune_utils.data import tasks, text
from prune_utils.data.pairs import IGNORED, examples
from prune_utils.data.prepared import encoded
from prune_utils.study.grid import TRAINED, all_cells, pretraining_runs
from prune_utils.study.schema import Study
from prune_utils.training.sizes import dev_size, pairs_bytes, pairs_wanted, parameters, sparse_bytes, train_size
from prune_utils.workflow.nodes import nodes, prunability_epochs

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


# mean WordPiece tokens with [CLS] and [SEP]; SST-2 and CoLA counted with BERT's uncased vocabulary, the pairs approximate
GLUE_TOKENS = {"MNLI": 40, "QQP": 31, "QNLI": 51, "SST-2": 13.4, "CoLA": 11.4}
SAMPLE = 500  # documents of the corpus, examples of a task
HUB_PAIRS = 8  # of a document held out from the hub: approximate


def task_tokens(study: Study, name: str) -> float:
    """Mean tokens of a task's training examples, measured on a sample; for the hub's, GLUE's, else the longest allowed."""
    task, longest = study.task(name), study.corpus.max_length
    if task.source == "hub":
        return min(GLUE_TOKENS.get(name, longest), longest)
    frame = tasks.examples(task)[0]
    sample = frame.sample(min(SAMPLE, len(frame)), random_state=0)
    return fmean(encoded(sample, text.tokenizer(study.corpus), longest)["length"])


def pair_tokens(study: Study) -> tuple[float, float]:
    """Mean tokens of a sentence pair and how many of them are masked; of the hub's text, the longest allowed."""
    corpus, recipe = study.corpus, study.pretraining
    if corpus.source == "hub":
        masked = min(recipe.max_masked, max(1, round(recipe.masked_share * corpus.max_length)))
        return corpus.max_length, masked
    documents = itertools.islice(text.documents(corpus, held_out=False), SAMPLE)
    pairs = list(examples(documents, text.tokenizer(corpus), corpus.max_length, recipe, "sample"))
    masked = [sum(label != IGNORED for label in pair["labels"]) for pair in pairs]
    return fmean(pair["length"] for pair in pairs), fmean(masked)


def held_out_pairs(study: Study) -> int:
    """Sentence pairs that a pre-training run is evaluated on; of the hub's text, about."""
    corpus = study.corpus
    if corpus.source == "hub":
        return HUB_PAIRS * corpus.held_out_documents
    documents = text.documents(corpus, held_out=True)
    pairs = examples(documents, text.tokenizer(corpus), corpus.max_length, study.pretraining, "pairs True 0")
    return sum(1 for _ in pairs)
