"""Plan, run, watch and publish a study.

`launch.run` runs everything that is not done, `plan.show` estimates the cost, `status.show` prints the progress,
`reporting.rebuild` makes the report, and `notebook.study_of` is the first call of every notebook.
May import every sub-package except explorer.
"""

import sys

# papermill and nbformat import jsonschema, which compiles a grammar of international web addresses if it finds one.
# That takes a second in every process, and no format of a notebook uses it; without it jsonschema skips that check.
sys.modules.setdefault("rfc3987_syntax", None)
