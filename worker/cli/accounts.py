"""The verbs of accounts: list."""

from typing import Any

import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import Column, JsonFlag, ago, listing
from worker.config.load import Configuration
from worker.model.records import Health, TokenRow
from worker.store import tokens

app = typer.Typer(help="Accounts: who the jobs run as, and whether their credentials work.", no_args_is_help=True)


@app.callback()
def _account() -> None:
    pass


@app.command("list", epilog="Example: [bold]worker account list --json[/bold]")
def list_accounts(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """List accounts: health, token generation, when the token lapses, the last error."""
    with opened(config) as (configuration, database), database.read() as connection:
        known = {row.account: row for row in tokens.listing(connection)}
    rows = [_row(configuration, name, known.get(name, TokenRow(name))) for name in sorted(configuration.accounts)]
    columns = [
        Column("account"),
        Column("profile"),
        Column("grant"),
        Column("health"),
        Column("generation", right=True),
        Column("expires_at", "token lapses", ago),
        Column("refreshed_at", "refreshed", ago),
        Column("note", "what to know", grow=True),
    ]
    listing(rows, columns, as_json=as_json, empty="No account is configured.")


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
