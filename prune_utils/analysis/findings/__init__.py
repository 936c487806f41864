"""Evaluate the paper's claims on a study: from evidence to estimates and verdicts.

`accuracy`, `fine_tuned_first`, `lines` and `fitting` have the claims on accuracies and train losses, `inside` those on weights; each
returns a `finding.Finding`. `claims.CLAIMS` lists them, and docs/statistics.md explains the verdicts. `methods` compares arms;
`stopping`, `forgotten` and `less_text` answer open questions of the paper.
"""
