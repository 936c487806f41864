"""Ways of pruning side by side, from one starting point: what each keeps, where its border lies, and what it costs.

Every pair of arms is compared at every sparsity that both have; the tests of all pairs and sparsities are one family,
corrected by Holm's method (1979). Where the corrected test of a pair does not reject, the two cannot be distinguished.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.means import DENSE
from prune_utils.analysis.regimes import Boundary, border_of
from prune_utils.study.schema import Replay, Study
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.arms import PRETRAINED, PRETRAINING
from prune_utils.study.words import POINTS

ORDERS = Path(__file__).parent.with_name("published") / "orders.csv"
FAMILY_RISK = 0.05  # of one false difference or more among all pairs and sparsities


def arms_of(evidence: Evidence) -> list[str]:
    """The pruned arms of a study, in the order of its cells."""
    return list(dict.fromkeys(evidence.cells.arm[evidence.cells.target_sparsity > 0]))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Corrected p-values of a family of tests (Holm 1979), in the order given; NaN is not part of the family."""
    corrected = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def pairs(evidence: Evidence) -> pd.DataFrame:
    """One row per sparsity and pair of arms, the better one first.

    Columns target_sparsity, better, worse, difference (points of mean dev accuracy), low and high (95 % interval, not
    corrected), p_value and corrected (by Holm over all rows), apart. Without repeated seeds there are no tests.
    """
    accuracy, rows = evidence.accuracy, []
    for sparsity in sorted({s for _, s in accuracy.point.index if s > 0}):
        there = [arm for arm in arms_of(evidence) if accuracy.has((arm, sparsity))]
        ranked = sorted(there, key=lambda arm, s=sparsity: -accuracy.point[arm, s])
        for better, worse in combinations(ranked, 2):
            found = accuracy.difference((better, sparsity), (worse, sparsity)).scaled(POINTS)
            low, high = found.interval() or (np.nan, np.nan)
            rows.append([sparsity, better, worse, found.value, low, high, found.p_value()])
    names = ["target_sparsity", "better", "worse", "difference", "low", "high", "p_value"]
    frame = pd.DataFrame(rows, columns=names)
    frame["corrected"] = holm(frame.p_value.to_numpy(dtype=float))
    return frame.assign(apart=frame.corrected < FAMILY_RISK)


def table(evidence: Evidence, study: Study | Replay) -> pd.DataFrame:
    """One row per arm: how it is made, accuracy at each sparsity, its border of the low regime, and its training time.

    Columns arm, score, pattern, when, low_until and its interval (see `border`), pretraining_seconds and
    finetuning_seconds (see `seconds`), and for each sparsity s its mean dev accuracy in percent, `accuracy_s`, with the ends
    of its change from the dense model, `change_s_low` and `change_s_high`, in points; s in percent. Raises ParamsError for a
    table of results, which does not say how its arms were made.
    """
    if study.tables:
        raise ParamsError(f"study '{study.study}' is a table of results; allowed is a study that trains its arms")
    rows = []
    for arm in arms_of(evidence):
        of, found = study.arm_table.rows[arm], border(evidence, arm)
        row = {"arm": arm, "score": of.score, "pattern": of.pattern, "when": of.when, "low_until": found.estimate}
        row |= dict(zip(("low_from", "low_to"), found.interval or (None, None), strict=True))
        row |= seconds(evidence, study, arm)
        for sparsity in sorted(s for name, s in evidence.accuracy.point.index if name == arm and s > 0):
            change = evidence.accuracy.difference((arm, sparsity), DENSE).scaled(POINTS)
            low, high = change.interval() or (np.nan, np.nan)
            at = round(100 * sparsity)
            row |= {
                f"accuracy_{at}": round(POINTS * evidence.accuracy.point[arm, sparsity], 9),
                f"change_{at}": change.value,
            }
            row |= {f"change_{at}_low": low, f"change_{at}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def border(evidence: Evidence, arm: str) -> Boundary:
    """The last sparsity at which an arm loses no more than the margin of mean dev accuracy against the dense model.

    Pre-training loss is left out, since arms that are pruned later do not change it.
    """
    accuracy, limit = evidence.accuracy, evidence.margins.accuracy_margin / POINTS
    at = sorted(s for name, s in accuracy.point.index if name == arm and s > 0)
    return border_of({s: [(accuracy.difference(DENSE, (arm, s)), limit)] for s in at})


def seconds(evidence: Evidence, study: Study, arm: str) -> dict[str, float]:
    """Mean training time: of a pre-training run that prunes, and of a cell with the dense cells that it prunes or learns from.

    0 where an arm has no run of its own. Trainings that run beside others take longer, all arms alike.
    """
    row, cells, runs = study.arm_table.rows[arm], evidence.cells, evidence.runs
    own = cells[cells.arm == arm].seconds.mean()
    prunes_dense = row.when in ("fine-tuned", "rewound") and row.masks_of != PRETRAINING
    after_dense = prunes_dense or row.taught("fine-tuning") is not None
    method = study.arm_table.method_of(arm)
    of_run = runs[(runs.method == method) & (runs.target_sparsity > 0)].seconds.mean()
    return {
        "pretraining_seconds": of_run if row.when in PRETRAINED else 0.0,
        "finetuning_seconds": own + after_dense * cells[cells.arm == "dense"].seconds.mean(),
    }


def orders(evidence: Evidence) -> pd.DataFrame:
    """The published differences of arms beside those of a study that has the same arms at the same sparsity.

    One row per published pair (`published/orders.csv`: accuracies of BERT-Base on one task, in percent). Columns source, task,
    sparsity, better, worse, there (points by which the better one is ahead), runs, here (the same, mean over the study's
    tasks), low, high (95 % interval), outcome ("agrees" if the interval is above 0, "opposite" if below, else
    "undecided"), and differs: how the published arms differ from these.
    """
    rows = []
    for row in pd.read_csv(ORDERS).itertuples():
        ends = (row.better, row.sparsity), (row.worse, row.sparsity)
        if not all(evidence.accuracy.has(end) for end in ends):
            continue
        found = evidence.accuracy.difference(*ends).scaled(POINTS)
        low, high = found.interval() or (np.nan, np.nan)
        outcome = "agrees" if low > 0 else "opposite" if high < 0 else "undecided"
        there, differs = (
            round(row.better_score - row.worse_score, 2),
            row.differs if isinstance(row.differs, str) else "",
        )
        pair = [row.source, row.task, row.sparsity, row.better, row.worse]
        rows.append([*pair, there, row.runs, found.value, low, high, outcome, differs])
    names = [
        "source",
        "task",
        "sparsity",
        "better",
        "worse",
        "there",
        "runs",
        "here",
        "low",
        "high",
        "outcome",
        "differs",
    ]
    return pd.DataFrame(rows, columns=names)


def groups(found: pd.DataFrame, sparsity: float) -> list[list[str]]:
    """The largest sets of arms of which no two can be distinguished at a sparsity, best first; `found`: see `pairs`.

    Arms are ranked by accuracy. A set is a run of neighbours in that order, so one arm may be in two sets: it cannot
    be distinguished from either, while they can from each other.
    """
    part = found[found.target_sparsity == sparsity]
    if part.empty:
        return []
    ranked = [part.better.iloc[0], *part[part.better == part.better.iloc[0]].worse]
    apart = {(row.better, row.worse) for row in part[part.apart].itertuples()}
    ends, sets = 0, []
    for start in range(len(ranked)):
        end = start + 1
        while end < len(ranked) and not any((one, ranked[end]) in apart for one in ranked[start:end]):
            end += 1
        if end > ends:
            sets.append(ranked[start:end])
            ends = end
    return sets
