"""A pruned model for use elsewhere: an ordinary `from_pretrained` folder, smaller where it can be, with a model card.

`folder.export` writes it, `card.card` describes it, and `shrinking.shrunk` cuts out what does not affect the output. May import analysis, training, data, pruning and study.
"""
