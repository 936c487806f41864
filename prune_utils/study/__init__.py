"""Definition of a study: params, runs and cells, file locations, and which results may not be mixed.

`params.load_study` reads and validates a params file; `grid.all_cells` and `grid.all_runs` list what it trains;
`record.check_same` refuses to mix results of different params; `files.once` makes a result unless it exists.
Imports nothing else from the package.
"""
