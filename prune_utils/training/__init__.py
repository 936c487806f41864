"""From params to checkpoints and their results.

`pretraining.pretrain` trains a run, `finetuning.finetune` a cell, and `fine_tune_first.fine_tune_first` a model that is
pruned after fine-tuning; each returns the stored result if it exists. `sizes.shape` knows the cost of a model.
May import data, pruning and study.
"""
