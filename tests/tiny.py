"""A few training steps of a tiny model, and the settings of a short training."""

from types import SimpleNamespace

import torch
from torch.nn.utils import clip_grad_norm_

from prune_utils.study.schema import Machine
from prune_utils.study.sections.recipes import Optimisation

STATE = SimpleNamespace(global_step=0)


def train_steps(model, batch, callback, steps, max_norm=0.1):
    """What the Trainer does in a step, in its order: backward, clip, step, callback."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    norms = []
    callback.on_train_begin(None, STATE, None)
    for _ in range(steps):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        norms.append(clip_grad_norm_(model.parameters(), max_norm).item())
        optimizer.step()
        callback.on_optimizer_step(None, STATE, None)
    callback.on_train_end(None, STATE, None)
    return norms


MACHINE = Machine(jobs=1, threads=1, precision="float32", save_steps=7, sparsities_per_node=0)


RECIPE = Optimisation(steps=24, batch_size=4, learning_rate=1e-2, weight_decay=0.1, warmup_share=0.1, max_grad_norm=0.5)
