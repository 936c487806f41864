"""How far can a pre-trained encoder be pruned before transfer suffers, and why? The package behind the notebooks."""

import gc

# the libraries make a million objects while they are imported, and Python searches all of them for garbage again and
# again, which takes a fifth of the time; a less frequent search finds the same
gc.set_threshold(50_000)
