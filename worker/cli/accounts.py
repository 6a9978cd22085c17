"""The verbs of accounts: list, show; and those that change something, from the modules beside."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.auth.windows import health_of
from worker.cli.account_care import reset, validate
from worker.cli.account_login import login, logout
from worker.cli.jobs import held_back
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.output import JsonFlag, ago, clock, harmless, out, print_json
from worker.cli.rooms import room
from worker.cli.tables import STYLES, Column, listing
from worker.model.account import AccountOptions
from worker.model.moments import utc_now
from worker.model.records import Health, TokenRow
from worker.store import accounts, tokens
from worker.store.accounts import AccountState

app = room("Accounts: who the jobs run as, and whether their credentials work.")

_COLUMNS = [
    Column("account"),
    Column("health"),
    Column("generation", "token", lambda generation: f"gen. {generation}" if generation else "none", rank=1),
    Column("refreshed_at", "refreshed", ago, rank=4),
    Column("expires_at", "lapses", ago, rank=2),
    Column("refresh_expires_at", "login lapses", ago, rank=3),
    Column("next_attempt_at", "next try", ago, rank=5),
    Column("profile", rank=7),
    Column("grant", rank=6),
    Column("note", "what to know", long=True),
    Column("held", "held back", long=True, style="yellow"),
]


@app.callback()
def _account() -> None:
    pass


app.command(epilog="Examples: `worker account login crm`, `pass crm/token | worker account login crm --token-stdin`")(
    login
)
app.command(epilog="Example: `worker account logout crm`")(logout)
app.command(epilog="Example: `worker account validate tangoe`")(validate)
app.command(epilog="Example: `worker account reset tangoe`")(reset)


@app.command("list", epilog="Example: `worker account list --json`")
def list_accounts(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """List accounts: health, token generation, when the token lapses, what to do where something is wrong.

    The JSON has account, profile, grant, base_url, health, generation, expires_at, refresh_expires_at, refreshed_at,
    failures, next_attempt_at, note, paused_by, paused_at, paused_why and held (who paused it, when and why).
    """
    with opened(config) as (configuration, database), database.read() as connection:
        rows = {row.account: row for row in tokens.listing(connection)}
        states = {state.name: state for state in accounts.listing(connection)}
    listed = [
        _row(configuration.accounts[name], rows.get(name, TokenRow(name))) | _paused(states.get(name))
        for name in sorted(configuration.accounts)
    ]
    listing(listed, _COLUMNS, as_json=as_json, empty="No account is configured.")


def _paused(state: AccountState | None) -> dict[str, Any]:
    by, at, why = (state.paused_by, state.paused_at, state.paused_why) if state else (None, None, None)
    return {"paused_by": by, "paused_at": at, "paused_why": why, "held": held_back(by, at, why)}


def _row(options: AccountOptions, token: TokenRow) -> dict[str, Any]:
    return {
        "account": token.account,
        "profile": options.profile,
        "grant": options.grant,
        "base_url": options.base_url,
        "health": health_of(token, utc_now()),
        "generation": token.generation,
        "expires_at": token.expires_at,
        "refresh_expires_at": token.refresh_expires_at,
        "refreshed_at": token.refreshed_at,
        "failures": token.failures,
        "next_attempt_at": token.next_attempt_at,
        "note": _note(options, token),
    }


def _note(options: AccountOptions, token: TokenRow) -> str | None:
    if token.health is Health.UNKNOWN:
        return "it has no token: each call carries its secret" if options.is_static else "no token was asked for yet"
    return token.reason or token.last_error


@app.command(epilog="Example: `worker account show tangoe --json`")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show one account whole: health with its reason and what to do, token, times, last error, endpoints.

    The JSON has what `worker account list --json` has, and reason, remedy, issued_at, refresh_at, expires_in_s,
    last_error, in_doubt, key_id, scope, issuer and endpoints. Nothing is sent.
    """
    with opened(config) as (configuration, database):
        options = configuration.accounts[known(name, configuration.accounts, "account")]
        with database.read() as connection:
            token = tokens.load(connection, name)
    facts = _facts(options, token, utc_now())
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _facts(options: AccountOptions, token: TokenRow, now: datetime) -> dict[str, Any]:
    left_s = (token.expires_at - now).total_seconds() if token.expires_at else None
    return _row(options, token) | {
        "reason": token.reason,
        "remedy": _remedy(options, token),
        "issued_at": token.issued_at,
        "refresh_at": token.refresh_at,
        "expires_in_s": None if left_s is None else round(left_s, 1),
        "last_error": token.last_error,
        "in_doubt": token.attempt_id is not None and token.lease_until is None,
        "key_id": token.key_id,
        "scope": options.scope,
        "issuer": options.issuer,
        "endpoints": _endpoints(options),
    }


def _endpoints(options: AccountOptions) -> dict[str, str]:
    """Returns the endpoints by name; those that the account leaves to its issuer say so."""
    named = {
        "token": options.token_url,
        "authorize": options.authorize_url,
        "device": options.device_url,
        "introspect": options.introspect_url,
        "revoke": options.revoke_url,
        "validate": options.validation.url if options.validation else "",
    }
    left = "as its issuer publishes" if options.issuer else ""
    found = {key: options.filled(url) or (left if key != "validate" else "") for key, url in named.items()}
    return {key: url for key, url in found.items() if url}


def _remedy(options: AccountOptions, token: TokenRow) -> str:
    """Returns what a person can do about the account's health."""
    name = token.account
    login = f"worker account login {name}" + (" --token-stdin" if options.grant == "token" else "")
    nothing = "nothing: it gets a token at its next use"
    remedies = {
        Health.UNKNOWN: f"log in: {login}" if options.needs_person else nothing,
        Health.FRESH: "nothing",
        Health.STALE: "nothing: it is renewed at its next use",
        Health.DEGRADED: f"nothing: it is tried again by itself; at once by: worker account reset {name}",
        Health.BLOCKED: "mend what the reason says, then worker reload; only where the server was wrong: "
        f"worker account reset {name}, which sends the same secret once more",
        Health.NEEDS_LOGIN: f"log in: {login}",
        Health.UNDECRYPTABLE: "put the key that is missing back into the key ring; where it is lost: "
        f"worker account logout {name} --force",
    }
    return remedies[token.health]


def _print(facts: dict[str, Any]) -> None:
    health = Text(facts["health"], STYLES.get(facts["health"], ""))
    out.print(Text(f"account {facts['account']}  ", style="bold") + health, soft_wrap=True)
    for label, text in _lines(facts):
        out.print(Text(f"    {label:<15} ") + Text(harmless(text)), soft_wrap=True)


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    when = {
        "token lapses": facts["expires_at"],
        "renewed from": facts["refresh_at"],
        "login lapses": facts["refresh_expires_at"],
        "last refresh": facts["refreshed_at"],
        "next try": facts["next_attempt_at"],
    }
    texts = {
        "reason": facts["reason"],
        "what to do": facts["remedy"],
        "token": f"generation {facts['generation']}" if facts["generation"] else "none yet",
        **{label: f"{ago(moment)}, {clock(moment)}" for label, moment in when.items() if moment},
        "failures": str(facts["failures"] or ""),
        "last error": facts["last_error"],
        "in doubt": "the answer to the last token request was lost" if facts["in_doubt"] else "",
        "grant": facts["grant"],
        "scope": facts["scope"],
        "base URL": facts["base_url"],
        "issuer": facts["issuer"],
        **{f"{name} endpoint"[:15]: url for name, url in facts["endpoints"].items()},
    }
    return [(label, text) for label, text in texts.items() if text]
