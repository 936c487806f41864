"""Measure a few training steps of a study on random tokens, to estimate how long the whole study takes."""

import tempfile
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from prune_utils.data.masked_tokens import IGNORED
from prune_utils.pruning.callbacks import FixedMask
from prune_utils.pruning.checkpoints import all_kept
from prune_utils.study.schema import Study
from prune_utils.training import sizes
from prune_utils.training.loop.trainer import predict, train
from prune_utils.training.model_folder.config import Fields
from prune_utils.training.modeling import masked, special_ids
from prune_utils.training.sizes import shape

SECONDS, LEAST, MOST = 1.0, 2, 40  # stop after SECONDS but at least LEAST steps, or after MOST steps
FIRST = 1  # steps that are not timed: caches are cold and buffers are allocated
# FLOP per step; above this, two smaller batches are timed and extrapolated
LIMIT = {"cpu": 1e11, "cuda": 1e14}
PADDING = SimpleNamespace(pad_token_id=0, cls_token_id=2, sep_token_id=3)


class Pace(NamedTuple):
    """Measured seconds: `start`, before the first step of a training; `pair`, per pre-training step; `step`, per
    fine-tuning step, by length in tokens. `evaluation`: FLOP per second of evaluation."""

    start: float
    pair: float
    step: dict[int, float]
    evaluation: float

    def finetuning_step(self, tokens: float) -> float:
        """Seconds per fine-tuning step, interpolated between the measured lengths."""
        return float(np.interp(tokens, list(self.step), list(self.step.values())))


def measure(study: Study, pair_tokens: float, masked: float, task_tokens: list[float]) -> Pace:
    """Measure the study's model at its batch size, precision and threads, for pairs and for the shortest and longest tasks."""
    torch.set_num_threads(study.machine.threads)
    pairs = random_sequences(study, round(pair_tokens), round(masked))
    start, pair = _step(study, _model(study, pairs=True), pairs, study.pretraining.batch_size)
    model, step = _model(study, pairs=False), {}
    for tokens in sorted({round(min(task_tokens)), round(max(task_tokens))}):
        data = random_sequences(study, tokens)
        start, step[tokens] = _step(study, model, data, study.finetuning.batch_size)
    return Pace(start, pair, step, _evaluation(study, model, data))


def random_sequences(study: Study, tokens: int, masked: int = 0) -> Dataset:
    """Random sequences for the largest batch, with `masked` tokens to predict each, or with a class label if 0."""
    random, batch = np.random.default_rng(0), max(study.pretraining.batch_size, study.finetuning.batch_size)
    ids = random.integers(5, shape(study).vocabulary, (batch, tokens))
    columns = {"input_ids": ids.tolist(), "token_type_ids": np.zeros_like(ids).tolist(), "length": [tokens] * batch}
    labels = random.integers(0, 2, batch).tolist()
    answers = np.where(np.arange(tokens) < masked, ids, IGNORED).tolist()
    columns |= {"labels": answers, "next_sentence_label": labels} if masked else {"labels": labels}
    return Dataset.from_dict(columns)


def _model(study: Study, pairs: bool) -> PreTrainedModel:
    of = shape(study)
    given = Fields(
        kind=of.kind,
        vocab_size=of.vocabulary,
        hidden_size=of.width,
        num_hidden_layers=of.layers,
        num_attention_heads=of.heads,
        intermediate_size=of.intermediate,
        embedding_size=of.embedding,
        max_position_embeddings=max(512, study.corpus.max_length + 16),
    )
    # default: BERT's
    dropout = dict.fromkeys(of.family.dropouts, 0.1 if study.model.dropout is None else study.model.dropout)
    config = given.configuration(**dropout, **special_ids(given, PADDING))
    return masked(of.kind)(config) if pairs else AutoModelForSequenceClassification.from_config(config)


class _Clock(FixedMask):
    """Records the time after every step of a training with a (full) mask."""

    def __init__(self, model: PreTrainedModel):
        super().__init__(model, all_kept(model))
        self.times: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        timed = len(self.times) - FIRST
        control.should_training_stop = timed >= LEAST and self.times[-1] - self.times[FIRST - 1] > SECONDS


def _step(study: Study, model: PreTrainedModel, data: Dataset, batch: int) -> tuple[float, float]:
    """Seconds before the first step of a training, and seconds per step."""
    part = _affordable(model, data, batch, sizes.TRAINING)
    start, small = _timed(study, model, data, part)
    if part == batch:
        return start, small
    twice = min(2 * part, batch)
    more = _timed(study, model, data, twice)[1] - small
    return start, small + max(0.0, more) * (batch - part) / (twice - part)


def _timed(study: Study, model: PreTrainedModel, data: Dataset, batch: int) -> tuple[float, float]:
    clock = _Clock(model)
    optimisation = study.finetuning.over(MOST + FIRST + 1, 1e-5).model_copy(update={"batch_size": batch})
    # no checkpoints: they would dominate such a short training
    quiet = study.machine.model_copy(update={"save_steps": 10**9, "report_to": []})
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        train(model, data, optimisation, 0, Path(folder), quiet, PADDING, clock)
    step = median(np.diff(clock.times)[FIRST - 1 :])
    return max(0.0, clock.times[0] - began - step), float(step)


def _evaluation(study: Study, model: PreTrainedModel, data: Dataset) -> float:
    """FLOP per second of an evaluation, from the difference of a long and a short one, which cancels the start-up time."""
    part = _affordable(model, data, len(data), 1)
    times = []
    for rounds in (1, 1, 1 + 2 * len(data) // part):  # the first one warms up
        rows = data.select(np.arange(rounds * part) % len(data))
        began = time.perf_counter()
        predict(model, rows, study.machine, PADDING)
        times.append(time.perf_counter() - began)
    more = (rounds - 1) * part * sizes.forward(shape(study), data[0]["length"])
    return more / max(times[2] - times[1], 0.1 * times[2])


def _affordable(model: PreTrainedModel, data: Dataset, batch: int, passes: int) -> int:
    """Number of sequences per batch that keeps a probe short."""
    weights = sum(p.numel() for p in model.parameters())
    limit = LIMIT["cuda" if torch.cuda.is_available() else "cpu"]
    return int(np.clip(limit // (2 * passes * weights * data[0]["length"]), 1, batch))
