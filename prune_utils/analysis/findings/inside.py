"""Evaluate the paper's claims on weights, C6, C7 and C10, on a study; see `findings.accuracy`."""

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import Estimate, Verdict, all_of

MASK_LIMIT, MOVEMENT_LIMIT = 6.0, 4.0  # percent: C6, C7
HEAD_LIMIT = 10.0  # percentage points that count as "much more than the whole" in C10 (our choice)


def masks_hardly_change(evidence: Evidence) -> Finding:
    """C6: masks made in pre-training and after fine-tuning differ in less than 6 % of their entries, on every task."""
    frame = evidence.analyses.get("mask_difference")
    if frame is None:
        return unmeasured("masks before and after fine-tuning")
    worst = Estimate.over_seeds(100 * frame.groupby("seed").difference.max())
    alone = 100 * frame.groupby("seed").difference_fine_tuning_alone.max().mean()
    said = f"largest over tasks and sparsities, mean over seeds; by fine-tuning alone {alone:.1f} %"
    return Finding(worst.at_most(MASK_LIMIT), said, worst, "% of the mask", MASK_LIMIT)


def order_hardly_moves(evidence: Evidence) -> Finding:
    """C7: weights move by at most 4 % of the sort order on average, and large weights less than small ones."""
    frame, ranks = evidence.analyses.get("movement"), evidence.analyses.get("movement_by_rank")
    if frame is None:
        return unmeasured("ranks of weights before and after fine-tuning")
    worst = Estimate.over_seeds(100 * frame.groupby("seed")["mean"].max())
    said = "largest mean movement over tasks and learning rates, mean over seeds"
    if ranks is None:
        return Finding(Verdict.UNDECIDED, f"{said}; movement by rank was not measured", worst, "% of the order")
    by_seed = ranks.pivot_table(index="seed", columns="decile", values="mean")
    calmer = Estimate.over_seeds(100 * (by_seed.iloc[:, 0] - by_seed.iloc[:, -1]))
    more = "less" if calmer.value < 0 else "more"
    said += f"; the smallest tenth of the weights moves {abs(calmer.value):.1f} points {more} than the largest"
    verdict = all_of(worst.at_most(MOVEMENT_LIMIT), calmer.at_least(0.0))
    tested = (worst, MOVEMENT_LIMIT), (calmer, 0.0)
    return Finding(verdict, said, worst, "% of the order", MOVEMENT_LIMIT, tested)


def no_head_is_spared_or_lost(evidence: Evidence) -> Finding:
    """C10: no head's pruned share exceeds the overall sparsity by more than HEAD_LIMIT."""
    frame = evidence.analyses.get("heads")
    if frame is None:
        return unmeasured("the share pruned of each attention head")
    excess = 100 * (frame.pruned_share - frame.sparsity)
    worst = Estimate.over_seeds(excess.groupby(frame.seed).max())
    said = f"largest excess of a head over the whole model; more than {HEAD_LIMIT:g} counts as much more"
    return Finding(worst.at_most(HEAD_LIMIT), said, worst, "percentage points", HEAD_LIMIT)
