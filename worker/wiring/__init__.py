"""Builds the parts and joins them, once."""
