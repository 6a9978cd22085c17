"""How the id of a run tells when it was made: milliseconds in the upper bits, and a sequence in the lower ones."""

from datetime import UTC, datetime

EPOCH_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
SEQUENCE_BITS = 22  # four million ids a millisecond; 41 bits of milliseconds last until 2094


def id_at(moment: datetime) -> int:
    """Returns what every id made before a moment is below, and every id made later is not."""
    return (int(moment.timestamp() * 1000) - EPOCH_MS) << SEQUENCE_BITS
