"""What pruning does to a model: features, attention heads, weights, sort order."""
