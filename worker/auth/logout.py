"""A logout: the token is ended at its server, then deleted here, while nobody can be renewing it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.contract import WorkerError
from worker.auth.leases import Lease, Leases
from worker.auth.revocation import Revoker
from worker.auth.sealing import Seals
from worker.model.errors import TokenUnavailable
from worker.model.moments import elapsed_s
from worker.model.records import Health

_POLL_S = 0.1
_PATIENCE_S = 60.0  # for a renewal that is under way


@dataclass(frozen=True)
class Logout:
    """Logs one account out."""

    leases: Leases
    seals: Seals
    revoker: Revoker
    wait: Callable[[float], None] = time.sleep

    def run(self, by: str, *, forced: bool = False) -> str:
        """Ends and deletes the token and returns in words what came of it.

        `by` is who asked; `forced` deletes it although the server cannot be told. Raises LoginFailed where nothing was
        changed, TokenUndecryptable, TokenUnavailable, AccountBlocked, StoreError.
        """
        lease = self._lease()
        try:
            told = self._revoked(lease, forced=forced)
        except BaseException:
            self.leases.give_back(lease, in_doubt=lease.doubted)
            raise
        person = self.revoker.account.options.needs_person
        reason = f"logged out by {by}; log in: {self.revoker.account.login_command}" if person else None
        self.leases.forget(lease, Health.NEEDS_LOGIN if person else Health.UNKNOWN, reason)
        return told

    def _lease(self) -> Lease:
        until_s = elapsed_s() + _PATIENCE_S
        while elapsed_s() < until_s:
            lease = self.leases.take(self.leases.row(), lambda _row: None)
            if lease is not None:
                return lease
            self.wait(_POLL_S)
        name = self.revoker.account.name
        raise TokenUnavailable(f"account {name} is not logged out: its token is being renewed; try again", name)

    def _revoked(self, lease: Lease, *, forced: bool) -> str:
        try:
            pair = self.seals.open(lease.row)
            return self.revoker.revoke(pair, lease.row.generation) if pair else "there was no token"
        except WorkerError as error:
            if forced:
                return f"the server was not told: {error}"
            raise
