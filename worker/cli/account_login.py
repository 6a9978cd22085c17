"""The verbs by which a person logs an account in or out."""

import getpass
import os
import sys
import webbrowser
from typing import Annotated

import typer
from rich.text import Text

from worker.auth.handing import from_text
from worker.auth.invitation import Invitation
from worker.auth.keeper import Token
from worker.auth.login import log_in
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened, operator
from worker.cli.output import JsonFlag, ago, err, out, print_json
from worker.model.moments import new_id, utc_now
from worker.model.records import Command
from worker.store import commands, tokens
from worker.store.database import Database
from worker.wiring.alone import Alone, alone

AccountName = Annotated[str, typer.Argument(metavar="NAME", help="The account.")]
_MOST_TEXT = 1_000_000  # characters from standard input
_PATIENCE_S = 300.0


def login(
    name: AccountName,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token, or a token endpoint's JSON, from standard input.")
    ] = False,
    browser: Annotated[
        bool, typer.Option(help="Open the page, where there is a desktop; it is printed anyway.")
    ] = True,
    wait: Annotated[
        float, typer.Option(min=1.0, metavar="SECONDS", help="How long to wait for the browser.")
    ] = _PATIENCE_S,
    as_json: JsonFlag = False,
) -> None:
    """Log an account in; a running daemon takes the token up by itself.

    By its grant: authorization_code and implicit open a page that comes back to this machine, device_code shows a code
    to be typed elsewhere, token reads --token-stdin. An account that can log in by itself does so now. The JSON has
    account, generation and expires_at.
    """
    with opened(config) as (configuration, database):
        options = configuration.accounts[known(name, configuration.accounts, "account")]
        if token_stdin and not options.needs_person:
            raise typer.BadParameter(f"the grant {options.grant} logs in by itself; leave --token-stdin out")
        with alone(configuration, database, name) as one:
            desk = one.desk(lambda invitation: _invite(invitation, browser=browser), wait)
            if token_stdin:
                token = one.keeper.adopt(from_text(desk, _typed()))
            elif options.needs_person:
                token = one.keeper.adopt(log_in(desk))
            else:
                token = one.keeper.token(rejected=_generation(one))
        _record(database, "login", name, f"generation {token.generation}")
    _say_in(name, token, as_json=as_json)


def _generation(one: Alone) -> int:
    with one.ground.database.read() as connection:
        return tokens.load(connection, one.account.name).generation


def _typed() -> str:
    """Returns what is piped in, or typed where there is a terminal: then nothing is shown."""
    return getpass.getpass("token: ") if sys.stdin.isatty() else sys.stdin.read(_MOST_TEXT)


def _invite(invitation: Invitation, *, browser: bool) -> None:
    """Says what to open and type, on standard error, so that standard output holds the outcome alone."""
    page = invitation.url_with_code or invitation.url
    if invitation.code:
        err.print(Text(f"open   {invitation.url}\nenter  {invitation.code}"), soft_wrap=True)
    else:
        err.print(Text(f"open   {page}"), soft_wrap=True)
    if invitation.advice:
        err.print(Text(invitation.advice, style="yellow"), soft_wrap=True)
    err.print(Text(f"waiting for {invitation.within_s / 60:.0f} minutes at most", style="dim"), soft_wrap=True)
    if browser and _has_desktop():
        webbrowser.open(page)


def _has_desktop() -> bool:
    """Tells whether a page can be opened beside the terminal, rather than in it."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _record(database: Database, verb: str, name: str, outcome: str) -> None:
    now = utc_now()
    command = Command(new_id(), now, operator(), verb, name, ended_at=now, outcome=outcome)
    with database.write() as connection:
        commands.post(connection, command)


def _say_in(name: str, token: Token, *, as_json: bool) -> None:
    if as_json:
        print_json({"account": name, "generation": token.generation, "expires_at": token.expires_at})
        return
    until = f", which lapses {ago(token.expires_at)}" if token.expires_at else ""
    out.print(f"account {name} is logged in: token generation {token.generation}{until}", soft_wrap=True)


def logout(
    name: AccountName,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Delete the token here even where its server cannot be told.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """End an account's tokens at their server (RFC 7009), then delete them here; exit 1 where that cannot be.

    Afterwards the account needs a login; one that can log in by itself does so at its next use. The JSON has account
    and outcome.
    """
    with opened(config) as (configuration, database):
        known(name, configuration.accounts, "account")
        with alone(configuration, database, name) as one:
            told = one.logout().run(operator(), forced=force)
        _record(database, "logout", name, told)
    if as_json:
        print_json({"account": name, "outcome": told})
    else:
        out.print(Text(f"account {name} is logged out: {told}"), soft_wrap=True)
