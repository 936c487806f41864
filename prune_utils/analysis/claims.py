"""The table of the paper's claims: estimate, interval, the paper's value, verdict."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from prune_utils.analysis.evidence import Evidence, unlearnt
from prune_utils.analysis.findings import accuracy, fine_tuned_first, fitting, inside, lines
from prune_utils.analysis.findings.finding import Finding
from prune_utils.analysis.noise.estimates import MOST_SEEDS, Estimate, Verdict

DIGITS = 6  # of values in claims.csv: more than are shown, so that none is rounded twice


@dataclass(frozen=True)
class Claim:
    """A statement, the figures of the paper it concerns (see report.captions.FIGURES), and the function that tests it.

    If no task was learnt, a claim `of_accuracy` is undecided; the others concern weights.
    """

    statement: str
    figure: str
    find: Callable[[Evidence], Finding]
    of_accuracy: bool = True


CLAIMS = {
    "C1": Claim("low pruning, 30–40 %, costs nothing", "Fig. 1", accuracy.low_costs_nothing),
    "C2": Claim("at 40–60 % deleted information explains the loss", "Fig. 1", accuracy.medium_is_deletion),
    "C3": Claim(
        "at the highest sparsity (70 % or more) the model is also too small to fit",
        "Fig. 1",
        accuracy.high_is_also_complexity,
    ),
    "C4": Claim("accuracy is linear in pre-training loss, by task", "Fig. 2 left", lines.a_bit_of_bert),
    "C5": Claim("fine-tuning first does not help pruning", "Fig. 1", fine_tuned_first.fine_tuning_first_is_no_help),
    "C6": Claim(
        "fine-tuning changes less than 6 % of the mask",
        "Fig. 3 left",
        inside.masks_hardly_change,
        of_accuracy=False,
    ),
    "C7": Claim(
        "weights move 0–4 % of the order, large ones less",
        "Table 2, Fig. 6",
        inside.order_hardly_moves,
        of_accuracy=False,
    ),
    "C8": Claim(
        "longer fine-tuning before pruning does not help", "Fig. 3 right, Fig. 4", fine_tuned_first.longer_is_no_help
    ),
    "C9": Claim("magnitude beats random by more than the margin", "Fig. 1", accuracy.magnitude_beats_random),
    "C10": Claim(
        "no head is pruned much more than the whole",
        "Fig. 5",
        inside.no_head_is_spared_or_lost,
        of_accuracy=False,
    ),
    "C11": Claim(
        "30–40 % can go after fine-tuning, too, at no cost", "Fig. 1", fine_tuned_first.low_costs_nothing_after_tuning
    ),
    "C12": Claim(
        "at the highest sparsity (70 % or more) recovery grows with the training set",
        "Table 1",
        accuracy.recovery_grows_with_examples,
    ),
    "C13": Claim(
        "at the highest sparsity (70 % or more) a gap stays where the task is fitted",
        "Fig. 1",
        fitting.information_is_gone,
    ),
    "C14": Claim("a nat of pre-training loss costs tasks differently", "Fig. 2 left", lines.slopes_differ),
    "C15": Claim("pruned after fine-tuning, models fit their tasks alike", "Fig. 1", fitting.downstream_fits_alike),
    "C16": Claim(
        "global ranking does as well as ranking within each matrix", "footnote 5", accuracy.global_does_as_well
    ),
    "C17": Claim(
        "shorter subwords lose more of their embedding, and some dimensions almost nothing",
        "footnote 7",
        inside.short_subwords_lose_more,
        of_accuracy=False,
    ),
}


def claims_table(evidence: Evidence, published: Evidence | None = None) -> pd.DataFrame:
    """One row per claim: claim, statement, measured, interval (JSON, low and high), unit, published, verdict, why, figure.

    `published` is the evidence of the paper's own tables. If no task was learnt, claims on accuracy are undecided.
    """
    rows, nothing_learnt = [], set(unlearnt(evidence.cells)) == set(evidence.cells.task)
    for name, claim in CLAIMS.items():
        found = claim.find(evidence)
        unlearned = nothing_learnt and claim.of_accuracy
        if unlearned and found.estimate:
            found = replace(found, verdict=Verdict.UNDECIDED, why=f"no task was learnt; {found.why}")
        if found.estimate and found.estimate.interval() is None:
            known = evidence.accuracy.repeated
            reason = "the spread of its cells is not known" if known else "one seed gives no interval"
            found = replace(found, why=f"{found.why}; {reason}")
        if found.verdict is Verdict.UNDECIDED and not unlearned:
            found = replace(found, why=f"{found.why}{_further(found, evidence)}")
        theirs = claim.find(published).estimate if published else None
        rows.append(
            {
                "claim": name,
                "statement": claim.statement,
                "measured": found.estimate and round(found.estimate.value, DIGITS),
                "interval": _json(found.estimate),
                "unit": found.unit,
                "published": theirs and round(theirs.value, DIGITS),
                "verdict": found.verdict.value,
                "why": found.why,
                "figure": claim.figure,
            }
        )
    return pd.DataFrame(rows)


def _json(estimate: Estimate | None) -> str | None:
    interval = estimate and estimate.interval()
    return json.dumps([round(end, DIGITS) for end in interval]) if interval else None


def _further(found: Finding, evidence: Evidence) -> str:
    """The seeds that would decide every undecided part of a claim, each in four of five studies."""
    seeds = evidence.cells[evidence.cells.arm != "dense"].seed.nunique()
    left = found.undecided()
    if not left or seeds < 2 or any(one.error is None for one, _ in left):
        return ""
    needed = [one.seeds_to_decide(limit, seeds) for one, limit in left]
    how_many = f"{max(needed)} seeds in all" if all(needed) else f"more than {MOST_SEEDS} seeds"
    return f"; {how_many} would decide it in four of five studies, if the true value is the one measured"
