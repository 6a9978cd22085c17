"""The demo's far end, looked at and changed through the sandbox's control pages."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from worker.sandbox.transform import POISON

_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class FarEnd:
    """The sandbox's control pages."""

    url: str

    def churn(self, rows: int) -> None:
        """Changes so many rows now."""
        self._asked(requests.post(f"{self.url}/_sandbox/churn", json={"rows": rows}, timeout=_TIMEOUT_S))

    def rows(self, resource: str) -> list[dict[str, Any]]:
        """Returns every row of a resource as it stands."""
        found = self._asked(requests.get(f"{self.url}/_sandbox/rows/{resource}", timeout=_TIMEOUT_S))
        return found if isinstance(found, list) else found["rows"]

    def spoil(self, devices: int) -> None:
        """Gives so many devices a carrier that the other API refuses."""
        changed = {"changed": {"carrier": POISON}}
        for row in self.rows("devices")[:devices]:
            url = f"{self.url}/_sandbox/rows/devices/{row['id']}"
            self._asked(requests.patch(url, json=changed, timeout=_TIMEOUT_S))

    def _asked(self, answer: requests.Response) -> Any:  # noqa: ANN401  JSON
        answer.raise_for_status()
        return answer.json()


def moment(text: str) -> datetime:
    """Returns a row's time of change, which is in UTC where no zone is told."""
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
