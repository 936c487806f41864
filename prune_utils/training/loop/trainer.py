"""One training or evaluation with transformers' Trainer: data order, precision, and checkpoints to resume from."""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from prune_utils.data.batches import Rows, lengths_of, padded, training_order
from prune_utils.pruning.callbacks import GradualPruning
from prune_utils.pruning.families import FAMILIES
from prune_utils.study import paths
from prune_utils.study.schema import Machine
from prune_utils.study.sections.recipes import Optimisation
from prune_utils.training.loop.machine import bfloat16, keep_freed_memory
from prune_utils.training.loop.resuming import Checkpoints, resumable

NON_BLOCKING = {"non_blocking": True}  # pinned batches are copied to a GPU while the step before still runs
Loss = Callable[[PreTrainedModel, dict[str, Tensor]], Tensor]

# what is imported never becomes garbage; the Trainer searches for garbage before each training, and without this that
# takes a quarter of a second
gc.freeze()
# accelerate looks for this optimiser twice in every step, all along sys.path: 4 % of the step of a small model
sys.modules.setdefault("lomo_optim", None)


def arguments(folder: Path, machine: Machine, report_to: list[str] | str = "none", **options) -> TrainingArguments:
    torch.set_num_threads(machine.threads)
    keep_freed_memory()
    args = TrainingArguments(
        output_dir=str(folder),
        bf16=bfloat16(machine),
        report_to=report_to,
        use_cpu=not torch.cuda.is_available(),  # otherwise transformers refuses bfloat16 on a CPU
        remove_unused_columns=False,
        per_device_eval_batch_size=128,
        dataloader_pin_memory=torch.cuda.is_available(),
        **{"accelerator_config": NON_BLOCKING if torch.cuda.is_available() else None} | options,
    )
    args._n_gpu = 1  # one model per device: data parallelism would change the batch size
    return args


class _Trainer(Trainer):
    """Pads each batch to its longest example; `loss`, if given, takes the place of the model's own."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: TrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        loss: Loss | None = None,
        **options,
    ):
        super().__init__(model, args, partial(padded, padding=tokenizer.pad_token_id), **options)
        self.loss = loss

    def compute_loss(self, model: PreTrainedModel, inputs: dict[str, Tensor], *args, **options):
        return self.loss(model, inputs) if self.loss else super().compute_loss(model, inputs, *args, **options)

    def floating_point_ops(self, inputs) -> int:
        """Not counted: the traversal of all modules takes 5 % of the step time of a small model."""
        return 0


def read_by(model: PreTrainedModel, data: Dataset) -> Dataset:
    """The columns of encoded examples that a model reads: not every family has token types and predicts next sentences."""
    family = FAMILIES[model.config.model_type]
    unread = {"length": True, "token_type_ids": not family.segments, "next_sentence_label": not family.next_sentence}
    return data.remove_columns([name for name in data.column_names if unread.get(name)])


def train(
    model: PreTrainedModel,
    data: Dataset,
    optimisation: Optimisation,
    seed: int,
    folder: Path,
    machine: Machine,
    tokenizer: PreTrainedTokenizerBase,
    pruning: TrainerCallback | None = None,
    progress: bool = False,
    loss: Loss | None = None,
) -> tuple[float, list[dict]]:
    """Train `model` in place; return the seconds taken in this process and the logged losses, [{"step", "loss"}].

    `folder` holds the checkpoints from which an interrupted training resumes exactly; the caller removes it with
    `discard` once the results are stored. `pruning` is a callback such as FixedMask; `loss` maps the
    model and a batch to the loss, by default the model's own.
    """
    started = time.perf_counter()
    set_seed(seed)
    steps, batch = optimisation.steps, optimisation.batch_size
    order = training_order(lengths_of(data), batch, steps * batch, seed)
    args = arguments(
        folder,
        machine,
        **curves(folder, machine),
        **optimisation.model_dump(include={"learning_rate", "weight_decay", "max_grad_norm"}),
        max_steps=steps,
        per_device_train_batch_size=batch,
        lr_scheduler_type="linear",
        warmup_steps=round(optimisation.warmup_share * steps),
        seed=seed,
        train_sampling_strategy="sequential",
        save_steps=machine.save_steps,
        save_total_limit=2,
        logging_steps=max(1, steps // 20),
        logging_nan_inf_filter=False,
        disable_tqdm=not progress,
    )
    gradual = pruning if isinstance(pruning, GradualPruning) else None
    checkpoints = Checkpoints(gradual)
    callbacks = [callback for callback in (pruning, checkpoints) if callback]
    ordered = Rows(read_by(model, data), order)
    trainer = _Trainer(model, args, tokenizer, loss, train_dataset=ordered, callbacks=callbacks)
    if not progress:
        trainer.remove_callback(PrinterCallback)
    checkpoint = resumable(folder)
    if checkpoint and gradual:
        gradual.load(checkpoint)
    with checkpoints.saving_on_sigterm():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = [{"step": entry["step"], "loss": entry["loss"]} for entry in trainer.state.log_history if "loss" in entry]
    return time.perf_counter() - started, history


def curves(folder: Path, machine: Machine) -> dict:
    """Options with which the Trainer hands the curves of a training to `machine.report_to`, all on this machine.

    TensorBoard's files lie in results/<study>/curves/, since the Trainer's own folder is removed after the training.
    """
    if not machine.report_to:
        return {}
    study, *place = folder.resolve().relative_to((paths.OUT / "results").resolve()).parts
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(paths.results(study).joinpath("curves", *place))
    return {
        "report_to": machine.report_to,
        "project": study,
        "run_name": "/".join(place),
        "trackio_static_space_id": False,
    }


def predict(model: PreTrainedModel, data: Dataset, machine: Machine, tokenizer: PreTrainedTokenizerBase) -> tuple:
    """The outputs of a model except its loss and `word_logits`: arrays with one row per example, in the order of `data`.

    Batches hold examples of similar length; the rows are put back in order.
    """
    order = np.argsort(lengths_of(data), kind="stable")
    with tempfile.TemporaryDirectory() as folder:  # required by Trainer even for prediction
        args = arguments(Path(folder), machine, disable_tqdm=True)
        trainer = _Trainer(model, args, tokenizer)
        outputs = trainer.predict(Rows(read_by(model, data), order), ignore_keys=["word_logits"]).predictions
    back = np.argsort(order, kind="stable")
    return tuple(output[back] for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
