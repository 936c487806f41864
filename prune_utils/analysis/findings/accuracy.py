"""Evaluate the paper's claims on accuracy by sparsity: C1–C3, C5, C8, C9, C11 and C12; `lines` has C4.

A verdict is a one-sided test at a stated limit, at level estimates.RISK. A claim is undecided if its cells are missing
or if there is only one seed.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence, above_majority, unlearnt
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import Estimate, Verdict, all_of
from prune_utils.analysis.noise.means import DENSE
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.analysis.noise.tasks import LEAST, trend
from prune_utils.analysis.predictions import as_cells
from prune_utils.study.words import POINTS, many, percent, percents

LOW, MEDIUM, HIGH = (0.3, 0.4), (0.4, 0.6), (0.7, 0.99)  # sparsity ranges of the claims
FROM = 0.4  # C5 and C9 concern 40 % and above


def _mean_of(sparsities: list[float]) -> str:
    return f"{' at' if len(sparsities) == 1 else ', mean of'} {percents(sparsities)}"


def _loss_rise(evidence: Evidence, sparsity: float) -> Estimate | None:
    loss, ends = evidence.loss, (("gradual", sparsity), ("gradual", 0.0))
    return loss.difference(*ends) if loss and loss.has(*ends) else None


def low_costs_nothing(evidence: Evidence) -> Finding:
    """C1: accuracy and pre-training loss change by no more than the margins, at both ends of 30 to 40 %."""
    return _costs_nothing(evidence, "pretrain", _loss_rise)


def low_costs_nothing_after_tuning(evidence: Evidence) -> Finding:
    """C11: C1 for weights that are pruned after fine-tuning, which leaves no pre-training loss to compare."""
    return _costs_nothing(evidence, "downstream", lambda *_: None)


def _costs_nothing(evidence: Evidence, arm: str, loss_rise: Callable[[Evidence, float], Estimate | None]) -> Finding:
    at = evidence.within(LOW, arm)
    if not at or not evidence.accuracy.has(DENSE):
        return unmeasured(f"the {arm} arm at 30 to 40 %, and the dense model")
    ends, decided, tested, said = sorted({at[0], at[-1]}), [], [], []
    for sparsity in ends:
        change = evidence.accuracy.difference((arm, sparsity), DENSE).scaled(POINTS)
        rise = loss_rise(evidence, sparsity)
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
        f"accuracy minus dense at {percent(ends[-1])}; {', '.join(said)}{rest}",
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


def magnitude_beats_random(evidence: Evidence) -> Finding:
    """C9: at the first sparsity from 40 % up, magnitude beats random by more than the margin."""
    at = evidence.within((FROM, 1.0), "pretrain", "random")
    if not at:
        return unmeasured("pretrain and random at 40 % or above")
    lead = evidence.accuracy.difference(("pretrain", at[0]), ("random", at[0])).scaled(POINTS)
    limit, said = evidence.margins.accuracy_margin, f"pretrain minus random at {percents(at[:1])}"
    return Finding(lead.at_least(limit), said, lead, limit=limit)


def recovery_grows_with_examples(evidence: Evidence) -> Finding:
    """C12: at the highest sparsity of at least 70 %, recovery by information deletion grows with the training set.

    The slope of recovery over the logarithm of the number of training examples, a regression over tasks: what it tells
    apart is tasks, and no number of seeds replaces them. Tasks that the dense model does not learn are left out.
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
