"""Fixtures of the runs room."""

from tests.runs.bench import make_bench

__all__ = ["make_bench"]
