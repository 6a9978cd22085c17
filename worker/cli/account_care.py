"""The verbs that ask whether an account's token is good, and that let a blocked account be tried again."""

from dataclasses import asdict

from rich.text import Text

from jobs.contract import WorkerError
from worker.cli.account_login import AccountName
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened, operator
from worker.cli.output import JsonFlag, ago, out, print_json
from worker.model.moments import new_id, utc_now
from worker.model.records import Command, Health
from worker.store import accounts, commands
from worker.wiring.alone import alone


def validate(name: AccountName, config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Ask the server whether the stored token is good; exit 1 unless it says so.

    As the account's `validate` says: introspection (RFC 7662), Ping's grant, or a GET. The token is not renewed. The
    JSON has account, generation, good (true, false, or null where nobody could tell), why, expires_at, scope, call_id.
    """
    with opened(config) as (configuration, database):
        known(name, configuration.accounts, "account")
        with alone(configuration, database, name) as one:
            token = one.stored()
            if token is None:
                raise WorkerError(f"account {name} has no token yet; `worker account login {name}` gets one")
            opinion = one.keeper.validator.check(token)
    if as_json:
        print_json({"account": name, "generation": token.generation, **asdict(opinion)})
    elif opinion.good:
        until = f"; it lapses {ago(opinion.expires_at)}" if opinion.expires_at else ""
        out.print(Text("good", style="green") + Text(f"  {opinion.why}{until}"), soft_wrap=True)
    if not opinion.good:
        word = "good or not, nobody could tell" if opinion.good is None else "no longer good"
        raise WorkerError(f"the token of account {name} is {word}: {opinion.why}")


def reset(name: AccountName, config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Clear an account's block and backoff: its next use tries it again, also in a running daemon.

    The record of it stays in the table `commands`. The JSON has account, before (the health there was) and health.
    """
    with opened(config) as (configuration, database):
        known(name, configuration.accounts, "account")
        now = utc_now()
        with database.write() as connection:
            before = accounts.reset(connection, name, now)
            commands.post(
                connection, Command(new_id(), now, operator(), "reset", name, ended_at=now, outcome=f"was {before}")
            )
            state = accounts.get(connection, name)
    health = state.health if state else Health.UNKNOWN
    if before is Health.UNDECRYPTABLE:
        raise WorkerError(f"account {name} stays {before}: {state.reason if state else ''}")
    if as_json:
        print_json({"account": name, "before": before, "health": health})
    else:
        out.print(f"account {name} was {before}; its next use tries it again", soft_wrap=True)
