"""Patterns: what is chosen together when weights are pruned. Pure functions of scores.

`PATTERNS` has a `Pattern` for each name that arms.yaml may give. `choose` takes {matrix name: tensor of scores} of
every prunable matrix, the sparsity, and the number of attention heads per layer, and returns {matrix name: bool mask}; what
has the lowest scores is pruned. `check` raises SparsityMismatch unless masks have the exact count.
May import `masks` and `families`.
"""

from prune_utils.pruning.patterns import blocks, heads, layers, matrix, model, n_of_m, units
from prune_utils.pruning.patterns.pattern import Pattern, SparsityMismatch

PATTERNS = {
    "matrix": matrix.PATTERN,
    "model": model.PATTERN,
    "heads": heads.PATTERN,
    "units": units.PATTERN,
    "layers": layers.PATTERN,
    "blocks": blocks.PATTERN,
    "2:4": n_of_m.pattern(2, 4),
    "1:2": n_of_m.pattern(1, 2),
}
__all__ = ["PATTERNS", "Pattern", "SparsityMismatch"]
