"""Secrets: where they come from, how they are sealed, how they are kept out of sight."""
