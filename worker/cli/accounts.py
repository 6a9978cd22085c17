"""The verbs of accounts: list."""

from typing import Any

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import JsonFlag, ago, room
from worker.cli.tables import Column, listing
from worker.config.load import Configuration
from worker.model.records import Health, TokenRow
from worker.store import tokens

app = room("Accounts: who the jobs run as, and whether their credentials work.")

_COLUMNS = [
    Column("account"),
    Column("health"),
    Column("generation", "token", lambda generation: f"gen. {generation}" if generation else "none", rank=1),
    Column("refreshed_at", "refreshed", ago, rank=3),
    Column("expires_at", "lapses", ago, rank=2),
    Column("next_attempt_at", "next try", ago, rank=4),
    Column("profile", rank=6),
    Column("grant", rank=5),
    Column("note", "what to know", long=True),
]


@app.callback()
def _account() -> None:
    pass


@app.command("list", epilog="Example: `worker account list --json`")
def list_accounts(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """List accounts: health, token generation, when the token lapses, what to do where something is wrong.

    The JSON has account, profile, grant, base_url, health, generation, expires_at, refreshed_at, failures,
    next_attempt_at and note.
    """
    with opened(config) as (configuration, database), database.read() as connection:
        known = {row.account: row for row in tokens.listing(connection)}
    rows = [_row(configuration, name, known.get(name, TokenRow(name))) for name in sorted(configuration.accounts)]
    listing(rows, _COLUMNS, as_json=as_json, empty="No account is configured.")


def _row(configuration: Configuration, name: str, token: TokenRow) -> dict[str, Any]:
    options = configuration.accounts[name]
    return {
        "account": name,
        "profile": options.profile,
        "grant": options.grant,
        "base_url": options.base_url,
        "health": token.health,
        "generation": token.generation,
        "expires_at": token.expires_at,
        "refreshed_at": token.refreshed_at,
        "failures": token.failures,
        "next_attempt_at": token.next_attempt_at,
        "note": _note(token),
    }


def _note(token: TokenRow) -> str | None:
    if token.health is Health.UNKNOWN:
        return "no token was asked for yet"
    return token.reason or token.last_error
