"""The verbs of the key ring: init."""

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath
from worker.cli.output import out
from worker.config.load import load
from worker.model.errors import KeyRingError
from worker.vault.keyring import create

app = typer.Typer(help="The key ring: the keys that seal stored tokens.", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    pass


@app.command(epilog="Example: [bold]worker keys init --file /etc/worker/worker.keys[/bold]")
def init(
    file: Annotated[
        Path | None, typer.Option(help="Where to write it; default: the file the configuration names.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Write a new key ring, readable by its owner only; never overwrites one."""
    path = file or load(config).vault.keys.file
    if path is None:
        raise KeyRingError("[vault] keys names no file; say where the key ring is to be written with --file")
    out.print(f"wrote {path} with the key {create(path)}; keep a copy where the database's backups are not")
