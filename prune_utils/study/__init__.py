"""What a study is: its params, its runs and cells, where its files lie, and what may not be mixed.

`params.load_study` reads and validates a params file; `grid.all_cells` and `grid.all_runs` list what it trains;
`record.check_same` refuses to mix results of different params; `files.once` makes a result unless it exists.
May import nothing of the package.
"""
