"""One account of the table in test_grant_table, what happens to it, and what came of that."""

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from jobs.contract import WorkerError
from tests.auth.keeping import Desk
from tests.contracts.grantkinds import Kind, account_of, secrets_for
from worker.auth.answer import Granted
from worker.auth.keeper import Keeper
from worker.auth.refresh import Handed
from worker.calls.session import AccountApi, RunRef
from worker.model.moments import utc_now
from worker.model.records import Health
from worker.sandbox.server import Sandbox
from worker.store import tables
from worker.vault.secret import Secret

End = tuple[list[str], list[str], Health]  # what callers got, what the endpoint was asked, the account's health
OK, LOGIN, REFRESH = "token", "login", "refresh"


class Bench:
    """One account with its first token, and what happens to it."""

    def __init__(self, desk: Desk, sandbox: Sandbox, kind: Kind) -> None:
        self.desk = desk
        self.sandbox = sandbox
        self.kind = kind
        self.secrets = secrets_for(sandbox)
        self.told: list[str] = []
        self._keeper: Keeper | None = None

    def keeper(self) -> Keeper:
        """Returns a keeper as a new process has it."""
        return self.desk.keeper(account_of(self.kind, self.desk.url, self.secrets), chance=lambda: 1.0)

    def begin(self) -> None:
        """Brings the first token, by a person where the grant needs one."""
        self._keeper = self.keeper()
        if account_of(self.kind, self.desk.url, self.secrets).options.needs_person:
            clock = self.desk.clock
            pair = Granted(Secret(self.secrets["access"]), Secret(self.secrets["refresh"]), 3600.0)
            self._keeper.adopt(Handed(pair, self.kind.name, clock.now(), clock.elapsed()))
        self._keeper.token()

    def ask(self, keeper: Keeper | None = None) -> None:
        """Asks for a token and notes what came of it."""
        asking = keeper or self._keeper
        assert asking is not None
        self._note(asking.token)

    def call(self) -> None:
        """Calls the API as a job does, and notes what came of it."""
        assert self._keeper is not None
        account = account_of(self.kind, self.desk.url, self.secrets)
        api = AccountApi(account, self.desk.line(), self._keeper, self.desk.events)
        bound = api.bind(RunRef("job", 1, 1, lambda: None, lambda: 60.0))
        self._note(lambda: bound.request("GET", "/items"))

    def _note(self, act: Callable[[], object]) -> None:
        try:
            act()
        except WorkerError as error:
            self.told.append(type(error).__name__)
        else:
            self.told.append(OK)

    def expire(self) -> None:
        """Lets the token's hour pass."""
        self.desk.clock.pass_by(3601)

    def expire_row(self) -> None:
        """Makes the stored token an old one, for processes whose clocks nobody moves."""
        past = utc_now() - timedelta(minutes=1)
        with self.desk.database.write() as connection:
            connection.execute(sa.update(tables.tokens).values(expires_at=past, refresh_at=past))

    def asked(self) -> list[str]:
        """Returns what the token endpoint was asked, with the status where it was refused."""
        found = []
        for one in self.sandbox.token_requests():
            name = REFRESH if one.grant_type == "refresh_token" else LOGIN
            found.append(name if one.status == 200 else f"{name}:{one.status or 'lost'}")
        return found

    def end(self) -> End:
        """Returns what is compared with the table."""
        return self.told, self.asked(), self.desk.row().health
