"""Repositories of the Hugging Face hub at a given commit: from the hub's cache on this machine, or downloaded into it.

What is in the cache is read without the network. `repository` resolves revisions and fetches models and tokenizers,
`datasets` reads data sets, `faults` says what went wrong. May import study.
"""
