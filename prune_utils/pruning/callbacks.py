"""Trainer callbacks that keep a model pruned while it trains, or prune it on a schedule."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback

from prune_utils.pruning import watching
from prune_utils.pruning.masks import magnitude_masks, sparsity_of
from prune_utils.pruning.matrices import check_names, prunable_matrices
from prune_utils.pruning.patterns import SparsityMismatch
from prune_utils.pruning.schedule import Schedule
from prune_utils.pruning.scores import Chooser

STATE = "pruning.safetensors"  # in each checkpoint folder of the Trainer


class FixedMask(TrainerCallback):
    """Keep a model pruned by `masks` ({matrix name: bool tensor of its shape, 1 keeps}) while a Trainer trains it.

    Gradients of pruned weights are zeroed as they accumulate, before clipping, so that the gradient norm and the
    update of the kept weights are the same as if the pruned weights did not exist. After every optimiser step one
    fused multiply zeroes the weights that momentum or weight decay moved.
    """

    def __init__(self, model: PreTrainedModel, masks: dict[str, Tensor]):
        self.matrices = prunable_matrices(model)
        self.hooks = []
        self._set(masks)

    def _set(self, masks: dict[str, Tensor]) -> None:
        check_names(self.matrices, masks)
        self.masks = masks
        self._multipliers: list[Tensor] = []  # made on first use, when the model is on its device

    @property
    def multipliers(self) -> list[Tensor]:
        """Masks with the dtype and device of their matrices; foreach kernels fuse only equal dtypes."""
        if not self._multipliers:
            self._multipliers = [self.masks[name].to(p) for name, p in self.matrices.items()]
        return self._multipliers

    @torch.no_grad()
    def apply(self) -> None:
        """Set the pruned weights to zero."""
        torch._foreach_mul_([p.data for p in self.matrices.values()], self.multipliers)

    def on_train_begin(self, args, state, control, **kwargs):
        def zero(index: int, parameter: Tensor) -> None:
            parameter.grad.mul_(self.multipliers[index])  # looked up at every call: the masks may change

        self.apply()
        self.hooks = [
            parameter.register_post_accumulate_grad_hook(partial(zero, index))
            for index, parameter in enumerate(self.matrices.values())
        ]

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.apply()

    def on_train_end(self, args, state, control, **kwargs):
        for hook in self.hooks:
            hook.remove()


class Frozen(FixedMask):
    """Keep the weights that `masks` prune at the values that they have now, while a Trainer trains the others.

    As in FixedMask, their gradients are zero before clipping; after every optimiser step they get their values back,
    exactly, so momentum and weight decay have no effect on them.
    """

    def __init__(self, model: PreTrainedModel, masks: dict[str, Tensor]):
        super().__init__(model, masks)
        self._held = {name: p.detach().masked_fill(masks[name].to(p.device), 0) for name, p in self.matrices.items()}

    @torch.no_grad()
    def apply(self) -> None:
        """Give the frozen weights their values."""
        self._held = {name: held.to(self.matrices[name].device) for name, held in self._held.items()}
        super().apply()  # to zero, and then a sum: two fused passes, several times faster than torch.where
        torch._foreach_add_([p.data for p in self.matrices.values()], list(self._held.values()))

    def check(self) -> None:
        """Raise SparsityMismatch unless every frozen weight has the value that it had at the start."""
        for name, parameter in self.matrices.items():
            frozen = ~self.masks[name].cpu()
            if not torch.equal(parameter.detach().cpu()[frozen], self._held[name].cpu()[frozen]):
                raise SparsityMismatch(f"frozen weights of {name} have changed")


class GradualPruning(FixedMask):
    """Prune on a schedule (paper §3.2); `choose` returns masks for matrices and a sparsity, see `scores.Chooser`.

    As in TensorFlow's model_pruning, weights are ranked by *underlying* magnitudes: the callback stores the value
    that each weight had when it was pruned. If other weights shrink below this value by the next update of the
    masks, the weight returns to the model with the stored value. A score that is learnt sees the gradients of every step of
    the ramp, those of pruned weights too.
    """

    def __init__(self, model: PreTrainedModel, schedule: Schedule, choose: Callable = magnitude_masks):
        super().__init__(model, {n: torch.ones_like(p, dtype=torch.bool) for n, p in prunable_matrices(model).items()})
        self.schedule, self.choose = schedule, choose
        self.underlying = {name: p.detach().clone() for name, p in self.matrices.items()}
        self.model, self.learns = model, isinstance(choose, Chooser) and choose.score.update is not None

    @torch.no_grad()
    def renew(self, sparsity: float) -> None:
        """Update the masks to `sparsity` and restore the underlying values of weights that return."""
        for name, parameter in self.matrices.items():
            kept = self.masks[name].to(parameter.device)
            self.underlying[name] = torch.where(kept, parameter, self.underlying[name].to(parameter.device))
        self._set(self.choose(self.underlying, sparsity))
        for name, parameter in self.matrices.items():
            parameter.copy_(self.underlying[name] * self.masks[name])

    def on_train_begin(self, args, state, control, **kwargs):
        if state.global_step == 0 and self.schedule.renews(0):
            self.renew(self.schedule.sparsity(0))
        # before the hooks that zero the gradients of pruned weights
        seeing = watching.gradients(self.model, self._see) if self.learns else []
        super().on_train_begin(args, state, control, **kwargs)
        self.hooks += seeing

    @torch.no_grad()
    def _see(self, name: str, gradient: Tensor) -> None:
        if not self.underlying:  # the ramp is over
            return
        parameter, kept = self.matrices[name], self.masks[name].to(gradient.device)
        self.choose.see(name, torch.where(kept, parameter, self.underlying[name].to(parameter.device)), gradient)

    def on_step_end(self, args, state, control, **kwargs):
        if self.schedule.renews(state.global_step):
            self.renew(self.schedule.sparsity(state.global_step))
        if state.global_step >= self.schedule.end_step:
            self.underlying = {}  # the masks are final, so free the copy of the model
            if self.learns:
                self.choose.states.clear()

    def save(self, folder: Path) -> None:
        """Write masks, underlying values and what the score has learnt, so that a run interrupted during the ramp resumes
        exactly."""
        tensors = {f"mask/{n}": m for n, m in self.masks.items()}
        tensors |= {f"underlying/{n}": t.contiguous() for n, t in self.underlying.items()}
        if self.learns:
            tensors |= {f"score/{key}/{n}": t for n, state in self.choose.states.items() for key, t in state.items()}
        save_file(tensors, folder / STATE)

    def load(self, folder: Path) -> None:
        """Restore the state written by `save`."""
        tensors = load_file(folder / STATE)
        self._set({n: tensors[f"mask/{n}"] for n in self.matrices})
        self.underlying = {n: tensors[f"underlying/{n}"] for n in self.matrices if f"underlying/{n}" in tensors}
        for place, tensor in tensors.items():
            if place.startswith("score/"):
                _, key, name = place.split("/")
                device = self.matrices[name].device
                self.choose.states.setdefault(name, {})[key] = tensor.to(device)

    @property
    def sparsity(self) -> float:
        """The current share of pruned weights."""
        return sparsity_of(self.masks)
