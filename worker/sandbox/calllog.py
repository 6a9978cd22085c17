"""The call log: what reached the sandbox and what it answered, with serial numbers where secrets were."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count

LIMIT = 100_000  # records kept; the oldest go first
_SECRET_PARTS = (
    "token",
    "secret",
    "password",
    "assertion",
    "api_key",
    "apikey",
    "api-key",
    "auth",
    "cookie",
    "code",
)


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Tells whether a parameter or header of this name may carry a secret."""
    low = name.lower()
    return any(part in low for part in _SECRET_PARTS)


def without_secrets(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns parameters or headers by name, the values of secret ones replaced by `***`."""
    return {name: "***" if is_secret(name) else value for name, value in pairs}


@dataclass(slots=True)
class CallRecord:
    """One request and its answer; `status` is None where the connection was closed without one."""

    serial: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: int | None = None
    client_id: str | None = None
    account: str | None = None
    grant_type: str | None = None
    token_used: int | None = None  # serial of the issue whose access or refresh token came along
    token_issued: int | None = None
    fault: str | None = None  # kind of the fault that was played
    error: str | None = None  # why a credential was refused, where the answer does not tell
    form: dict[str, str] = field(default_factory=dict)  # of token requests, without secrets

    def plain(self) -> dict[str, object]:
        """Returns the record as JSON-ready values."""
        return asdict(self)


class CallLog:
    """The last records, oldest first; not safe for threads."""

    def __init__(self) -> None:
        self._records: deque[CallRecord] = deque(maxlen=LIMIT)
        self._serials = count(1)

    def open(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> CallRecord:
        """Starts the record of a request and returns it, to be completed as more is known."""
        clean = {str(name): value for name, value in headers.items() if not is_secret(name)}
        record = CallRecord(next(self._serials), method, path, without_secrets(query.items()), clean)
        self._records.append(record)
        return record

    def records(self) -> list[CallRecord]:
        """Returns the records kept."""
        return list(self._records)

    def clear(self) -> int:
        """Forgets all records and returns how many there were; serial numbers go on."""
        forgotten = len(self._records)
        self._records.clear()
        return forgotten
