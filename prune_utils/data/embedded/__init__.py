"""The embedded language, a small English for studies that need no files: grammar, lexicon, documents and tasks.

`language.documents` generates text, `tasks.splits` the training and dev examples of a task.
"""
