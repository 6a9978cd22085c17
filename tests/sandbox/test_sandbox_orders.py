"""Orders at the Tangoe-style API, and the traps of its pages (apis.md 1.4 and 1.5)."""

import requests

from tests.sandbox.calling import Caller

ORDER = {"employee": {"id": "EMP00000001"}, "lines": [{"sku": "A", "quantity": 1}], "externalOrderNumber": "E1"}


def order(caller: Caller, body: object, **params: str) -> requests.Response:
    """Posts an order."""
    url = f"{caller.sandbox.tangoe_url}/orders"
    return caller.session.post(url, params=params, json=body, headers=caller.tangoe_headers(), timeout=10)


def test_confirm_only_tries(caller: Caller) -> None:
    """True: a dry run, nothing made; without it the order is real."""
    tried = order(caller, ORDER, confirm="true").json()
    assert (tried["status"], tried["id"]) == ("SUCCESS", None)
    assert order(caller, ORDER | {"confirm": True}).json()["id"] is None
    assert caller.sandbox.counts()["orders"] == 60
    made = order(caller, ORDER).json()
    found = caller.tangoe(f"/orders/{made['id']}").json()
    assert (found["externalOrderNumber"], found["lines"], found["status"]) == ("E1", ORDER["lines"], "SUBMITTED")


def test_the_external_number_protects_from_nothing(caller: Caller) -> None:
    """The same order twice makes two."""
    assert order(caller, ORDER).json()["id"] != order(caller, ORDER).json()["id"]
    assert sum(row["externalOrderNumber"] == "E1" for row in caller.sandbox.rows("orders")) == 2


def test_an_error_comes_with_status_200(caller: Caller) -> None:
    """The body's status tells; what is no JSON object is 400."""
    for wrong in (ORDER | {"type": "!error"}, {"externalOrderNumber": "E1"}):
        answer = order(caller, wrong)
        assert (answer.status_code, answer.json()["status"]) == (200, "ERROR")
        assert answer.json()["errors"]
    assert order(caller, [1]).status_code == 400
    url = f"{caller.sandbox.tangoe_url}/orders"
    assert caller.session.post(url, data="{", headers=caller.tangoe_headers(), timeout=10).status_code == 400
    assert caller.sandbox.counts()["orders"] == 60


def test_pages_link_to_foreign_hosts_and_may_be_204(caller: Caller) -> None:
    """Every link of `_meta` names the host told; a page without rows has no body."""
    caller.sandbox.trap(link_host="https://tgno-mobility.example", no_content=True)
    meta = caller.tangoe("/orders", limit=20, offset=20).json()["_meta"]
    links = [value for name, value in meta.items() if name.startswith("href")]
    assert len(links) == 5
    assert all(link.startswith("https://tgno-mobility.example/mobproc/v1/orders?") for link in links)
    empty = caller.tangoe("/orders", dateTimeUpdated="2099-01-01T00:00:00Z")
    assert (empty.status_code, empty.content) == (204, b"")


def test_heavy_pages_are_too_much_here_too(caller: Caller) -> None:
    """Half of the list and an error after it, links and all."""
    caller.sandbox.trap(heavy_rows=10, heavy="partial")
    answer = caller.tangoe("/orders", limit=20).json()
    assert (len(answer["orders"]), answer["status"]) == (10, "failure")
    assert len(caller.tangoe("/orders", limit=10).json()["orders"]) == 10
