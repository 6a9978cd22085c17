"""How the id of a run tells when it was made: milliseconds in the upper bits, and a sequence in the lower ones."""

from datetime import UTC, datetime

_ALL = 2**63 - 1
EPOCH_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
SEQUENCE_BITS = 22  # four million ids a millisecond; 41 bits of milliseconds last until 2094

_SECOND = 1000 << SEQUENCE_BITS


def id_at(moment: datetime) -> int:
    """Returns what every id made before a moment is below, and every id made later is not; it fits into 63 bits."""
    return min(max(int(moment.timestamp() * 1000) - EPOCH_MS << SEQUENCE_BITS, 0), _ALL)


def begun_by(moment: datetime | None) -> int:
    """Returns what the ids of all runs that began by a moment are below, where that may be cut to its second.

    Of a moment that nobody tells, what all ids are below.
    """
    return _ALL if moment is None else min(id_at(moment.replace(microsecond=0)) + _SECOND, _ALL)
