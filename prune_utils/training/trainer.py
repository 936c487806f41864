"""One training with transformers' Trainer: order, precision, checkpoints to resume from, and evaluation."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import ProgressCallback

from prune_utils.data.batches import lengths_of, padded, training_order
from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.study.files import write_json
from prune_utils.study.schema import Machine
from prune_utils.training.machine import bfloat16

WHOLE = "whole.json"  # written last into a Trainer checkpoint; one without it was cut off and is not resumed from


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train; `steps` are optimiser steps, the rate decays linearly to zero over them."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_share: float
    max_grad_norm: float
    seed: int


class _Checkpoints(TrainerCallback):
    """Completes each of the Trainer's checkpoints: pruning state first, then the mark that it is whole."""

    def __init__(self, pruning: GradualPruning | None):
        self.pruning = pruning

    def on_save(self, args, state, control, **kwargs):
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.pruning:
            self.pruning.save(folder)
        write_json(folder / WHOLE, {"step": state.global_step})


def discard(folder: Path) -> None:
    """Removes the checkpoints of a training, their marks first: one half-removed must not be resumed from."""
    for mark in folder.glob(f"checkpoint-*/{WHOLE}"):
        mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _resumable(folder: Path) -> Path | None:
    """The last whole checkpoint of an interrupted training; those cut off while being written are removed."""
    found = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / WHOLE).exists():
            found.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(found, key=lambda path: int(path.name.split("-")[1]), default=None)


def arguments(folder: Path, machine: Machine, **options) -> TrainingArguments:
    torch.set_num_threads(machine.threads)
    args = TrainingArguments(
        output_dir=str(folder),
        bf16=bfloat16(machine),
        use_cpu=not torch.cuda.is_available(),  # without it transformers refuses bfloat16 on a processor
        report_to="none",
        remove_unused_columns=False,
        per_device_eval_batch_size=128,
        dataloader_pin_memory=torch.cuda.is_available(),
        **options,
    )
    args._n_gpu = 1  # a job is one model on one device; several would split the batch and change the recipe
    return args


class _Trainer(Trainer):
    def floating_point_ops(self, inputs) -> int:
        """Not counted: walking all modules for it in every step takes a twentieth of a small model's time."""
        return 0


def make_trainer(
    model: PreTrainedModel, args: TrainingArguments, tokenizer: PreTrainedTokenizerBase, **options
) -> Trainer:
    """A Trainer whose batches are padded to their own longest example."""
    return _Trainer(model=model, args=args, data_collator=partial(padded, padding=tokenizer.pad_token_id), **options)


def train(
    model: PreTrainedModel,
    data: Dataset,
    recipe: Recipe,
    folder: Path,
    machine: Machine,
    tokenizer: PreTrainedTokenizerBase,
    pruning: TrainerCallback | None = None,
    progress: bool = False,
) -> tuple[float, list[dict]]:
    """Trains `model` in place; returns the seconds it took in this process, and the losses logged on the way.

    `folder` holds checkpoints from which a training that was interrupted resumes exactly; the caller removes it
    with `discard` once what it made of the model is safe.
    """
    started = time.perf_counter()
    set_seed(recipe.seed)
    lengths = lengths_of(data)
    order = training_order(lengths, recipe.batch_size, recipe.steps * recipe.batch_size, recipe.seed)
    args = arguments(
        folder,
        machine,
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        lr_scheduler_type="linear",
        warmup_steps=round(recipe.warmup_share * recipe.steps),
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
        train_sampling_strategy="sequential",
        save_steps=machine.save_steps,
        save_total_limit=2,
        logging_steps=max(1, recipe.steps // 20),
        logging_nan_inf_filter=False,
        disable_tqdm=not progress,
    )
    gradual = pruning if isinstance(pruning, GradualPruning) else None
    callbacks = [c for c in (pruning, _Checkpoints(gradual)) if c]
    trainer = make_trainer(
        model, args, tokenizer, train_dataset=data.select(order).remove_columns("length"), callbacks=callbacks
    )
    if not progress:
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
    checkpoint = _resumable(folder)
    if checkpoint and gradual:
        gradual.load(checkpoint)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = [{"step": entry["step"], "loss": entry["loss"]} for entry in trainer.state.log_history if "loss" in entry]
    return time.perf_counter() - started, history


def predict(model: PreTrainedModel, data: Dataset, machine: Machine, tokenizer: PreTrainedTokenizerBase) -> tuple:
    """The model's outputs besides its loss, each with one row an example in the order of `data`.

    Batches are made of like lengths; the rows are put back in order.
    """
    lengths = lengths_of(data)
    order = np.argsort(lengths, kind="stable")
    with tempfile.TemporaryDirectory() as folder:  # a Trainer wants one, even to predict
        args = arguments(Path(folder), machine, disable_tqdm=True)
        outputs = make_trainer(model, args, tokenizer).predict(data.select(order).remove_columns("length")).predictions
    back = np.argsort(order, kind="stable")
    return tuple(output[back] for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
