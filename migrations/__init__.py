"""The schema's history, shipped in the wheel and applied at start."""
