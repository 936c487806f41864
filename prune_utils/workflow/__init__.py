"""Plan, run, watch and publish a study.

`launch.run` runs everything that is not done, `cost.plan.show` estimates the cost, `status.show` prints the progress,
`reporting.rebuild` makes the report, and `notebook.study_of` is the first call of every notebook.
May import every sub-package except explorer.
"""
