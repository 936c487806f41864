"""Evaluate the paper's claims on weights, C6, C7, C10 and C17, on a study, see `findings.accuracy`; and heads after pruning."""

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import Estimate, Verdict, all_of
from prune_utils.study.words import CORRELATION, POINTS, percent

MASK_LIMIT, MOVEMENT_LIMIT = 6.0, 4.0  # percent: C6, C7
HEAD_LIMIT = 10.0  # percentage points that count as "much more than the whole" in C10 (our choice)
SPARED_LIMIT = 10.0  # percent of the share that all dimensions lose; less is "almost nothing" in C17 (our choice)
FROM = 0.4  # C17 is evaluated at the first sparsity from 40 % up


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
    if (cut := evidence.analyses.get("heads_one_shot")) is not None:
        at_once = (100 * (cut.pruned_share - cut.sparsity)).groupby(cut.seed).max().mean()
        said += f"; {at_once:+.1f} if the 0 % run is cut in one shot; means over seeds"
    return Finding(worst.at_most(HEAD_LIMIT), said, worst, "percentage points", HEAD_LIMIT)


def short_subwords_lose_more(evidence: Evidence) -> Finding:
    """C17: the shorter a subword, the more of its embedding is pruned, and some dimension loses almost nothing."""
    frame = evidence.analyses.get("embeddings")
    at = sorted(s for s in set(frame.sparsity) if s >= FROM) if frame is not None else []
    if not at:
        return unmeasured("the share pruned of word embeddings at 40 % or above")
    frame = frame[frame.sparsity == at[0]].dropna(subset="correlation")
    if frame.empty:
        return unmeasured("subwords of different lengths")
    correlation = Estimate.over_seeds(frame.correlation)
    least = Estimate.over_seeds(100 * frame.least / frame.pruned_share)
    said = f"rank correlation of pruned share and length at {percent(at[0])}; the least pruned dimension loses "
    said += f"{least.value:.0f} % of what all lose, and {frame.spared.mean():.3g} of {frame.dimensions.iloc[0]:g} lose "
    said += f"less than {SPARED_LIMIT:g} %, mean over seeds"
    verdict = all_of(correlation.at_most(0.0), least.at_most(SPARED_LIMIT))
    tested = (correlation, 0.0), (least, SPARED_LIMIT)
    return Finding(verdict, said, correlation, CORRELATION, 0.0, tested)


def words_lost(evidence: Evidence) -> pd.DataFrame:
    """Whether rare words are lost first: columns sparsity, frequent, rare, more, low, high, in points of masked-token accuracy.

    `frequent` and `rare` are the falls of accuracy from the 0 % run of the same seed at the most and least frequent third of
    the masked words, mean over seeds, and `more` their difference with its 95 % interval over seeds. Empty if it was not
    measured.
    """
    frame, rows = evidence.analyses.get("masked_words"), []
    if frame is not None:
        accuracy = POINTS * frame.pivot(index=["seed", "third"], columns="sparsity", values="accuracy")
        falls = (-accuracy).add(accuracy[0.0], axis=0)
        for sparsity in falls.columns[1:]:
            by_third = falls[sparsity].unstack("third")
            more = Estimate.over_seeds((by_third.iloc[:, -1] - by_third.iloc[:, 0]).to_list())
            low, high = more.interval() or (np.nan, np.nan)
            rows.append([sparsity, by_third.iloc[:, 0].mean(), by_third.iloc[:, -1].mean(), more.value, low, high])
    return pd.DataFrame(rows, columns=["sparsity", "frequent", "rare", "more", "low", "high"])


def heads_after_pruning(evidence: Evidence) -> pd.DataFrame:
    """Whether heads are less prunable after weights are: columns sparsity, rise, more, low, high, in nats.

    `rise` is that of the held-out loss when half of the heads are removed, mean over seeds, and `more` by how much it exceeds
    the rise of the 0 % run of the same seed, with its 95 % interval over seeds. Empty if it was not measured.
    """
    frame, rows = evidence.analyses.get("heads_removed"), []
    if frame is not None:
        rises = frame.assign(rise=frame.without_heads - frame.pretrain_loss).pivot(
            index="seed", columns="sparsity", values="rise"
        )
        for sparsity in rises:
            more = Estimate.over_seeds(rises[sparsity] - rises[0.0])
            low, high = more.interval() or (np.nan, np.nan)
            rows.append([sparsity, rises[sparsity].mean(), more.value, low, high])
    return pd.DataFrame(rows, columns=["sparsity", "rise", "more", "low", "high"])
