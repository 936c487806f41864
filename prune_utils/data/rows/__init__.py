"""Labelled rows as files hold them: every field is counted, every label understood, or the file is refused.

`tsv.table` reads the rows of a task's file; `labels.numbered` turns their labels into classes or scores.
"""
