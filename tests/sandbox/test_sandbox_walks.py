"""Keysets, spans of time, parents and children, a single object."""

import itertools

import pytest

from tests.sandbox.calling import Caller


def test_a_keyset_walk_by_id_and_by_time(caller: Caller) -> None:
    """Each item once, ties of the stamp included."""
    after, found = "", []
    while True:
        body = caller.generic("/keyset", after_id=after, limit=7).json()
        found += body["items"]
        if not body["has_more"]:
            break
        after = str(found[-1]["id"])
    assert found == caller.sandbox.rows("items")
    caller.sandbox.touch("items", 20, "2026-03-01T00:00:00.000000Z")
    since, after, timed = "2000-01-01", "", []
    while body := caller.generic("/keyset", since=since, after_id=after, limit=7).json()["items"]:
        timed += body
        since, after = body[-1]["updated_at"], str(body[-1]["id"])
    rows = caller.sandbox.rows("items")
    assert timed == sorted(rows, key=lambda row: (str(row["updated_at"]), str(row["id"])))


def test_slices_are_half_open(caller: Caller) -> None:
    """Spans side by side give each item once; too long a span is refused where the traps say so."""
    days = [f"2025-{month:02d}-01" for month in range(1, 13)] + ["2026-01-01"]
    found = []
    for first, last in itertools.pairwise(days):
        page, pages = 1, 1
        while page <= pages:
            body = caller.generic("/slices", "GET", None, **{"from": first, "to": last, "per_page": 3, "page": page})
            pages = body.json()["pages"]
            found += body.json()["items"]
            page += 1
    assert sorted(row["id"] for row in found) == [row["id"] for row in caller.sandbox.rows("items")]
    caller.sandbox.trap(slice_days=31)
    span: dict[str, str | int] = {"from": "2025-01-01", "to": "2025-02-01"}
    assert caller.generic("/slices", "GET", None, **span).status_code == 200
    assert caller.generic("/slices", "GET", None, **span | {"to": "2025-02-02"}).json()["error"] == "span_too_long"
    assert caller.generic("/slices", "GET", None, **{"from": "2025-01-01"}).status_code == 400


def test_children_of_all_parents_are_all_lines(caller: Caller) -> None:
    """Some orders have no lines, some several pages; each line comes once; an unknown order is 404."""
    orders = caller.generic("/orders", limit=1000).json()["items"]
    assert all("lines" not in order for order in orders)
    found, counts = [], set()
    for order in orders:
        page, pages = 1, 1
        while page <= pages:
            body = caller.generic(f"/orders/{order['id']}/lines", per_page=1, page=page).json()
            assert all(line["order_id"] == order["id"] for line in body["items"])
            found += body["items"]
            pages = body["pages"]
            page += 1
        counts.add(body["total"])
    assert sorted(found, key=lambda line: str(line["id"])) == caller.sandbox.rows("order_lines")
    assert {0, 1, 2} <= counts
    assert caller.generic("/orders/none/lines").status_code == 404
    key = str(caller.sandbox.rows("order_lines")[0]["id"])
    caller.sandbox.delete("order_lines", key)
    assert len(caller.generic(f"/orders/{key[:11]}/lines").json()["items"]) == sum(
        line["order_id"] == key[:11] for line in caller.sandbox.rows("order_lines")
    )


def test_a_single_object(caller: Caller) -> None:
    """No list anywhere."""
    assert caller.generic("/settings").json() == {"name": "sandbox", "seed": 1, "currency": "EUR", "items": 60}


@pytest.mark.parametrize("door", ["/generic/v1", "/basic", "/key"])
def test_the_same_rooms_behind_other_doors(caller: Caller, door: str) -> None:
    """Each door has them all, and lets no stranger in."""
    url = f"{caller.sandbox.url}{door}/keyset"
    assert caller.session.get(url, timeout=10).status_code == 401
    who = caller.who
    known = {"/generic/v1": caller.now_headers(), "/key": {"x-api-key": who.api_key}, "/basic": {}}[door]
    auth = (who.basic_username, who.basic_password) if door == "/basic" else None
    assert len(caller.session.get(url, headers=known, auth=auth, timeout=10).json()["items"]) == 60
