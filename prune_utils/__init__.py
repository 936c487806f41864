"""How far can a pre-trained encoder be pruned before transfer suffers, and why? The package behind the notebooks."""
