"""The verbs before the first run: check, schema."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.cli.ending import EXIT_CONFIGURATION
from worker.cli.jobs import describe_schedule, next_tick
from worker.cli.linting import find_odd
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath
from worker.cli.output import JsonFlag, ago, fail, many, out, print_json, print_plain_json, warn
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.config.jsonschema import json_schema
from worker.config.load import Configuration, load
from worker.model.errors import ConfigurationError
from worker.model.moments import utc_now
from worker.wiring.databases import try_databases
from worker.wiring.secrets import fetch, references

app = room()


@app.command(epilog="Example: `worker check && systemctl restart integration-worker`")
def check(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    secrets: Annotated[bool, typer.Option(metavar="", help="Also fetch every secret and read the key ring.")] = True,
    connect: Annotated[bool, typer.Option("--connect", help="Also open every database, with its secret.")] = False,
    strict: Annotated[bool, typer.Option("--strict", metavar="", help="Let a warning be an error.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check the configuration: structure, references, schedules, secrets. Exits 78 where something is wrong.

    Each problem is one line `file:line: key: message` on stderr; nothing is sent, and no database is opened but with
    --connect, which makes a SQLite file that is not there. Schedules that are odd though valid (never due, twice or not
    at all on a night when clocks change, too many at once) get such lines, too, marked as warnings (docs/schedules.md).
    The JSON has `ok`, `problems` (file, line, key, message) and, where it is ok, `warnings` (these, and job, kind, at),
    `files`, `accounts`, `jobs`.
    """
    try:
        configuration = _checked(config, secrets=secrets or connect, connect=connect)
    except ConfigurationError as error:
        if as_json:
            print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        raise
    odd = find_odd(configuration, utc_now())
    if as_json:
        parts = {"files": configuration.files, "accounts": _accounts(configuration), "jobs": _jobs(configuration)}
        warnings = [one.row for one in odd]
        print_json({"ok": not (strict and odd), "problems": [], "warnings": warnings, **parts})
    else:
        _summarise(configuration, secrets=secrets)
    for one in odd:
        warn(str(one))
    if strict and odd:
        fail(f"{many(len(odd), 'warning')} in the configuration, and --strict takes a warning for an error")
        raise typer.Exit(EXIT_CONFIGURATION)


def _checked(config: Path, *, secrets: bool, connect: bool) -> Configuration:
    """Returns the configuration once all that was asked for is there; raises ConfigurationError."""
    configuration = load(config)
    found = fetch(configuration) if secrets else None
    if connect and found is not None:
        try_databases(configuration, found)
    return configuration


@app.command(epilog="Example: `worker schema > config.schema.json`")
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print_plain_json(json_schema())


def _jobs(configuration: Configuration) -> list[dict[str, Any]]:
    return [
        {
            "job": name,
            "type": job.type,
            "schedule": describe_schedule(configuration, name) if job.policy.enabled else "disabled",
            "next": next_tick(configuration, name) if job.policy.enabled else None,
            "accounts": ", ".join(sorted(job.accounts)),
        }
        for name, job in sorted(configuration.jobs.items())
    ]


def _accounts(configuration: Configuration) -> list[dict[str, Any]]:
    return [
        {"account": name, "profile": options.profile, "grant": options.grant, "base_url": options.base_url}
        for name, options in sorted(configuration.accounts.items())
    ]


_ACCOUNT_COLUMNS = [
    Column("account"),
    Column("profile", rank=2),
    Column("grant", rank=1),
    Column("base_url", "base URL", long=True),
]
_JOB_COLUMNS = [
    Column("job"),
    Column("type", rank=3),
    Column("accounts", rank=2),
    Column("next", "next tick", ago, rank=1),
    Column("schedule", long=True),
]


def _summarise(configuration: Configuration, *, secrets: bool) -> None:
    count = sum(1 for _ in references(configuration)) + 1  # and the key ring
    facts = {
        "database": configuration.database.url,
        "secrets": f"all {count} found, the key ring among them" if secrets else "not looked for (--no-secrets)",
        "files": ", ".join(map(str, configuration.files)),
    }
    parts = f"{many(len(configuration.accounts), 'account')}, {many(len(configuration.jobs), 'job')}"
    out.print(Text("ok", style="bold green") + Text(f"  the configuration is good: {parts}"), soft_wrap=True)
    for key, value in facts.items():
        out.print(Text(f"    {key:<9} {value}"), soft_wrap=True)
    out.print()
    listing(_accounts(configuration), _ACCOUNT_COLUMNS, as_json=False, empty="No account is configured.")
    out.print()
    listing(_jobs(configuration), _JOB_COLUMNS, as_json=False, empty="No job is configured; add one to jobs.d/.")
