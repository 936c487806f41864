"""Sections of a params file, and the table of arms.

`arms.SHIPPED` is the table of arms; `recipes` describes the model and its trainings, `sources` text and tasks, `machine` how it
is run.
May import `study.section` alone.
"""
