"""What a study is: its params and their schema, its runs and cells, the paths of its files."""
