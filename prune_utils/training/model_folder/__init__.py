"""The folder given as `model.pretrained`: refused before anything runs unless it is an encoder that the study can use.

`check.check` checks a folder and describes it; `config.fields` is what training takes from its config.json, and
`weights.weights` its weights under BERT's names. May import data, pruning and study.
"""
