"""Evaluate the paper's claims on a study: from evidence to estimates and verdicts.

`accuracy` has the claims on accuracy, `inside` those on weights; both return a `finding.Finding`. `claims.CLAIMS` lists
them. docs/statistics.md explains the verdicts.
"""
