"""Evaluate the paper's claims on accuracy, C1–C5, C8 and C9, on a study: estimate, verdict, evidence.

A verdict is a one-sided test at a stated limit, at level estimates.RISK. A claim is undecided if its cells are missing
or if there is only one seed.
"""

import pandas as pd

from prune_utils.analysis import linearity
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import RISK, Estimate, Verdict, all_of
from prune_utils.analysis.noise.means import DENSE
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.predictions import as_cells
from prune_utils.study.words import POINTS, many, percent, percents

LOW, MEDIUM, HIGH = (0.3, 0.4), (0.4, 0.6), (0.7, 0.99)  # sparsity ranges of the claims
FROM = 0.4  # C5 and C9 concern 40 % and above
BEND_LIMIT = 2.0  # points from a line that C4 allows (our choice)


def _mean_of(sparsities: list[float]) -> str:
    return f"{' at' if len(sparsities) == 1 else ', mean of'} {percents(sparsities)}"


def _loss_rise(evidence: Evidence, sparsity: float) -> Estimate | None:
    loss, ends = evidence.loss, (("gradual", sparsity), ("gradual", 0.0))
    return loss.difference(*ends) if loss and loss.has(*ends) else None


def low_costs_nothing(evidence: Evidence) -> Finding:
    """C1: accuracy and pre-training loss change by no more than the margins, at both ends of 30 to 40 %."""
    at = evidence.within(LOW, "pretrain")
    if not at or not evidence.accuracy.has(DENSE):
        return unmeasured("the pretrain arm at 30 to 40 %, and the dense model")
    ends, parts, tested, said = sorted({at[0], at[-1]}), [], [], []
    for sparsity in ends:
        change = evidence.accuracy.difference(("pretrain", sparsity), DENSE).scaled(POINTS)
        rise = _loss_rise(evidence, sparsity)
        parts.append(change.at_least(-evidence.margins.accuracy_margin))
        tested.append((change, -evidence.margins.accuracy_margin))
        if rise:
            parts.append(rise.at_most(evidence.margins.loss_margin))
            tested.append((rise, evidence.margins.loss_margin))
        said.append(f"{change.value:+.1f} points at {percent(sparsity)}")
        said[-1] += f" and pre-training loss {rise.value:+.3f} nats" if rise else ""
    return Finding(
        all_of(*parts),
        f"accuracy minus dense at {percent(ends[-1])}; {', '.join(said)}",
        change,
        limit=-evidence.margins.accuracy_margin,
        tested=tuple(tested),
    )


def medium_is_deletion(evidence: Evidence) -> Finding:
    """C2: at 40 to 60 % accuracy falls, and information deletion equals `pretrain` to within the margin, on average."""
    at = evidence.within(MEDIUM, "pretrain", "information_deletion")
    if not at or not evidence.accuracy.has(DENSE):
        return unmeasured("pretrain and information_deletion at 40 to 60 %, and the dense model")
    gain = evidence.accuracy.mean_difference("information_deletion", "pretrain", at).scaled(POINTS)
    fall = evidence.accuracy.difference(("pretrain", at[-1]), DENSE).scaled(POINTS)
    margin = evidence.margins.accuracy_margin
    parts = [gain.at_most(margin), gain.at_least(-margin), fall.at_most(0.0)]
    tested = [(gain, margin), (gain, -margin), (fall, 0.0)]
    said = f"information deletion minus pretrain{_mean_of(at)}; pretrain minus dense {fall.value:+.1f} points"
    if rise := _loss_rise(evidence, at[-1]):
        said += f", pre-training loss {rise.value:+.2f} nats"
        parts.append(rise.at_least(0.0))
        tested.append((rise, 0.0))
    return Finding(all_of(*parts), said, gain, limit=margin if gain.value > 0 else -margin, tested=tuple(tested))


def high_is_also_complexity(evidence: Evidence) -> Finding:
    """C3: at the highest sparsity of at least 70 %, information deletion recovers accuracy."""
    at = evidence.within(HIGH, "pretrain", "information_deletion")
    if not at:
        return unmeasured("pretrain and information_deletion at 70 % or above")
    gain = evidence.accuracy.difference(("information_deletion", at[-1]), ("pretrain", at[-1])).scaled(POINTS)
    said = f"information deletion minus pretrain at {percents(at[-1:])}"
    return Finding(gain.at_least(0.0), said, gain, limit=0.0)


def a_bit_of_bert(evidence: Evidence) -> Finding:
    """C4: information-deletion accuracy falls linearly with pre-training loss, with a slope per task.

    On every task the bend must be shown to be smaller than BEND_LIMIT (an equivalence test) and the slope to be
    negative. Cells at the majority class are left out; the evidence says what follows with them.
    """
    lines = linearity.lines(evidence)
    if not lines:
        return unmeasured("information_deletion with pre-training losses at four sparsities")
    verdict, bent = _linear(lines)
    worst = max(lines, key=lambda task: abs(lines[task].bend.value))
    said = f"mean slope over tasks; the largest bend is {lines[worst].bend.value:+.1f} points, on {worst}"
    if bent:
        said += f"; more than {BEND_LIMIT:g} points on {', '.join(bent)}"
    if out := [task for task in lines if lines[task].left_out]:
        others, also = _linear(linearity.lines(evidence, floor=False))
        said += f"; cells at the majority class are left out on {', '.join(out)}"
        said += f", and with them the claim is {others}" + (f", bent on {', '.join(also)}" if also else "")
    tested = [(line.bend, side) for line in lines.values() for side in (BEND_LIMIT, -BEND_LIMIT)]
    tested += [(line.slope, 0.0) for line in lines.values()]
    return Finding(verdict, said, linearity.mean_slope(lines), "points per nat", tested=tuple(tested))


def _linear(lines: dict[str, linearity.Line]) -> tuple[Verdict, list[str]]:
    """The verdict on all tasks, and those that are shown to be bent. Each must be supported; Bonferroni's correction holds
    the risk that a single one is refuted by chance."""
    risk = RISK / len(lines)
    bends = {
        task: _of_one(line.bend.within(BEND_LIMIT), line.bend.within(BEND_LIMIT, risk)) for task, line in lines.items()
    }
    falling = [_of_one(line.slope.at_most(0.0), line.slope.at_most(0.0, risk)) for line in lines.values()]
    return all_of(*bends.values(), *falling), [task for task, one in bends.items() if one is Verdict.NOT_SUPPORTED]


def _of_one(verdict: Verdict, corrected: Verdict) -> Verdict:
    """The verdict of a part: support at the full risk, refutation at the corrected one."""
    return Verdict.UNDECIDED if verdict is Verdict.NOT_SUPPORTED is not corrected else verdict


def fine_tuning_first_is_no_help(evidence: Evidence) -> Finding:
    """C5: pruning after fine-tuning is not better than pruning in pre-training, on average from 40 % up."""
    at = evidence.within((FROM, 1.0), "pretrain", "downstream")
    if not at:
        return unmeasured("pretrain and downstream at 40 % or above")
    lead = evidence.accuracy.mean_difference("downstream", "pretrain", at).scaled(POINTS)
    leads = {s: 100 * evidence.accuracy.difference(("downstream", s), ("pretrain", s)).value for s in at}
    best = max(leads, key=leads.get)
    said = f"downstream minus pretrain{_mean_of(at)}; at best {leads[best]:+.1f} at {percents([best])}"
    limit = evidence.margins.accuracy_margin
    return Finding(lead.at_most(limit), said, lead, limit=limit)


def longer_is_no_help(evidence: Evidence) -> Finding:
    """C8: pruning after the longest fine-tuning is no better than after the shortest, to within the margin."""
    frame = evidence.analyses.get("fine_tune_first")
    missing = unmeasured("two lengths of fine-tuning before pruning, on every task (prunability.epochs above 0)")
    if frame is None:
        return missing
    if frame.dev_accuracy.isna().all():
        lengths = sorted(epochs for epochs in set(frame.epochs) if epochs > 0)
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


def magnitude_beats_random(evidence: Evidence) -> Finding:
    """C9: at the first sparsity from 40 % up, magnitude beats random by more than the margin."""
    at = evidence.within((FROM, 1.0), "pretrain", "random")
    if not at:
        return unmeasured("pretrain and random at 40 % or above")
    lead = evidence.accuracy.difference(("pretrain", at[0]), ("random", at[0])).scaled(POINTS)
    limit, said = evidence.margins.accuracy_margin, f"pretrain minus random at {percents(at[:1])}"
    return Finding(lead.at_least(limit), said, lead, limit=limit)
