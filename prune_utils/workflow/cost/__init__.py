"""Estimate what a study costs before it runs.

`plan.show` prints the estimate and what its notebooks need on a cluster; `plan.plan` returns it as a frame.
May import what `workflow` may.
"""
