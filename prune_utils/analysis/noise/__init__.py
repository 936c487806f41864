"""The noise of a study's means: where it comes from, how large it is, and how well that is known.

`measured.accuracy_means` and `measured.loss_means` give `means.Means`, whose contrasts are `estimates.Estimate`: a value,
its error and degrees of freedom. `seeds` (with `variances`), `tables` and `examples` each estimate one source. docs/statistics.md has
the formulas.
"""
