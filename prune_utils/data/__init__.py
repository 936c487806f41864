"""Text and tasks, from their source to a padded batch."""
