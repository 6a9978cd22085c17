"""The paging of Tangoe's APIs and what else apis.md 1.4 and 1.5 warn of, over HTTP, as the profile reads it."""

import pytest

from jobs.contract import FailedAnswer, WorkerError
from tests.traps.plant import Plant
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox

_DEVICES = """
[jobs.{job}]
type = "sync"
schedule = "manual"
source = {{ account = "tangoe", resource = "devices", paging = {{ size = {size} }} }}
destination = {{ table = "{job}" }}
"""
_ITEMS = """
[jobs.{job}]
type = "sync"
schedule = "manual"
prefetch = {prefetch}
destination = {{ table = "{job}", key = "id" }}

[jobs.{job}.source]
account = "items"
path = "{path}"
records = "data.items"
params = {{ style = "{style}" }}
paging = {paging}
"""


def _devices(plant: Plant, job: str, size: int = 15) -> WorkerError | Exception | None:
    return plant.run(job, _DEVICES.format(job=job, size=size)).error


def _items(
    plant: Plant, job: str, style: str, paging: str, path: str = "/items", prefetch: int = 0
) -> Exception | None:
    text = _ITEMS.format(job=job, style=style, paging=paging, path=path, prefetch=prefetch)
    return plant.run(job, text).error


@pytest.mark.parametrize("size", [7, 15, 40])
def test_1_4_1_offsets_snap_to_their_page(plant: Plant, sandbox: Sandbox, size: int) -> None:
    """The offset stays a multiple of one size, so that no row repeats; each request comes once."""
    job = f"t1_{size}"
    sandbox.forget_calls()
    assert _devices(plant, job, size) is None
    assert plant.ids(job, "id") == sorted(sandbox.ids("devices"))
    assert len(sandbox.calls("/mobproc/v1/assets/devices")) == -(-len(sandbox.ids("devices")) // size)


def test_1_4_1_a_snapping_server_that_nobody_told_of(plant: Plant, sandbox: Sandbox) -> None:
    """Pages shrink after trouble: an offset between two pages is never asked for, whatever comes."""
    sandbox.fault(Fault("status", path="/mobproc/v1/assets/devices", status=500, after=1, times=2))
    assert _devices(plant, "t2", 16) is None
    assert plant.ids("t2", "id") == sorted(sandbox.ids("devices"))


def test_1_4_2_links_to_other_hosts_get_no_token(plant: Plant, sandbox: Sandbox) -> None:
    """`_meta` names a host of another spelling: the devices' walk does not follow it at all."""
    sandbox.trap(link_host="https://tngo--mobproc.example")
    assert _devices(plant, "t3") is None
    assert plant.ids("t3", "id") == sorted(sandbox.ids("devices"))


@pytest.mark.parametrize(("own_host", "is_read"), [(False, False), (True, True)])
def test_1_4_2_a_link_is_followed_at_home_or_not_at_all(
    plant: Plant, sandbox: Sandbox, own_host: bool, is_read: bool
) -> None:
    """A walk along links refuses one to a host that the account does not allow, unless its path alone is to count."""
    job = f"t4_{own_host}".lower()
    sandbox.trap(link_host="https://tngo--mobproc.example")
    paging = f'{{ kind = "next_url", next = "next", own_host = {str(own_host).lower()} }}'
    error = _items(plant, job, 'next_url", per_page = "15', paging)
    assert (error is None) == is_read, error
    if is_read:
        assert plant.ids(job, "id") == sorted(sandbox.ids("items"))
    else:
        assert "tngo--mobproc.example" in str(error)


def test_1_4_3_a_missing_next_link_is_the_end(plant: Plant, sandbox: Sandbox) -> None:
    """`hrefNext` is there where another page is, and nowhere else."""
    job = "t5"
    text = f"""
[jobs.{job}]
type = "sync"
schedule = "manual"
destination = {{ table = "{job}", key = "id" }}

[jobs.{job}.source]
account = "tangoe"
path = "/assets/devices"
records = "devices"
params = {{ limit = "12" }}
paging = {{ kind = "next_url", next = "_meta.hrefNext" }}
"""
    assert plant.run(job, text).error is None
    assert plant.ids(job, "id") == sorted(sandbox.ids("devices"))


def test_1_4_4_an_error_is_told_with_its_id(plant: Plant, sandbox: Sandbox) -> None:
    """The id names one occurrence at the far end."""
    body = {"status": 400, "id": "occurrence-7", "errorCode": "INVALID_PARAMETER", "message": "no such filter"}
    sandbox.fault(Fault("status", path="/mobproc/v1/assets/devices", status=400, body=body))
    error = plant.run("t6", _DEVICES.format(job="t6", size=15)).error
    assert isinstance(error, FailedAnswer)
    assert "occurrence-7" in str(error)
    assert "no such filter" in str(error)


_ORDERS = """
[jobs.{job}]
type = "sync"
schedule = "manual"
max_rejects = 10
source = {{ query = "select 'e1' as number, 'jane' as employee union all select 'e2', '' order by 1" }}

[jobs.{job}.destination]
account = "tangoe"
path = "/orders"
key = "number"
body = {{ externalOrderNumber = "{{number}}", employee = "{{employee}}", lines = [1] }}
failed = "status == 'ERROR' || null"
error = "errors[0].message"
id = "id"
"""


def test_1_4_5_an_order_that_was_refused_with_200(plant: Plant, sandbox: Sandbox) -> None:
    """`status: ERROR` beside 200 is a reject in the far end's words."""
    before = len(sandbox.ids("orders"))
    done = plant.run("t7", _ORDERS.format(job="t7"))
    assert (done.error, done.counts.written, len(sandbox.ids("orders"))) == (None, 1, before + 1)
    assert [reason for reason in done.rejects if "employee is missing" in reason] == done.rejects
    assert len(done.rejects) == 1


def test_1_4_5_an_order_is_never_sent_blindly_again(plant: Plant, sandbox: Sandbox) -> None:
    """ExternalOrderNumber protects from nothing: one whose answer was lost is held, told, and there once."""
    before = len(sandbox.ids("orders"))
    sandbox.fault(Fault("lost_answer", path="/mobproc/v1/orders", method="POST"))
    done = plant.run("t8", _ORDERS.format(job="t8"))
    assert len(sandbox.ids("orders")) == before + 1
    assert any("in doubt" in reason for reason in done.rejects)
    plant.run("t8", _ORDERS.format(job="t8"))
    assert len(sandbox.ids("orders")) == before + 1


def test_1_5_1_pages_by_number(plant: Plant, sandbox: Sandbox) -> None:
    """`page` and `per_page`, as many pages as there are."""
    assert _items(plant, "t9", "page", '{ kind = "page", size = 9 }', prefetch=3) is None
    assert plant.ids("t9", "id") == sorted(sandbox.ids("items"))


def test_1_5_1_a_page_size_of_the_servers_own(plant: Plant, sandbox: Sandbox) -> None:
    """It gives fewer than asked for: a short page is not the end."""
    sandbox.trap(cap=6)
    assert _items(plant, "t10", "offset", '{ kind = "offset", size = 20 }') is None
    assert plant.ids("t10", "id") == sorted(sandbox.ids("items"))


def test_1_5_2_a_hundred_a_minute(plant: Plant, sandbox: Sandbox) -> None:
    """Then 429: the account's own limit keeps below it, else the answer is minded."""
    sandbox.fault(Fault("status", path="/basic/items", status=429, retry_after=1))
    assert _items(plant, "t11", "page", '{ kind = "page", size = 25 }') is None
    assert plant.ids("t11", "id") == sorted(sandbox.ids("items"))


def test_1_5_3_filters_that_know_whole_days(plant: Plant, sandbox: Sandbox) -> None:
    """The cursor is sent as a date; the day is read again, and nothing of it is missing or doubled."""
    text = _ITEMS.format(job="t12", style="page", paging='{ kind = "page", size = 25 }', path="/items", prefetch=0)
    text += 'cursor = { field = "updated_at", param = "updated_since", param_format = "%Y-%m-%d" }\n'
    assert plant.run("t12", text).error is None
    sandbox.churn(4, "items")
    sandbox.forget_calls()
    assert plant.run("t12", text).error is None
    (asked, *_) = [str(call.query) for call in sandbox.calls("/basic/items")]
    assert "T" not in asked.partition("updated_since")[2][:16]
    assert plant.ids("t12", "id") == sorted(sandbox.ids("items"))
    have = {str(row["id"]): row["updated_at"] for row in plant.rows("t12")}
    assert len(set(have.values())) > 1
    assert have == {str(row["id"]): row["updated_at"] for row in sandbox.rows("items")}


def test_1_5_4_204_where_nothing_matches(plant: Plant, sandbox: Sandbox) -> None:
    """No body is no record, and no error."""
    sandbox.trap(no_content=True)
    text = _ITEMS.format(job="t13", style="page", paging='{ kind = "page", size = 25 }', path="/items", prefetch=0)
    text = text.replace('style = "page"', 'style = "page", updated_since = "2100-01-01T00:00:00Z"')
    done = plant.run("t13", text)
    assert (done.error, done.counts.read) == (None, 0)
