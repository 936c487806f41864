"""What pruning does to a model: features, attention heads, weights, bytes on disk, movement in the sort order.

Each module measures one of these on the checkpoints of a study and returns a frame: `similarity.similarity_frame`,
`heads.heads_frame`, `subwords.frames`, `weights.weights_frame`, `disk.sizes_frame`, `prunability.measure`.
May import analysis, training and the layers below them.
"""
