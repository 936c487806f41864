"""Evaluate the paper's claims on pruning after fine-tuning, C5, C8 and C11; C15, on train losses, is in `fitting`.

`downstream` trains on after it is pruned, longer than the dense model did. Where the dense model was trained on, too, without
pruning (TUNED_ON), `downstream` is compared with that.
"""

import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.accuracy import FROM, costs_nothing, mean_of
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import Estimate
from prune_utils.analysis.noise.means import DENSE, Means
from prune_utils.analysis.noise.measured import TUNED_ON, accuracy_means
from prune_utils.analysis.predictions import as_cells
from prune_utils.study.words import POINTS, many, percents


def lead_of_tuned(means: Means, sparsities: list[float]) -> Estimate:
    """`downstream` minus `pretrain`, each compared with its own unpruned model, averaged over sparsities.

    Without TUNED_ON, as they are.
    """
    share = 1 / len(sparsities)
    weights = {("downstream", s): share for s in sparsities} | {("pretrain", s): -share for s in sparsities}
    if means.has(TUNED_ON, DENSE):
        weights |= {TUNED_ON: -1.0, DENSE: 1.0}
    return means.contrast(weights)


def fine_tuning_first_is_no_help(evidence: Evidence) -> Finding:
    """C5: pruning after fine-tuning is not better than pruning in pre-training, on average from 40 % up.

    Each is compared with its own unpruned model, see `lead_of_tuned`.
    """
    at = evidence.within((FROM, 1.0), "pretrain", "downstream")
    if not at:
        return unmeasured("pretrain and downstream at 40 % or above")
    lead = lead_of_tuned(evidence.accuracy, at).scaled(POINTS)
    leads = {s: lead_of_tuned(evidence.accuracy, [s]).scaled(POINTS).value for s in at}
    best = max(leads, key=leads.get)
    said = f"downstream minus pretrain{mean_of(at)}; at best {leads[best]:+.1f} at {percents([best])}"
    if evidence.accuracy.has(TUNED_ON, DENSE):
        longer = round(POINTS * (evidence.accuracy.point[TUNED_ON] - evidence.accuracy.point[DENSE]), 9)
        said += f"; each compared with its own unpruned model, which the longer training of downstream changes by {longer:+.1f} points"
    limit = evidence.margins.accuracy_margin
    return Finding(lead.at_most(limit), said, lead, limit=limit)


def low_costs_nothing_after_tuning(evidence: Evidence) -> Finding:
    """C11: C1 for weights that are pruned after fine-tuning, which leaves no pre-training loss to compare."""
    base = TUNED_ON if evidence.accuracy.has(TUNED_ON) else DENSE
    return costs_nothing(evidence, "downstream", base)


def longer_is_no_help(evidence: Evidence) -> Finding:
    """C8: pruning after the longest fine-tuning is no better than after the shortest, to within the margin."""
    frame = evidence.analyses.get("fine_tune_first")
    missing = unmeasured("two lengths of fine-tuning before pruning, on every task (prunability.epochs above 0)")
    if frame is None:
        return missing
    if frame.dev_accuracy.isna().all():
        moved = frame if "movement_mean" in frame else frame.head(0)  # absent if every model diverged
        lengths = sorted(epochs for epochs in set(moved.epochs) if epochs > 0)
        return unmeasured(f"accuracy by epochs before pruning{f'; {_settled(frame, lengths)}' if lengths else ''}")
    tuned = as_cells(frame)
    means = accuracy_means(tuned, evidence.first_correct)
    lengths = sorted(epochs for _, epochs in means.point.index if epochs > 0)
    if len(lengths) < 2:
        return missing
    first, last = lengths[0], lengths[-1]
    gain = means.difference(("downstream", last), ("downstream", first)).scaled(POINTS)
    said = f"accuracy when pruned after {last:g} epochs minus after {first:g}; {_settled(frame, lengths)}"
    limit = evidence.margins.accuracy_margin
    return Finding(gain.at_most(limit), said, gain, limit=limit)


def _settled(frame: pd.DataFrame, lengths: list[float]) -> str:
    """How much of the movement of the longest fine-tuning the shortest one has made."""
    first, last = lengths[0], lengths[-1]
    moved = frame.groupby("epochs").movement_mean.mean()
    share = 100 * moved[first] / moved[last]
    return f"after {many(int(first), 'epoch')}, the order has moved {share:.0f} % as far as after {last:g}"
