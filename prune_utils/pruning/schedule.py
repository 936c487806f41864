"""When to prune how much: the gradual cubic schedule."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Gradual cubic pruning, Zhu & Gupta 2017 (arXiv:1710.01878), equation 1:

        s_t = s_f + (s_i − s_f)(1 − (t − t0) / (t1 − t0))³   for t0 ≤ t ≤ t1

    with s_i = `initial_sparsity` before t0 = `begin_step` and s_f = `target_sparsity` from t1 = `end_step`
    on. Steps count finished optimiser steps; the mask is renewed every `frequency` of them, and at t1.
    With `end_step` == `begin_step` the whole mask is made at that step (one-shot).
    """

    target_sparsity: float
    end_step: int
    frequency: int = 10
    begin_step: int = 0
    initial_sparsity: float = 0.0

    def __post_init__(self):
        for name in ("initial_sparsity", "target_sparsity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed is a fraction of zeros from 0 to 1")
        if not 0 <= self.begin_step <= self.end_step or self.frequency < 1:
            raise ValueError(
                f"steps {self.begin_step} to {self.end_step} every {self.frequency}: allowed is "
                "0 <= begin_step <= end_step, frequency >= 1"
            )

    def sparsity(self, step: int) -> float:
        """s_t: the sparsity asked for after `step` steps."""
        if step < self.begin_step:
            return self.initial_sparsity
        if step >= self.end_step:
            return self.target_sparsity
        left = 1 - (step - self.begin_step) / (self.end_step - self.begin_step)
        return self.target_sparsity + (self.initial_sparsity - self.target_sparsity) * left**3

    def renews(self, step: int) -> bool:
        """Whether the mask is made anew after `step` steps."""
        inside = self.begin_step <= step <= self.end_step
        return inside and (step == self.end_step or (step - self.begin_step) % self.frequency == 0)
