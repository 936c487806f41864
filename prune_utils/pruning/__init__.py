"""Which weights are pruned and when: scores, patterns, masks, schedules, Trainer callbacks, and checkpoint files.

`masks.magnitude_mask` prunes the smallest weights of one matrix; `scores.chooser` prunes a whole model by method.
`callbacks.FixedMask` and `callbacks.GradualPruning` keep a model pruned while it trains.
`checkpoints.save_checkpoint` and `checkpoints.load_checkpoint` store models with masks and verify their zeros.
`movement.movement` measures how far fine-tuning moves weights in the pruning order.
"""
