"""The types of the configuration tests' fixtures."""

from collections.abc import Callable
from pathlib import Path

from worker.config.load import Configuration
from worker.model.errors import Problem

Write = Callable[..., Path]
Load = Callable[..., Configuration]
Problems = Callable[..., list[Problem]]
