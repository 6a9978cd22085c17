"""Names in `act_for`, of an account and of its jobs' sources, against the headers that the account knows for them."""

from collections.abc import Collection, Iterator

from worker.config.draft import Draft
from worker.config.lines import KeyPath, Toml
from worker.config.nearest import hint


def check_acting(draft: Draft) -> None:
    """Notes every name that no header is known for; such a part would silently not be sent."""
    headers = {name: account.get("act_for_headers") for name, account in draft.tables("accounts").items()}
    known = {name: tuple(table) if isinstance(table, dict) else () for name, table in headers.items()}
    for name, account in draft.tables("accounts").items():
        _check(draft, ("accounts", name), account, known[name])
    for name, job in draft.jobs().items():
        for path, table in _tables(job, ("jobs", name)):
            account = table.get("account")
            if isinstance(account, str) and account in known:
                _check(draft, path, table, known[account])


def _check(draft: Draft, path: KeyPath, table: Toml, known: Collection[str]) -> None:
    for name in table["act_for"] if isinstance(table.get("act_for"), dict) else ():
        if name not in known:
            near = hint(name, known) if known else "the account names no act_for_headers"
            draft.blame((*path, "act_for", name), f'no header is known for "{name}"; {near}')


def _tables(value: Toml, path: KeyPath) -> Iterator[tuple[KeyPath, Toml]]:
    """Yields a table and all tables in it, those in lists too."""
    if isinstance(value, dict):
        yield path, value
    parts: Toml = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _tables(part, (*path, key))
