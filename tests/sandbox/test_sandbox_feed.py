"""The feed: opaque page tokens, then a sync token by which only changes come."""

from typing import Any

import pytest

from tests.sandbox.calling import Caller

Row = dict[str, Any]


def walk(caller: Caller, sync: str = "", *, post: bool = False, size: int = 7) -> tuple[list[Row], str]:
    """Walks to the sync token and returns the items with it."""
    found, given = [], {"sync_token": sync} if sync else {}
    while True:
        asked: dict[str, Any] = {"page_size": size, **given}
        answer = caller.generic("/feed/query", "POST", asked) if post else caller.generic("/feed", **asked)
        assert answer.status_code == 200
        body = answer.json()
        found += body["items"]
        if "next_sync_token" in body:
            assert "next_page_token" not in body
            return found, body["next_sync_token"]
        given = {"page_token": body["next_page_token"]}


@pytest.mark.parametrize("post", [False, True])
def test_a_walk_then_only_changes(caller: Caller, post: bool) -> None:
    """All items once; later only new, changed and deleted ones; and nothing when nothing happened."""
    found, sync = walk(caller, post=post)
    assert found == caller.sandbox.rows("items")
    assert walk(caller, sync, post=post)[0] == []
    caller.sandbox.update("items", "1000003", {"name": "another"})
    caller.sandbox.delete("items", "1000005")
    new = int(caller.sandbox.insert("items", {"name": "new"}))
    changed, again = walk(caller, sync, post=post, size=1)
    assert [(row["id"], row.get("name"), row.get("deleted")) for row in changed] == [
        (1_000_003, "another", None),
        (1_000_005, None, True),
        (new, "new", None),
    ]
    assert walk(caller, again)[0] == []


def test_what_changes_during_a_walk_comes_after_it(caller: Caller) -> None:
    """A row changed behind the walk is told of by the sync token: it counts from the start of the walk."""
    caller.sandbox.after(3, "/basic/feed", lambda _: caller.sandbox.update("items", "1000000", {"name": "late"}))
    found, sync = walk(caller)
    assert found[0]["name"] == "item 0"
    assert [row["name"] for row in walk(caller, sync)[0]] == ["late"]


def test_what_changes_ahead_of_a_walk_comes_twice(caller: Caller) -> None:
    """In the walk, since a page shows rows as they are, and after it, since they changed after it began."""
    caller.sandbox.after(3, "/basic/feed", lambda _: caller.sandbox.update("items", "1000049", {"name": "early"}))
    found, sync = walk(caller)
    assert found[49]["name"] == "early"
    assert walk(caller, sync)[0] == [found[49]]


def test_tokens_run_out(caller: Caller) -> None:
    """410 for an old sync token; page tokens live on unless the traps are strict; a new walk works."""
    _, sync = walk(caller)
    page = caller.generic("/feed", page_size=5).json()["next_page_token"]
    caller.sandbox.expire_sync_tokens()
    gone = caller.generic("/feed", sync_token=sync)
    assert (gone.status_code, gone.json()["error"]) == (410, "token_expired")
    assert caller.generic("/feed", page_token=page).status_code == 200
    caller.sandbox.trap(feed_strict=True)
    assert caller.generic("/feed", page_token=page).status_code == 410
    assert walk(caller, walk(caller)[1])[0] == []


def test_pages_are_as_large_as_the_server_likes(caller: Caller) -> None:
    """A cap on the page is not told, only seen."""
    caller.sandbox.trap(feed_page=3)
    assert len(caller.generic("/feed", page_size=50).json()["items"]) == 3


@pytest.mark.parametrize("params", [{"page_token": "abc"}, {"sync_token": "/w=="}, {"page_size": 0}])
def test_a_made_up_token_is_refused(caller: Caller, params: dict[str, str | int]) -> None:
    """400 naming the parameter; a page token is no sync token."""
    answer = caller.generic("/feed", "GET", None, **params)
    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["message"]
    page = caller.generic("/feed", page_size=5).json()["next_page_token"]
    assert caller.generic("/feed", sync_token=page).status_code == 400
