"""The embedded language, a small synthetic English for studies without files: grammar, lexicon, documents and tasks.

`language.documents` generates text, `tasks.splits` the training and dev examples of a task.
"""
