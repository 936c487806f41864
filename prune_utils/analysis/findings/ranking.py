"""Evaluate the conjecture that global ranking does as well as ranking within each matrix, C16; see `findings.accuracy`."""

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import Verdict
from prune_utils.study.words import POINTS, percent, percents

FROM = 0.4  # below, pruning costs little by either ranking, and equality says nothing


def global_does_as_well(evidence: Evidence) -> Finding:
    """C16: `global` and `pretrain` are equal to within the margin, on average from 40 % up (footnote 5, a conjecture)."""
    if "global" not in set(evidence.cells.arm):
        return Finding(Verdict.UNDECIDED, "the study has no arm `global`")
    at = evidence.within((FROM, 1.0), "pretrain", "global")
    if not at:
        return unmeasured("pretrain and global at 40 % or above")
    lead = evidence.accuracy.mean_difference("global", "pretrain", at).scaled(POINTS)
    leads = {s: POINTS * evidence.accuracy.difference(("global", s), ("pretrain", s)).value for s in at}
    farthest, margin = max(leads, key=lambda s: abs(leads[s])), evidence.margins.accuracy_margin
    said = (
        f"global minus pretrain, mean of {percents(at)}; farthest apart {leads[farthest]:+.1f} at {percent(farthest)}"
    )
    tested = (lead, margin), (lead, -margin)
    return Finding(lead.within(margin), said, lead, limit=margin if lead.value > 0 else -margin, tested=tested)
