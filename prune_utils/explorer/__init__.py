"""Interactive views of a finished study."""
