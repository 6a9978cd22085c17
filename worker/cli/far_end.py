"""The verb that starts the sandbox."""

import os
from typing import Annotated

import typer

from jobs.contract import WorkerError
from worker.cli.output import JsonFlag, out, print_plain_json
from worker.cli.rooms import room
from worker.sandbox.options import SandboxOptions

app = room()


@app.command(epilog="Example: `worker sandbox --rows 1000 --churn 5 --token-lifetime 60 --port 8700`")
def sandbox(
    rows: Annotated[int, typer.Option(min=0, metavar="N", help="Rows of each main resource.")] = 200,
    churn: Annotated[float, typer.Option(min=0, metavar="N", help="Changed rows per second.")] = 0.0,
    token_lifetime: Annotated[float, typer.Option(min=0, metavar="S", help="Seconds an access token lives.")] = 3600.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Other data for another seed.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: a free one.")] = 0,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Serve a Tangoe-style and a ServiceNow-style API on loopback, to try a configuration against.

    It tells where it listens and which credentials it knows, then serves until Ctrl-C or TERM.
    """
    try:
        from worker.sandbox.server import Sandbox, serve  # noqa: PLC0415  an extra: not everybody has it
    except ModuleNotFoundError as error:
        raise WorkerError(f"the sandbox needs {error.name}; run: pip install 'integration-worker[sandbox]'") from None

    def announce(running: Sandbox) -> None:
        told = _told(running.url, options)
        if as_json:
            print_plain_json({**told, "pid": os.getpid()})
        else:
            _print(told)

    options = SandboxOptions(rows=rows, churn=churn, token_lifetime_s=token_lifetime, seed=seed, port=port)
    try:
        serve(options, announce)
    except OSError as error:
        raise WorkerError(f"port {port} cannot be had ({error.strerror}); name another one with --port") from None


def _told(url: str, options: SandboxOptions) -> dict[str, str]:
    credentials = options.credentials
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
        "erp base_url": f"{url}/key",
        "erp api_key": credentials.api_key,
        "call log": f"{url}/_sandbox/calls",
        "faults": f"{url}/_sandbox/faults",
        "traps": f"{url}/_sandbox/traps",
    }


def _print(told: dict[str, str]) -> None:
    out.print("[green]the sandbox serves[/green]; its credentials belong to no real account, Ctrl-C ends it\n")
    for key, value in told.items():
        out.print(f"  [bold]{key:<24}[/bold] ", end="")
        out.print(value, markup=False, soft_wrap=True)
