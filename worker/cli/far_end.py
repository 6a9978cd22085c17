"""The verb that starts the sandbox."""

import os
from typing import Annotated

import typer

from jobs.contract import WorkerError
from worker.cli.output import JsonFlag, out, print_plain_json


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: [bold]worker sandbox --rows 1000 --churn 5 --token-lifetime 60 --port 8700[/bold]")(
        sandbox
    )


def sandbox(
    rows: Annotated[int, typer.Option(min=0, help="Rows of each main resource.")] = 200,
    churn: Annotated[float, typer.Option(min=0, help="Changed rows per second.")] = 0.0,
    token_lifetime: Annotated[float, typer.Option(min=0, help="Seconds an access token lives.")] = 3600.0,
    seed: Annotated[int, typer.Option(help="Other data for another seed.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 0,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Serve a Tangoe-style and a ServiceNow-style API on loopback, to try a configuration against."""
    try:
        from worker.sandbox.options import SandboxOptions  # noqa: PLC0415  an extra: not everybody has it
        from worker.sandbox.server import Sandbox, serve  # noqa: PLC0415  the same
    except ModuleNotFoundError as error:
        raise WorkerError(f"the sandbox needs {error.name}; run: pip install 'integration-worker[sandbox]'") from None

    def announce(running: Sandbox) -> None:
        told = _told(running.url, options)
        if as_json:
            print_plain_json({**told, "pid": os.getpid()})
        else:
            _print(told)

    options = SandboxOptions(rows=rows, churn=churn, token_lifetime_s=token_lifetime, seed=seed, port=port)
    serve(options, announce)


def _told(url: str, options: object) -> dict[str, str]:
    credentials = options.credentials  # type: ignore[attr-defined]  # the type is an extra's
    return {
        "url": url,
        "tangoe base_url": f"{url}/mobproc/v1",
        "tangoe token_url": f"{url}/as/token.oauth2",
        "tangoe tenant": credentials.tangoe_tenant,
        "tangoe client_id": credentials.tangoe_client_id,
        "tangoe client_secret": credentials.tangoe_client_secret,
        "tangoe username": credentials.tangoe_username,
        "tangoe password": credentials.tangoe_password,
        "servicenow base_url": url,
        "servicenow client_id": credentials.servicenow_client_id,
        "servicenow client_secret": credentials.servicenow_client_secret,
        "call log": f"{url}/_sandbox/calls",
        "faults": f"{url}/_sandbox/faults",
    }


def _print(told: dict[str, str]) -> None:
    out.print("[green]the sandbox serves[/green]; its credentials belong to no real account, Ctrl-C ends it\n")
    for key, value in told.items():
        out.print(f"  [bold]{key:<24}[/bold] ", end="")
        out.print(value, markup=False, soft_wrap=True)
