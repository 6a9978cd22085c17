"""The Tangoe-style API: required headers, error body, pages, links and filters."""

import pytest

from tests.sandbox.calling import Caller, Make
from worker.sandbox.options import SandboxOptions

PATHS = {
    "devices": "/assets/devices",
    "services": "/assets/services",
    "orders": "/orders",
    "employees": "/employees",
}


@pytest.mark.parametrize("missing", ["Authorization", "X-TNGO-TENANT", "client_id"])
def test_a_missing_header_is_named(caller: Caller, missing: str) -> None:
    """400 in the vendor's error body; a blank value counts as not sent."""
    headers = caller.tangoe_headers()
    blank = headers | {missing: ""}
    del headers[missing]
    for wrong in (headers, blank):
        answer = caller.tangoe("/ping", wrong)
        assert answer.status_code == 400
        assert set(answer.json()) == {"status", "id", "errorCode", "message"}
        assert missing in answer.json()["message"]


@pytest.mark.parametrize("header", ["X-TNGO-TENANT", "client_id"])
def test_a_wrong_tenant_or_client_is_forbidden(caller: Caller, header: str) -> None:
    """403, told apart by errorCode."""
    answer = caller.tangoe("/ping", caller.tangoe_headers() | {header: "OTHER"})
    assert answer.status_code == 403
    assert answer.json()["errorCode"] in ("INVALID_TENANT", "INVALID_CLIENT")


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_token_is_rejected_with_the_status_of_the_options(make: Make, status: int) -> None:
    """The vendor documents no 401, so 403 is the default and 401 can be asked for."""
    caller = make(SandboxOptions(rows=1, tangoe_rejects_with=status))
    token = caller.tangoe_token().json()["access_token"]
    assert caller.tangoe("/ping", caller.tangoe_headers(token)).status_code == 200
    caller.sandbox.revoke_access_tokens()
    answer = caller.tangoe("/ping", caller.tangoe_headers(token))
    assert (answer.status_code, answer.json()["errorCode"]) == (status, "INVALID_TOKEN")
    assert caller.sandbox.calls()[-1].error == "access token is expired or revoked"
    assert caller.tangoe("/ping", caller.tangoe_headers("made-up")).status_code == status


def test_ping_and_me(caller: Caller) -> None:
    """/ping echoes; /me tells caller and actor, and the Tangoe id wins over the company's."""
    assert caller.tangoe("/ping", echoText="hällo").json()["echoText"] == "hällo"
    plain = caller.tangoe("/me").json()
    assert plain["authenticatedUser"]["username"] == caller.who.tangoe_username
    assert plain["actor"] == plain["authenticatedUser"]
    context = {"X-TNGO-CONTEXT-COMPANYEMPLOYEEID": "jane@example.com"}
    assert caller.tangoe("/me", caller.tangoe_headers() | context).json()["actor"] == {
        "companyEmployeeId": "jane@example.com"
    }
    context["X-TNGO-CONTEXT-EMPLOYEEID"] = "EMP00000003"
    assert caller.tangoe("/me", caller.tangoe_headers() | context).json()["actor"]["email"] == "person3@example.com"
    assert caller.sandbox.calls()[-1].headers["X-TNGO-CONTEXT-EMPLOYEEID"] == "EMP00000003"


@pytest.mark.parametrize("resource", PATHS)
def test_a_walk_by_links_finds_every_row_once(caller: Caller, resource: str) -> None:
    """Following hrefNext until it is missing gives exactly the rows of the sandbox, in order of id."""
    headers = caller.tangoe_headers()
    url = f"{caller.sandbox.tangoe_url}{PATHS[resource]}?limit=7"
    found = []
    while url:
        page = caller.session.get(url, headers=headers, timeout=10).json()
        found += page[resource]
        url = page["_meta"].get("hrefNext", "")
    assert found == caller.sandbox.rows(resource)
    assert len(found) == page["_meta"]["totalCount"] == 60
    assert all(len(row) >= 12 for row in found)


def test_offset_snaps_down_to_its_page(caller: Caller) -> None:
    """An offset inside a page returns the page that holds it, and _meta says so."""
    answer = caller.tangoe("/orders", limit=10, offset=27).json()
    assert answer["_meta"]["offset"] == 20
    assert answer["orders"] == caller.sandbox.rows("orders")[20:30]


def test_links_stand_only_where_they_lead_elsewhere(caller: Caller) -> None:
    """First, middle, last and beyond: each link is present exactly when it differs from the page."""
    names = {"hrefStart", "hrefPrevious", "hrefNext", "hrefEnd"}
    wanted = {0: {"hrefNext", "hrefEnd"}, 20: names, 40: {"hrefStart", "hrefPrevious"}}
    for offset, links in wanted.items():
        meta = caller.tangoe("/orders", limit=20, offset=offset).json()["_meta"]
        assert names & set(meta) == links
        assert meta["href"].endswith(f"limit=20&offset={offset}")
    assert names & set(caller.tangoe("/orders", limit=1000).json()["_meta"]) == set()


def test_the_default_page_has_25_rows(caller: Caller) -> None:
    """Without limit a page has 25 rows."""
    answer = caller.tangoe("/employees").json()
    assert (len(answer["employees"]), answer["_meta"]["limit"]) == (25, 25)


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"offset": -1}, {"dateTimeUpdated": "yesterday"}],
)
def test_a_wrong_parameter_is_named(caller: Caller, params: dict[str, str | int]) -> None:
    """400 with the parameter, what was expected and what was found."""
    answer = caller.tangoe("/assets/devices", None, **params)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_PARAMETER")
    (name, value), *_ = params.items()
    assert name in answer.json()["message"]
    assert str(value) in answer.json()["message"]


@pytest.mark.parametrize("resource", PATHS)
def test_the_filter_is_on_or_after_and_sorts_by_change(caller: Caller, resource: str) -> None:
    """The row whose stamp is asked for is included; rows come by stamp, then id."""
    rows = sorted(caller.sandbox.rows(resource), key=lambda row: (row["updated"], row["id"]))
    since = str(rows[30]["updated"])
    wanted = [row for row in rows if str(row["updated"]) >= since]
    name = "dateTimeUpdatedOnOrAfter" if resource == "employees" else "dateTimeUpdated"
    filtered: dict[str, str | int] = {name: since}
    page = caller.tangoe(PATHS[resource], None, **filtered, limit=1000).json()
    assert page[resource] == wanted
    assert page["_meta"]["totalCount"] == len(wanted)
    short = caller.tangoe(PATHS[resource], None, **filtered, limit=5).json()
    assert short["_meta"]["hrefNext"].count(name) == 1


def test_the_filter_reads_offsets_and_fractions(caller: Caller) -> None:
    """A time in another zone is the same instant; a fraction beyond a whole-second stamp leaves it out."""
    rows = sorted(caller.sandbox.rows("orders"), key=lambda row: str(row["updated"]))
    stamp = str(rows[30]["updated"])
    later = [row for row in rows if str(row["updated"]) > stamp]
    fraction = stamp.replace("Z", ".000001+00:00")
    assert caller.tangoe("/orders", dateTimeUpdated=fraction).json()["_meta"]["totalCount"] == len(later)
    day, clock = stamp[:11], stamp[11:19]
    shifted = f"{day}{clock}+05:30"
    count = caller.tangoe("/orders", dateTimeUpdated=shifted).json()["_meta"]["totalCount"]
    assert count > len(later)


def test_one_record_and_none(caller: Caller) -> None:
    """/{id} returns the row; an unknown id is 404 in the vendor's error body."""
    row = caller.sandbox.rows("devices")[4]
    assert caller.tangoe(f"/assets/devices/{row['id']}").json() == row
    missing = caller.tangoe("/assets/devices/DEV99999999")
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "NOT_FOUND")
    assert caller.tangoe("/assets/nothing").json()["errorCode"] == "NOT_FOUND"


def test_links_keep_the_host_that_was_called(caller: Caller) -> None:
    """Links lead back to the host as the caller spelled it."""
    headers = caller.tangoe_headers() | {"Host": "localhost:1234"}
    assert caller.tangoe("/orders", headers).json()["_meta"]["hrefNext"].startswith("http://localhost:1234/")
