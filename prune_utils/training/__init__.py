"""From params to checkpoints and their results.

`pretraining.pretrain` trains a run, `finetuning.finetune` a cell, and `fine_tune_first.fine_tune_first` a model that is
pruned after fine-tuning; each returns the stored result if it exists. `sizes` estimates sizes and FLOP.
May import data, pruning and study.
"""
