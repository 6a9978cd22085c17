"""The verbs around the daemon: run, check, schema."""

from typing import Annotated, Any

import typer

from worker import daemon as daemon_room
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath
from worker.cli.output import Column, JsonFlag, clock, listing, out, print_json
from worker.config.jsonschema import json_schema
from worker.config.load import Configuration, load
from worker.engine.schedule import occurrences
from worker.model.moments import utc_now
from worker.wiring.secrets import fetch


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(epilog="Example: [bold]worker run --config /etc/worker/config.toml[/bold]")(run)
    app.command(epilog="Example: [bold]worker check && systemctl restart integration-worker[/bold]")(check)
    app.command(epilog="Example: [bold]worker schema > config.schema.json[/bold]")(schema)


def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon until TERM or INT; a second signal ends it at once."""
    daemon_room.run(config)


def check(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    secrets: Annotated[bool, typer.Option(help="Also fetch every secret.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Check the configuration: structure, references, schedules, secrets. Exits 78 where something is wrong."""
    configuration = load(config)
    if secrets:
        fetch(configuration)
    if as_json:
        print_json({"files": configuration.files, "jobs": _jobs(configuration), "accounts": _accounts(configuration)})
        return
    _summarise(configuration, secrets=secrets)


def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print_json(json_schema())


def _jobs(configuration: Configuration) -> list[dict[str, Any]]:
    now, rows = utc_now(), []
    for name, job in sorted(configuration.jobs.items()):
        due = occurrences(job.policy.schedule, job.policy.timezone or configuration.worker.timezone, name)
        rows.append(
            {
                "job": name,
                "type": job.type,
                "schedule": describe_schedule(configuration, name) if job.policy.enabled else "disabled",
                "next": due.next_after(now) if due and job.policy.enabled else None,
                "accounts": ", ".join(sorted(job.accounts)),
            }
        )
    return rows


def describe_schedule(configuration: Configuration, name: str) -> str:
    """Returns a job's schedule in a few words."""
    policy = configuration.jobs[name].policy
    due = occurrences(policy.schedule, policy.timezone or configuration.worker.timezone, name)
    if due is not None:
        return due.describe()
    parents = getattr(policy.schedule, "after", ())
    return f"after {', '.join(parents)}" if parents else "by hand"


def _accounts(configuration: Configuration) -> list[dict[str, Any]]:
    return [
        {"account": name, "profile": options.profile, "grant": options.grant, "base_url": options.base_url}
        for name, options in sorted(configuration.accounts.items())
    ]


def _summarise(configuration: Configuration, *, secrets: bool) -> None:
    files = ", ".join(str(file) for file in configuration.files)
    out.print(f"[green]ok[/green]  {files}")
    out.print(f"    database {configuration.database.url}", soft_wrap=True)
    out.print(f"    secrets  {'all found' if secrets else 'not looked for'}\n")
    accounts = [
        Column("account"),
        Column("profile"),
        Column("grant"),
        Column("base_url", "base URL", grow=True),
    ]
    listing(_accounts(configuration), accounts, as_json=False, empty="No account is configured.")
    out.print()
    jobs = [
        Column("job"),
        Column("type"),
        Column("schedule", grow=True),
        Column("next", show=clock),
        Column("accounts", grow=True),
    ]
    listing(_jobs(configuration), jobs, as_json=False, empty="No job is configured; add one to jobs.d/.")
