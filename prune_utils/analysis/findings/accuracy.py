"""Evaluate the paper's claims on accuracy by sparsity: C1–C3, C9, C12 and C16; `lines` has C4, `fine_tuned_first` the rest.

A verdict is a one-sided test at a stated limit, at level estimates.RISK. A claim is undecided if its cells are missing
or if there is only one seed.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence, above_majority, unlearnt
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import Estimate, Verdict, all_of
from prune_utils.analysis.noise.means import DENSE, Condition
from prune_utils.analysis.noise.tasks import LEAST, trend
from prune_utils.study.words import POINTS, percent, percents

LOW, MEDIUM, HIGH = (0.3, 0.4), (0.4, 0.6), (0.7, 0.99)  # sparsity ranges of the claims
FROM = 0.4  # C5, C9 and C16 concern 40 % and above; below, pruning costs little by any ranking


def mean_of(sparsities: list[float]) -> str:
    return f"{' at' if len(sparsities) == 1 else ', mean of'} {percents(sparsities)}"


def _loss_rise(evidence: Evidence, sparsity: float) -> Estimate | None:
    loss, ends = evidence.loss, (("gradual", sparsity), ("gradual", 0.0))
    return loss.difference(*ends) if loss and loss.has(*ends) else None


def low_costs_nothing(evidence: Evidence) -> Finding:
    """C1: accuracy and pre-training loss change by no more than the margins, at both ends of 30 to 40 %."""
    return costs_nothing(evidence, "pretrain", DENSE, _loss_rise)


def costs_nothing(
    evidence: Evidence, arm: str, base: Condition, loss_rise: Callable[..., Estimate | None] | None = None
) -> Finding:
    """Whether an arm is within the margins of the unpruned model `base` at both ends of 30 to 40 %.

    `loss_rise`: of evidence and a sparsity, the rise of pre-training loss, which then counts, too.
    """
    at = evidence.within(LOW, arm)
    if not at or not evidence.accuracy.has(base):
        return unmeasured(f"the {arm} arm at 30 to 40 %, and the dense model")
    ends, decided, tested, said = sorted({at[0], at[-1]}), [], [], []
    for sparsity in ends:
        change = evidence.accuracy.difference((arm, sparsity), base).scaled(POINTS)
        rise = loss_rise and loss_rise(evidence, sparsity)
        parts = [change.at_least(-evidence.margins.accuracy_margin)]
        tested.append((change, -evidence.margins.accuracy_margin))
        if rise:
            parts.append(rise.at_most(evidence.margins.loss_margin))
            tested.append((rise, evidence.margins.loss_margin))
        decided.append(all_of(*parts))
        said.append(f"{change.value:+.1f} points at {percent(sparsity)}")
        said[-1] += f" and pre-training loss {rise.value:+.3f} nats" if rise else ""
    open_ends = [percent(s) for s, one in zip(ends, decided, strict=True) if one is Verdict.UNDECIDED]
    rest = f"; open at {open_ends[0]}" if len(open_ends) == 1 < len(ends) else ""
    return Finding(
        all_of(*decided),
        f"accuracy minus {'dense' if base == DENSE else 'the unpruned model that was trained as long'} at {percent(ends[-1])}; "
        f"{', '.join(said)}{rest}",
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
    said = f"information deletion minus pretrain{mean_of(at)}; pretrain minus dense {fall.value:+.1f} points"
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


def magnitude_beats_random(evidence: Evidence) -> Finding:
    """C9: at the first sparsity from 40 % up, magnitude beats random by more than the margin."""
    at = evidence.within((FROM, 1.0), "pretrain", "random")
    if not at:
        return unmeasured("pretrain and random at 40 % or above")
    lead = evidence.accuracy.difference(("pretrain", at[0]), ("random", at[0])).scaled(POINTS)
    limit, said = evidence.margins.accuracy_margin, f"pretrain minus random at {percents(at[:1])}"
    return Finding(lead.at_least(limit), said, lead, limit=limit)


def global_does_as_well(evidence: Evidence) -> Finding:
    """C16: `global` and `pretrain` are equal to within the margin, on average from 40 % up (footnote 5, a conjecture)."""
    if "global" not in set(evidence.cells.arm):
        return Finding(Verdict.UNDECIDED, "the study has no arm `global`")
    at = evidence.within((FROM, 1.0), "pretrain", "global")
    if not at:
        return unmeasured("pretrain and global at 40 % or above")
    lead = evidence.accuracy.mean_difference("global", "pretrain", at).scaled(POINTS)
    leads = {s: evidence.accuracy.difference(("global", s), ("pretrain", s)).scaled(POINTS).value for s in at}
    farthest, margin = max(leads, key=lambda s: abs(leads[s])), evidence.margins.accuracy_margin
    said = (
        f"global minus pretrain, mean of {percents(at)}; farthest apart {leads[farthest]:+.1f} at {percent(farthest)}"
    )
    tested = (lead, margin), (lead, -margin)
    return Finding(lead.within(margin), said, lead, limit=margin if lead.value > 0 else -margin, tested=tested)


def recovery_grows_with_examples(evidence: Evidence) -> Finding:
    """C12: at the highest sparsity of at least 70 %, recovery by information deletion grows with the training set.

    The slope of recovery over the logarithm of the number of training examples, a regression over tasks: its unit is
    the task, and no number of seeds replaces tasks. Tasks that the dense model does not learn are left out.
    """
    at, sizes = evidence.within(HIGH, "pretrain", "information_deletion"), _training_sizes(evidence)
    missing = unmeasured(
        f"pretrain and information_deletion at 70 % or above on {LEAST} tasks that are learnt, with training sets of "
        "different sizes (train_examples)"
    )
    if not at or sizes.nunique() < 2 or len(sizes) < LEAST:
        return missing
    cells = ("information_deletion", at[-1]), ("pretrain", at[-1])
    means = {task: evidence.over([task]).accuracy for task in sizes.index}
    gains = {task: one.difference(*cells).scaled(POINTS) for task, one in means.items() if one.has(*cells)}
    sizes = sizes[list(gains)]
    if sizes.nunique() < 2 or len(sizes) < LEAST:
        return missing
    slope = _trend(sizes, gains)
    said = f"more recovery for ten times the training examples, at {percent(at[-1])}; recovery on "
    said += ", ".join(f"{task} ({int(n):,} examples) {gains[task].value:+.1f}" for task, n in sizes.items())
    if floor := [task for task in sizes.index if not all(above_majority(evidence.cells, task, list(cells)))]:
        rest = sizes.drop(floor)
        known = len(rest) >= LEAST and rest.nunique() > 1
        other = _trend(rest, gains).at_least(0.0) if known else Verdict.UNDECIDED
        said += f"; without {', '.join(floor)}, with a cell at the majority class, the claim is {other}"
    return Finding(slope.at_least(0.0), said, slope, "points per tenfold")


def _training_sizes(evidence: Evidence) -> pd.Series:
    """Training examples of the tasks that are learnt and of which they are known, largest first."""
    cells = evidence.cells
    if "train_examples" not in cells:
        return pd.Series(dtype=float)
    sizes = cells[~cells.task.isin(unlearnt(cells))].groupby("task").train_examples.max().dropna()
    return sizes.sort_values(ascending=False)


def _trend(sizes: pd.Series, gains: dict[str, Estimate]) -> Estimate:
    return trend(np.log10(sizes.to_numpy(float)), [gains[task] for task in sizes.index])
