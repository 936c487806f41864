"""Evaluate the paper's claims on train losses beside accuracy, C13 and C15: how well the pruned models fit their tasks.

Train losses are cross-entropies on the whole training set after training. Regressions, whose loss is a squared error, are
left out, and so are tasks that the dense model does not learn.
"""

import pandas as pd

from prune_utils.analysis.evidence import Evidence, unlearnt
from prune_utils.analysis.findings.accuracy import HIGH
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.findings.fine_tuned_first import lead_of_tuned
from prune_utils.analysis.noise.estimates import RISK, Verdict
from prune_utils.analysis.noise.means import DENSE
from prune_utils.analysis.noise.measured import TUNED_ON, train_loss_means
from prune_utils.analysis.results import in_means
from prune_utils.study.words import NATS, POINTS, percent, percents

FIT_LIMIT = (
    0.05  # nats of train loss that count as the same fit: 5 % in the probability of the right label (our choice)
)


def information_is_gone(evidence: Evidence) -> Finding:
    """C13: at the highest sparsity of at least 70 %, information deletion fits the task as well as the dense model and
    still lies below it by more than the margin.

    Tested is the mean gap over the tasks that are shown to be fitted: train loss above that of the dense model by at most
    FIT_LIMIT, with Bonferroni's correction for the number of tasks.
    """
    at, cells = evidence.within(HIGH, "information_deletion"), _fitted(evidence)
    if not at or not len(cells) or not evidence.accuracy.has(DENSE):
        return unmeasured("train losses of information_deletion at 70 % or above and of the dense model")
    freed, limit = ("information_deletion", at[-1]), evidence.margins.accuracy_margin
    rises = {}
    for task, own in cells.groupby("task"):
        means = train_loss_means(own, "dense", "information_deletion")
        if means.has(freed, DENSE):
            rises[task] = means.difference(freed, DENSE)
    fitted = [t for t, one in rises.items() if one.at_most(FIT_LIMIT, RISK / len(rises)) is Verdict.SUPPORTED]
    over = fitted or [task for task, rise in rises.items() if rise.value <= FIT_LIMIT]
    told = f"train loss minus dense: {', '.join(f'{task} {rise.value:+.2f}' for task, rise in rises.items())} nats"
    if not over:
        return Finding(Verdict.UNDECIDED, f"no task is fitted as well as by the dense model; {told}")
    part = evidence.over(over)
    over = sorted(set(in_means(part.cells).task))
    gap = part.accuracy.difference(DENSE, freed).scaled(POINTS)
    alone = {task: evidence.over([task]).accuracy.difference(DENSE, freed).scaled(POINTS) for task in over}
    said = f"dense minus information deletion at {percent(at[-1])}, mean over the tasks that are "
    said += "shown to be fitted as well: " if fitted else "fitted as well, though this is not shown: "
    said += ", ".join(f"{task} {one.value:+.1f}" for task, one in alone.items())
    if not fitted:
        return Finding(Verdict.UNDECIDED, f"{said}; {told}", gap)
    beyond = [task for task, one in alone.items() if one.at_least(limit) is Verdict.SUPPORTED]
    said += f"; beyond the margin on {len(beyond)} of {len(over)}"
    return Finding(gap.at_least(limit), f"{said}; {told}", gap, limit=limit)


def downstream_fits_alike(evidence: Evidence) -> Finding:
    """C15: over all sparsities `downstream` and `pretrain` have the same train loss on average, to within FIT_LIMIT.

    Each is compared with its own unpruned model: that of `downstream` is trained longer and has the lower loss.
    Averages may hide differences of opposite signs, so a single sparsity that is shown to be beyond the limit refutes the
    claim, with Bonferroni's correction.
    """
    cells = _fitted(evidence)
    means = train_loss_means(cells, "dense", "pretrain", "downstream")
    at = [s for arm, s in means.point.index if arm == "pretrain" and s > 0 and means.has(("downstream", s))]
    if not at:
        return unmeasured("train losses of pretrain and downstream")
    mean = lead_of_tuned(means, at)
    each = {s: lead_of_tuned(means, [s]) for s in at}
    worst = max(each, key=lambda s: abs(each[s].value))
    beyond = [s for s, one in each.items() if one.within(FIT_LIMIT, RISK / len(at)) is Verdict.NOT_SUPPORTED]
    verdict = Verdict.NOT_SUPPORTED if beyond else mean.within(FIT_LIMIT)
    said = f"train loss of downstream minus pretrain, mean of {percents(at)}; "
    if means.has(TUNED_ON, DENSE):
        longer = means.point[TUNED_ON] - means.point[DENSE]
        said += f"each compared with its own unpruned model, which the longer training of downstream changes by {longer:+.2f}; "
    said += f"at most {each[worst].value:+.2f}, at "
    said += percents([worst]) + (f"; beyond {FIT_LIMIT:g} nats at {percents(beyond)}" if beyond else "")
    return Finding(verdict, said, mean, NATS, tested=((mean, FIT_LIMIT), (mean, -FIT_LIMIT)))


def _fitted(evidence: Evidence) -> pd.DataFrame:
    """The cells of classification tasks that are learnt, with train losses."""
    cells = evidence.cells
    if "train_loss" not in cells:
        return cells[:0].assign(train_loss=float("nan"))
    regression = set(cells.task[cells.dev_pearson.notna()]) if "dev_pearson" in cells else set()
    return cells[~cells.task.isin({*regression, *unlearnt(cells)})].dropna(subset=["train_loss", "dev_accuracy"])
