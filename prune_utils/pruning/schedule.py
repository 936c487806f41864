"""The gradual pruning schedule: target sparsity by training step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Gradual cubic pruning, Zhu & Gupta 2017 (arXiv:1710.01878), equation 1:

        s_t = s_f + (s_i − s_f)(1 − (t − t0) / (t1 − t0))³   for t0 ≤ t ≤ t1

    where s_i = `initial_sparsity` holds before t0 = `begin_step`, and s_f = `target_sparsity` from t1 = `end_step`
    on. A step is a finished optimiser step. The mask is updated every `frequency` steps and at t1. If `end_step`
    equals `begin_step`, the whole mask is made at that step (one-shot pruning).
    Raises ValueError if a sparsity is not in [0, 1], or if the steps are not in order.
    """

    target_sparsity: float
    end_step: int
    frequency: int = 10
    begin_step: int = 0
    initial_sparsity: float = 0.0

    def __post_init__(self):
        for name in ("initial_sparsity", "target_sparsity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not 0 <= self.begin_step <= self.end_step or self.frequency < 1:
            raise ValueError(f"a schedule must have 0 <= begin_step <= end_step and frequency >= 1, got {self}")

    def sparsity(self, step: int) -> float:
        """Return s_t, the sparsity requested after `step` steps."""
        if step < self.begin_step:
            return self.initial_sparsity
        if step >= self.end_step:
            return self.target_sparsity
        left = 1 - (step - self.begin_step) / (self.end_step - self.begin_step)
        return self.target_sparsity + (self.initial_sparsity - self.target_sparsity) * left**3

    def renews(self, step: int) -> bool:
        """Return whether the mask is updated after `step` steps."""
        inside = self.begin_step <= step <= self.end_step
        return inside and (step == self.end_step or (step - self.begin_step) % self.frequency == 0)
