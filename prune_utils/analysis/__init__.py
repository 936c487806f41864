"""From results to frames, estimates, verdicts and regimes.

`results.collect` writes the frames of a study, whether trained or read from a table; `evidence.evidence_of` reads them;
`regimes.find` finds the borders, and `claims.claims_table` gives a verdict on each claim of the paper. `factorial.table`
splits the fall in accuracy into deleting and fixing. `power.table` says what a grid can decide before it is run. The noise behind all of them is in `noise`.
May import data and study; never pruning.
"""
