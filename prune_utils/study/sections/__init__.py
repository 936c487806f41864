"""Sections of a params file, and the table of arms.

`arms.ARMS` lists every arm with its four choices; `recipes` describes the model and its trainings, `sources` text and tasks.
May import `study.section` alone.
"""
