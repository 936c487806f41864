"""Evaluate the paper's claims on accuracy by pre-training loss (Fig. 2 left), C4 and C14: shape and slopes of the lines.

The floor rule holds for both: cells that are not above the majority class say nothing about a slope and are left out.
Both give the verdict with them, and without any cell at the highest sparsity.
"""

from collections.abc import Callable
from dataclasses import replace

from scipy import stats

from prune_utils.analysis import linearity
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.finding import Finding, unmeasured
from prune_utils.analysis.noise.estimates import LEVEL, RISK, Estimate, Verdict, all_of, one_of_several
from prune_utils.study.words import percent

BEND_LIMIT = 2.0  # points from a line that C4 allows (our choice)
NEEDED = "information_deletion above the majority class, with pre-training losses, at four sparsities"
Lines = dict[str, linearity.Line]


def a_bit_of_bert(evidence: Evidence) -> Finding:
    """C4: information-deletion accuracy falls linearly with pre-training loss, with a slope per task.

    On every task the bend must be shown to be smaller than BEND_LIMIT (an equivalence test) and the slope to be
    negative.
    """
    lines = linearity.lines(evidence)
    if not lines:
        return unmeasured(NEEDED)
    verdict, bent = _linear(lines)
    worst = max(lines, key=lambda task: abs(lines[task].bend.value))
    said = f"mean slope over tasks; the largest bend is {lines[worst].bend.value:+.1f} points, on {worst}"
    if bent:
        said += f"; more than {BEND_LIMIT:g} points on {', '.join(bent)}"
    said += _otherwise(evidence, lines, _shape)
    tested = [(line.bend, side) for line in lines.values() for side in (BEND_LIMIT, -BEND_LIMIT)]
    tested += [(line.slope, 0.0) for line in lines.values()]
    return Finding(verdict, said, linearity.mean_slope(lines), "points per nat", tested=tuple(tested))


def _linear(lines: Lines) -> tuple[Verdict, list[str]]:
    """The verdict on all tasks, and those that are shown to be bent; refutation with Bonferroni's correction."""
    risk = RISK / len(lines)
    bends = {
        task: one_of_several(line.bend.within(BEND_LIMIT), line.bend.within(BEND_LIMIT, risk))
        for task, line in lines.items()
    }
    falling = [one_of_several(line.slope.at_most(0.0), line.slope.at_most(0.0, risk)) for line in lines.values()]
    return all_of(*bends.values(), *falling), [task for task, one in bends.items() if one is Verdict.NOT_SUPPORTED]


def _shape(lines: Lines) -> str:
    verdict, bent = _linear(lines)
    return verdict + (f", bent on {', '.join(bent)}" if bent else "")


def slopes_differ(evidence: Evidence) -> Finding:
    """C14: a nat of pre-training loss costs tasks differently: the slopes of C4 are not all equal.

    Supported if two slopes differ, at RISK with Bonferroni's correction for all pairs; not supported if all pairs are
    shown to differ by less than the margin of accuracy per nat. The estimate is the pair whose difference is most
    certain, and its interval holds all pairs at once.
    """
    lines, margin = linearity.lines(evidence), evidence.margins.accuracy_margin
    if len(lines) < 2:
        return unmeasured(f"{NEEDED}, on two tasks")
    verdict, (steep, flat), widest = different(lines, margin)
    said = f"points that a nat costs {steep} more than {flat}; slopes "
    said += ", ".join(f"{task} {line.slope.value:+.1f}" for task, line in lines.items())
    said += _otherwise(evidence, lines, lambda others: different(others, margin)[0])
    return Finding(verdict, said, widest, "points per nat")


def different(lines: Lines, margin: float) -> tuple[Verdict, tuple[str, str], Estimate]:
    """The verdict, and the pair of tasks whose difference is the most certain, its error widened for all pairs at once."""
    found = linearity.differences(lines)
    wide = {pair: _simultaneous(one, len(found)) for pair, one in found.items()}
    least = {pair: one.value if one.error is None else one.interval()[0] for pair, one in wide.items()}
    pair = max(least, key=least.get)
    if all_of(*(one.within(margin) for one in found.values())) is Verdict.SUPPORTED:
        return Verdict.NOT_SUPPORTED, pair, wide[pair]
    shown = wide[pair].error is not None and least[pair] > 0
    return Verdict.SUPPORTED if shown else Verdict.UNDECIDED, pair, wide[pair]


def _simultaneous(estimate: Estimate, number: int) -> Estimate:
    """The estimate with an error so wide that the intervals of so many hold their true values all at once."""
    if estimate.error is None:
        return estimate
    single, every = (stats.t.ppf(1 - (1 - LEVEL) / 2 / n, estimate.freedom) for n in (1, number))
    return replace(estimate, error=float(estimate.error * every / single))


def _otherwise(evidence: Evidence, lines: Lines, judged: Callable[[Lines], str]) -> str:
    """The verdict with all cells, and the one without any at the highest sparsity, as text."""
    highest = max(evidence.cells[evidence.cells.arm == "information_deletion"].target_sparsity)
    every, fewer, said = linearity.lines(evidence, floor=False), linearity.lines(evidence, below=highest), ""
    if out := [task for task in every if task not in lines or lines[task].left_out]:
        said = f"; cells at the majority class are left out on {', '.join(out)}, and with them the claim is {judged(every)}"
    return said + (
        f"; without any cell at {percent(highest)} it is {judged(fewer)}" if len(fewer) == len(lines) else ""
    )
