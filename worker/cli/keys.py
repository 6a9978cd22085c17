"""The verbs of the key ring: init, status, rotate, retire."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from worker.auth.rotation import Resealed
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import JsonFlag, ago, many, out, print_json, warn
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.config.load import load
from worker.model.errors import KeyRingError
from worker.vault.keyring import create
from worker.wiring import keys

app = room("The key ring: the keys that seal stored tokens.")

_COLUMNS = [
    Column("key_id", "key"),
    Column("state"),
    Column("in_ring", "in the ring", lambda there: "yes" if there else "no", rank=1),
    Column("sealed", "seals", lambda count: many(count, "token")),
    Column("first_seen", "first seen", ago, rank=3),
    Column("last_seen", "last seen", ago, rank=2),
    Column("unopened", "do not open", ", ".join, long=True, style="red"),
]


@app.callback()
def _keys() -> None:
    pass


@app.command(epilog="Example: `worker keys init --file /etc/worker/worker.keys`")
def init(
    file: Annotated[
        Path | None, typer.Option(help="Where to write it; default: the file the configuration names.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write a new key ring, readable by its owner only; never overwrites one."""
    path = file or load(config).vault.keys.file
    if path is None:
        raise KeyRingError("[vault] keys names no file; say where the key ring is to be written with --file")
    key_id = create(path)
    if as_json:
        print_json({"file": path, "key_id": key_id})
        return
    out.print(f"wrote {path} with the key {key_id}", soft_wrap=True)
    out.print("keep a copy where the database's backups are not: without it no stored token can be opened")


@app.command(epilog="Example: `worker keys status --json`")
def status(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Show each key: whether it is in the ring, how many stored tokens it seals, whose do not open.

    A key is active (it seals), old (it still opens), retired, missing (from the ring) or wrong (not the key that this
    database knows under that id). The JSON has key_id, state, in_ring, first_seen, last_seen, sealed and unopened.
    """
    with opened(config) as (configuration, database):
        uses = keys.rotation_of(configuration, database).uses()
    listing([asdict(use) for use in uses], _COLUMNS, as_json=as_json, empty="No key was ever used here.")


@app.command(epilog="Examples: `worker keys rotate`, `worker keys rotate --out new.keys`")
def rotate(
    aside: Annotated[
        Path | None,
        typer.Option("--out", help="Only write the ring with its new key to this new file, to be put in place by you."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Add a new key to the ring and seal every stored token with it, while the daemon works.

    May be interrupted at any moment and run again: it then finishes what was begun, and adds no further key. The old
    keys stay until `worker keys retire`. The JSON has key_id, added, moved (how many tokens) and unopened.
    """
    if aside is not None:
        _write_aside(config, aside, as_json=as_json)
        return
    with opened(config) as (configuration, database):
        added = keys.begin(configuration, database)
        done = keys.rotation_of(configuration, database).reseal()
    if as_json:
        print_json({"added": added, **asdict(done)})
    else:
        _tell(done, added=added)


def _write_aside(config: Path, aside: Path, *, as_json: bool) -> None:
    configuration = load(config)
    key_id = keys.draft(configuration, aside)
    if as_json:
        print_json({"key_id": key_id, "file": aside})
        return
    out.print(f"wrote {aside}: the key ring with the new key {key_id} on top; nothing else was changed", soft_wrap=True)
    out.print(
        f"put its text where the {configuration.vault.keys.describe()} comes from, on every node, delete {aside}, "
        "then run `worker keys rotate`",
        soft_wrap=True,
    )


def _tell(done: Resealed, *, added: bool) -> None:
    what = "added the key" if added else "finished the rotation that was begun, to the key"
    out.print(f"{what} {done.key_id}; {many(done.moved, 'stored token')} sealed anew with it", soft_wrap=True)
    for account, why in done.unopened.items():
        warn(f"account {account} was left as it is: {why}")
    out.print("keep a copy of the key ring where the database's backups are not")


@app.command(epilog="Example: `worker keys retire k20260101-9f00`")
def retire(
    key_id: Annotated[str, typer.Argument(help="As `worker keys status` lists it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Take a key out of the ring that no stored token needs any more; refused, exit 1, while one does.

    Backups of the database that are older than the rotation open with that key only: keep its line with them.
    """
    with opened(config) as (configuration, database):
        keys.retire(configuration, database, key_id)
    if as_json:
        print_json({"key_id": key_id, "state": "retired"})
    else:
        out.print(f"retired the key {key_id}; older backups of the database open with it only", soft_wrap=True)
