"""One training: the Trainer with its data order and precision, checkpoints to resume from, and a teacher's loss.

`trainer.train` trains a model in place, `resuming.finished` makes a result once, and `machine.settled` fixes the precision.
May import data, pruning and study.
"""
