"""From a study's params to trained checkpoints and their results."""
