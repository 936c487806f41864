"""The folder given as `model.pretrained`: refused before anything runs unless it is an encoder of one of the families.

`check.check` checks a folder and describes it; `config.fields` is what training takes from its config.json, and
`weights.weights` its weights under the names of its family. May import data, pruning and study.
"""
