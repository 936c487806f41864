"""Is prunability limited by the text of pre-training (paper, footnote 15)? Studies that differ only in their amount of text.

The same seeds have the same starting weights in all of them, so a trend is measured seed by seed: the slope of a line over the
logarithm of the amount, per doubling.
"""

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.findings.stopping import falls
from prune_utils.analysis.noise.estimates import Estimate
from prune_utils.study.record import differing
from prune_utils.study.schema import Replay, Study
from prune_utils.study.words import POINTS, minus, percent

AMOUNT = "corpus.documents"


def amounts(studies: dict[str, Study | Replay]) -> dict[str, int]:
    """The documents of each study, smallest first; empty unless two or more studies differ in that alone."""
    if len(studies) < 2 or any(study.tables for study in studies.values()):
        return {}
    if [*differing(studies).index] != [AMOUNT] or any(s.grid != [*studies.values()][0].grid for s in studies.values()):
        return {}
    found = {name: study.corpus.documents for name, study in studies.items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def by_text(documents: dict[str, int], found: dict[str, Evidence]) -> pd.DataFrame:
    """Mean fall over tasks of accuracy by pruning: columns documents, seed, target_sparsity, fall (points)."""
    parts = [falls(found[name]).assign(documents=count) for name, count in documents.items()]
    keys = ["documents", "seed", "target_sparsity"]
    return pd.concat(parts).groupby(keys, as_index=False).fall.mean()


def ends(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Where the low regime ends, by documents and seed: columns documents, seed, end, a sparsity as a share.

    It is where the fall, a line between neighbouring sparsities from 0 at 0, first reaches the margin (points); the last sparsity
    if it never does. `frame`: see `by_text`.
    """
    rows = []
    for (documents, seed), part in frame[frame.target_sparsity > 0].groupby(["documents", "seed"]):
        s, f = (np.append(0.0, part.sort_values("target_sparsity")[name]) for name in ("target_sparsity", "fall"))
        over = np.flatnonzero(f > margin)
        k = over[0] if len(over) else None
        end = s[-1] if k is None else s[k - 1] + (s[k] - s[k - 1]) * (margin - f[k - 1]) / (f[k] - f[k - 1])
        rows.append([documents, seed, end])
    return pd.DataFrame(rows, columns=["documents", "seed", "end"])


def trends(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Change per doubling of the text: one row for the end of the low regime (percentage points of sparsity) and each sparsity (points).

    Columns of, slope, low, high; the interval is over seeds, NaN for one.
    """
    low_ends = ends(frame, margin).assign(end=lambda table: POINTS * table.end)
    rows = [["low until", *_slope(low_ends, "end")]]
    for sparsity, part in frame[frame.target_sparsity > 0].groupby("target_sparsity"):
        rows.append([sparsity, *_slope(part, "fall")])
    return pd.DataFrame(rows, columns=["of", "slope", "low", "high"])


def _slope(part: pd.DataFrame, value: str) -> tuple[float, float, float]:
    slopes = [np.polyfit(np.log2(own.documents), own[value], 1)[0] for _, own in part.groupby("seed")]
    estimate = Estimate.over_seeds(slopes)
    return estimate.value, *(estimate.interval() or (np.nan, np.nan))


def said(changes: pd.DataFrame) -> str:
    """What a doubling of the text does, in Markdown; `changes`: see `trends`."""
    lines = []
    for row in changes.itertuples():
        what = "the end of the low regime moves" if row.of == "low until" else f"the fall at {percent(row.of)} changes"
        moved = f"by {row.slope:+.1f} points{' of sparsity' if row.of == 'low until' else ''}"
        known = "one seed" if np.isnan(row.low) else f"95 % interval {row.low:+.1f} to {row.high:+.1f}"
        shown = " (a trend is shown)" if row.low > 0 or row.high < 0 else ""
        lines.append(f"- {what} {moved}, {known}{shown}")
    return minus("\n".join(["With every doubling of the text:", "", *lines]))
