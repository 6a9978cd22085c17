"""Writing to the generic API: single items, batches with errors in them, idempotency keys, lookups."""

import pytest
import requests

from tests.sandbox.calling import Caller
from worker.sandbox.faults import Fault


def post(caller: Caller, body: object, key: str = "", path: str = "/items") -> requests.Response:
    """Posts with an Idempotency-Key unless it is empty."""
    headers = {"Idempotency-Key": key} if key else {}
    auth = (caller.who.basic_username, caller.who.basic_password)
    url = f"{caller.sandbox.url}/basic{path}"
    return caller.session.post(url, json=body, headers=headers, auth=auth, timeout=10)


def test_an_item_is_made_changed_replaced_and_deleted(caller: Caller) -> None:
    """201 with the item and its place, PATCH merges, PUT replaces, DELETE 204, then 404."""
    made = post(caller, {"name": "new", "external_id": "X1", "id": 5})
    item = made.json()["data"]
    assert made.status_code == 201
    assert made.headers["Location"] == f"/basic/items/{item['id']}"
    assert (item["name"], item["external_id"]) == ("new", "X1")
    assert item["id"] != 5
    one = f"/items/{item['id']}"
    changed = caller.generic(one, "PATCH", {"name": "other"}).json()["data"]
    assert (changed["name"], changed["external_id"], changed["revision"]) == ("other", "X1", 1)
    assert set(caller.generic(one, "PUT", {"name": "bare"}).json()["data"]) == {"id", "name", "revision", "updated_at"}
    assert caller.generic(one, "DELETE").status_code == 204
    assert [caller.generic(one, verb, {}).status_code for verb in ("GET", "PUT", "PATCH", "DELETE")] == [404] * 4


def test_without_a_key_each_post_makes_one_and_with_it_only_the_first(caller: Caller) -> None:
    """The stored answer comes again; another request with the key is 422; the traps can turn the keys off."""
    assert len({post(caller, {"name": "twice"}).json()["data"]["id"] for _ in range(2)}) == 2
    first, second = post(caller, {"name": "once"}, "k1"), post(caller, {"name": "once"}, "k1")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert caller.sandbox.counts()["items"] == 63
    assert post(caller, {"name": "other"}, "k1").status_code == 422
    caller.sandbox.trap(forget_keys=True)
    assert post(caller, {"name": "once"}, "k1").json() != first.json()


def test_a_lost_answer_can_be_asked_for_again(caller: Caller) -> None:
    """The item is made, the answer never comes; with the key, and by lookup, the caller finds out."""
    caller.sandbox.fault(Fault("lost_answer", path="/basic/items"))
    with pytest.raises(requests.ConnectionError):
        post(caller, {"external_id": "X1"}, "k1")
    (item,) = caller.generic("/items/lookup", external_id="X1").json()["data"]["items"]
    assert post(caller, {"external_id": "X1"}, "k1").json()["data"] == item
    assert caller.generic("/items/lookup", external_id="X2").json()["data"]["items"] == []
    assert caller.generic("/items/lookup").status_code == 400


def test_a_batch_has_a_result_for_each_item(caller: Caller) -> None:
    """Some are errors and the status is 200 all the same; with a key nothing is made twice."""
    body = {"items": [{"name": "a"}, {"name": "!error"}, {"id": 1_000_000, "name": "b"}, {"id": 7}, 5]}
    answer = post(caller, body, "k1", "/items/batch")
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["status"] for one in results] == ["created", "error", "updated", "error", "error"]
    assert [one["index"] for one in results] == [0, 1, 2, 3, 4]
    assert post(caller, body, "k1", "/items/batch").json()["results"] == results
    assert caller.sandbox.counts()["items"] == 61
    assert caller.sandbox.rows("items")[0]["name"] == "b"
    assert post(caller, {"items": 1}, "", "/items/batch").status_code == 400


def test_a_bad_item_is_refused(caller: Caller) -> None:
    """422 for the poisoned one, 400 for what is no object; nothing is made."""
    assert post(caller, {"name": "!error"}).status_code == 422
    assert post(caller, [1]).status_code == 400
    assert caller.sandbox.counts()["items"] == 60
