"""What rows are made of: bits that depend on seed, resource and index alone, so that two starts agree."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from worker.sandbox.table import MICROSECONDS

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)  # rows of the start were last changed in the year that begins here
_YEAR_S = 365 * 86400
_MASK = (1 << 64) - 1
_TIED = 3  # rows in a row that share a stamp: real servers tie, and readers must bear it

FIRST = (
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Emeka",
    "Fatima",
    "Grace",
    "Hiroshi",
    "Ines",
    "Jane",
    "Kofi",
    "Lena",
)
LAST = (
    "Abbott",
    "Brandt",
    "Cruz",
    "Dubois",
    "Eze",
    "Fischer",
    "García",
    "Hughes",
    "Ito",
    "Jensen",
    "O'Neill",
)
MODELS = (("Apple", "iPhone 15"), ("Samsung", "Galaxy S24"), ("Google", "Pixel 8"), ("Lenovo", "ThinkPad X1"))


def mixed(salt: int, index: int) -> int:
    """Returns 64 well-mixed bits for an index (the finaliser of splitmix64)."""
    bits = (salt + index * 0x9E3779B97F4A7C15) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


def salt_of(seed: int, resource: str) -> int:
    """Returns the number that tells the rows of one seed and resource from all others."""
    return int.from_bytes(blake2b(f"{seed}:{resource}".encode(), digest_size=8).digest(), "big")


def guid(salt: int, index: int) -> str:
    """Returns a 32-digit hexadecimal id, unique per index: the first half alone is a bijection of it."""
    return f"{mixed(salt, index):016x}{mixed(salt ^ _MASK, index):016x}"


def person(index: int) -> tuple[str, str, str]:
    """Returns first name, last name and e-mail address of the index-th employee."""
    return FIRST[index % len(FIRST)], LAST[index // len(FIRST) % len(LAST)], f"person{index}@example.com"


def pick(options: Sequence[str], bits: int) -> str:
    """Returns one of the options."""
    return options[bits % len(options)]


def moment(salt: int, index: int, form: str) -> str:
    """Returns an instant of the first year in a stamp format; a few rows in a row share one."""
    bits = mixed(salt ^ 0x5A, index // _TIED)
    at = BEGIN + timedelta(seconds=bits % _YEAR_S, microseconds=bits >> 44 if form == MICROSECONDS else 0)
    return at.strftime(form)
