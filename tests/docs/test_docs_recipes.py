"""Each recipe as it stands in the page, run by the real daemon against the sandbox, its result compared."""

import re
import sqlite3
import tomllib
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from jobs.contract import Json
from tests.conftest import Server
from tests.docs.pages import blocks, page, written
from tests.process.house import Daemon, House, wait_for
from worker.cli.orders import post
from worker.model.records import Run, RunState
from worker.store import runs

pytestmark = pytest.mark.process

PAGE = "docs/recipes.md"
RECIPES = dict(zip(re.findall(r"^## (.*)$", page(PAGE), re.MULTILINE), blocks(PAGE, "toml"), strict=True))
WHOLE = "docs/sync.md"
VISIBLE = "_deleted_at IS NULL"


def cooked(house: House, title: str, **databases: str) -> Daemon:
    """Writes the recipe as the house's configuration, its accounts at the sandbox; returns the daemon that runs it.

    The title WHOLE is the whole example of sync jobs. The clock starts no job: the test does.
    """
    recipe = tomllib.loads(blocks(WHOLE, "toml")[0] if title == WHOLE else RECIPES[title])
    for name, account in recipe["accounts"].items():
        account.update(_at_the_sandbox(house)[name])
    for job in recipe["jobs"].values():
        if "after" not in job["schedule"]:
            job["schedule"] = "manual"
    for name, url in databases.items():
        recipe["databases"][name] = {"url": url}
    house.config.write_text(_lines(recipe))
    return house.start()


def _at_the_sandbox(house: House) -> dict[str, dict[str, str]]:
    sandbox, who = house.sandbox, house.sandbox.options.credentials
    return {
        "tangoe": {
            "base_url": sandbox.tangoe_url,
            "token_url": f"{sandbox.url}/as/token.oauth2",
            "tenant": who.tangoe_tenant,
            "client_id": who.tangoe_client_id,
            "username": who.tangoe_username,
        },
        "servicenow": {"base_url": sandbox.servicenow_url, "client_id": who.servicenow_client_id},
        "erp": {"base_url": f"{sandbox.url}/key"},
    }


def _lines(document: Mapping[str, Any]) -> str:
    text = '[vault]\nkeys = { file = "worker.keys" }\n'
    for kind in document.keys() - {"vault"}:
        for name, part in document[kind].items():
            text += f"\n[{kind}.{name}]\n" + "".join(f"{key} = {written(value)}\n" for key, value in part.items())
    return text


def triggered(house: House, job: str, **params: Json) -> Run:
    """Runs a job now, and returns the run once it has succeeded."""
    return ended(house, job, f"manual:{post(house.database, 'trigger', job, params)}")


def ended(house: House, job: str, cause: str) -> Run:
    """Returns the run of this cause once it has succeeded."""

    def is_over() -> Run | None:
        with house.database.read() as connection:
            run = runs.by_cause(connection, job, cause)
        return run if run and run.state.ended else None

    run = wait_for(is_over, f"the end of {job}")
    assert run is not None
    assert run.state is RunState.SUCCEEDED, run.error or run.reason
    return run


def found(house: House, query: str) -> list[tuple[Any, ...]]:
    """Returns the rows of a query on the worker's database."""
    with house.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_every_recipe_has_its_test() -> None:
    """None is left to the reader to try first."""
    assert set(RECIPES) == {
        "Tangoe devices to a ServiceNow import set",
        "A CMDB in PostgreSQL, deletions included",
        "Rows of a database to any API",
        "Years of history",
        "Orders and their lines",
    }


def test_devices_arrive_in_an_import_set(kitchen: House) -> None:
    """Each once; what is refused is a reject, what changed is sent again, and nothing else is."""
    refused = kitchen.sandbox.ids("devices")[7]
    kitchen.sandbox.update("devices", refused, {"model": "!error"})
    daemon = cooked(kitchen, "Tangoe devices to a ServiceNow import set")
    _passed_on(kitchen)

    there = {str(row["u_serial"]): row for row in kitchen.sandbox.rows("u_tangoe_devices") if row.get("u_serial")}
    wanted = {str(row["serialNumber"]): row for row in kitchen.sandbox.rows("devices") if str(row["id"]) != refused}
    assert set(there) == set(wanted)
    assert all(there[serial]["u_model"] == wanted[serial]["model"] for serial in wanted)
    assert found(kitchen, "SELECT count(*) FROM rejects WHERE job = 'devices-to-servicenow'") == [(1,)]

    kitchen.sandbox.update("devices", refused, {"model": "mended"})
    kitchen.sandbox.touch("devices", 3)
    _passed_on(kitchen)
    assert len([row for row in kitchen.sandbox.rows("u_tangoe_devices") if row.get("u_serial")]) == 120
    posts = [call for call in kitchen.calls() if call.method == "POST" and "/import/" in call.url]
    assert len(posts) == 120 + 1
    daemon.stop()


def _passed_on(kitchen: House) -> None:
    """Reads the devices, and waits for the run after that one."""
    read = triggered(kitchen, "tangoe-devices")
    ended(kitchen, "devices-to-servicenow", f"after:{read.id}")


@pytest.mark.postgres
def test_a_cmdb_follows_its_deletions(kitchen: House, postgres_server: Server) -> None:
    """Those that the audit tells of at the next run, the others once everything is read; what is there stays there."""
    url = sa.make_url(postgres_server.database_url())._replace(password=None).render_as_string()
    daemon = cooked(kitchen, "A CMDB in PostgreSQL, deletions included", cmdb=url)
    triggered(kitchen, "cmdb")
    first, second, *_ = kitchen.sandbox.ids("cmdb_ci")
    kitchen.sandbox.delete("cmdb_ci", first)
    triggered(kitchen, "cmdb")
    assert _configuration_items(url) == set(kitchen.sandbox.ids("cmdb_ci"))

    kitchen.sandbox.trap(audit_deletes=False)
    kitchen.sandbox.delete("cmdb_ci", second)
    triggered(kitchen, "cmdb")
    assert _configuration_items(url) - set(kitchen.sandbox.ids("cmdb_ci")) == {second}
    triggered(kitchen, "cmdb", full=True)
    assert _configuration_items(url) == set(kitchen.sandbox.ids("cmdb_ci"))
    daemon.stop()


def _configuration_items(url: str) -> set[str]:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return set(connection.execute(sa.text(f"SELECT sys_id FROM cmdb_ci WHERE {VISIBLE}")).scalars())


def test_stock_arrives_at_an_api(kitchen: House) -> None:
    """Each product once, with the last number of pieces, also where an answer was lost on its way."""
    with closing(sqlite3.connect(kitchen.folder / "shop.db")) as shop:
        shop.executescript(
            """
            CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT, state TEXT);
            CREATE TABLE stock (sku TEXT, pieces INTEGER, changed TEXT);
            INSERT INTO products VALUES ('A', 'Anvil', 'listed'), ('B', 'Bolt', 'listed'), ('C', 'Clip', 'hidden');
            INSERT INTO stock VALUES ('A', 1, '2026-01-01 08:00:00'), ('A', 2, '2026-01-02 08:00:00'),
                ('B', 5, '2026-01-01 09:00:00'), ('C', 9, '2026-01-01 10:00:00');
            """
        )
        daemon = cooked(kitchen, "Rows of a database to any API")
        triggered(kitchen, "stock-to-erp")
        assert _stock(kitchen) == {"A": 3, "B": 5}
        shop.execute("INSERT INTO stock VALUES ('B', 2, '2026-02-01 08:00:00')")
        shop.commit()
        triggered(kitchen, "stock-to-erp")
        assert _stock(kitchen) == {"A": 3, "B": 7}
    daemon.stop()


def _stock(kitchen: House) -> dict[str, int]:
    rows = [row for row in kitchen.sandbox.rows("items") if "external_id" in row]
    assert len(rows) == len({row["external_id"] for row in rows})
    return {str(row["external_id"]): int(str(row["quantity"])) for row in rows}


def test_years_of_history_arrive(kitchen: House) -> None:
    """All of it, slice by slice, and what changes afterwards."""
    daemon = cooked(kitchen, "Years of history")
    triggered(kitchen, "history")
    assert _history(kitchen) == _items(kitchen)

    kitchen.sandbox.churn(5, "items")

    def has_followed() -> bool:  # a slice ends with the last whole second: a change of this one waits for the next run
        triggered(kitchen, "history")
        return _history(kitchen) == _items(kitchen)

    wait_for(has_followed, "the changes")
    daemon.stop()


def _history(kitchen: House) -> set[tuple[str, int]]:
    return {(str(key), int(revision)) for key, revision in found(kitchen, "SELECT id, revision FROM history")}


def _items(kitchen: House) -> set[tuple[str, int]]:
    return {(str(row["id"]), int(str(row["revision"]))) for row in kitchen.sandbox.rows("items")}


def test_lines_arrive_with_their_orders(kitchen: House) -> None:
    """Those of every order, and none that is gone."""
    daemon = cooked(kitchen, "Orders and their lines")
    triggered(kitchen, "order-lines")
    kitchen.sandbox.delete("order_lines", kitchen.sandbox.ids("order_lines")[0])
    triggered(kitchen, "order-lines")

    there = {(row["order_id"], row["line"]) for row in kitchen.sandbox.rows("order_lines")}
    assert set(found(kitchen, f"SELECT order_id, line FROM order_lines WHERE {VISIBLE}")) == there
    daemon.stop()


def test_the_whole_example_of_sync_jobs_arrives(kitchen: House) -> None:
    """Each item with its columns, and what changed afterwards."""
    daemon = cooked(kitchen, WHOLE)
    triggered(kitchen, "items")
    assert _warehouse(kitchen) == _named(kitchen)

    kitchen.sandbox.update("items", kitchen.sandbox.ids("items")[0], {"name": "renamed"})
    triggered(kitchen, "items")
    assert _warehouse(kitchen) == _named(kitchen)
    daemon.stop()


def _warehouse(kitchen: House) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(kitchen.folder / "warehouse.db")) as warehouse:
        return {tuple(map(str, row)) for row in warehouse.execute("SELECT id, name, owner, price FROM items")}


def _named(kitchen: House) -> set[tuple[str, ...]]:
    rows = kitchen.sandbox.rows("items")
    return {(str(row["id"]), str(row["name"]), str(row["owner"]["name"]), str(row["price"])) for row in rows}  # type: ignore[index]  # an object
