"""The generic API: every paging style finds every item once."""

from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.calling import Caller


def _pages(caller: Caller, style: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """Yields pages of seven as a client of this style would walk them."""
    url = f"{caller.sandbox.url}/generic/v1/items"
    names = {"page": "page", "offset": "offset", "token": "cursor"}
    params: dict[str, str | int] = {"style": style, "limit" if style == "offset" else "per_page": 7}
    while url:
        answer = caller.session.get(url, params=params, headers=headers, timeout=10)
        yield answer
        body = answer.json()
        more: dict[str, str | int] = {}
        if style == "page" and body["page"] < body["pages"]:
            more = {names[style]: body["page"] + 1}
        elif style == "offset" and body["offset"] + body["limit"] < body["total"]:
            more = {names[style]: body["offset"] + body["limit"]}
        elif style == "token" and body["next_token"]:
            more = {names[style]: body["next_token"]}
        elif style in ("link", "next_url"):
            url = body.get("next") or answer.links.get("next", {}).get("url", "")
            params = {}
            continue
        url = url if more else ""
        params |= more


@pytest.mark.parametrize("style", ["page", "offset", "link", "next_url", "token", "none"])
def test_a_walk_finds_every_item_once(caller: Caller, style: str) -> None:
    """Each style, walked to its own end, gives exactly the items of the sandbox."""
    pages = list(_pages(caller, style, caller.now_headers()))
    found = [item for page in pages for item in page.json()["data"]["items"]]
    assert sorted(item["id"] for item in found) == list(range(1_000_000, 1_000_060))
    assert len(pages) == (1 if style == "none" else 9)


def test_either_token_opens_it_and_no_other(caller: Caller) -> None:
    """Bearer of both authorization servers; 401 with WWW-Authenticate for the rest (RFC 6750 3)."""
    url = f"{caller.sandbox.url}/generic/v1/items"
    for token in (caller.tangoe_token(), caller.now_token()):
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        assert requests.get(url, headers=headers, timeout=10).status_code == 200
    refused = requests.get(url, headers={"Authorization": "Bearer made-up"}, timeout=10)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_updated_since_is_on_or_after(caller: Caller) -> None:
    """The filter keeps the item whose stamp is asked for."""
    items = sorted(caller.sandbox.rows("items"), key=lambda item: (str(item["updated_at"]), str(item["id"])))
    since = str(items[40]["updated_at"])
    wanted = [item for item in items if str(item["updated_at"]) >= since]
    url = f"{caller.sandbox.url}/generic/v1/items"
    found = caller.session.get(url, params={"updated_since": since}, headers=caller.now_headers(), timeout=10)
    assert found.json()["data"]["items"] == wanted


@pytest.mark.parametrize(
    "params",
    [
        {"style": "magic"},
        {"updated_since": "now"},
        {"style": "page", "page": "0"},
        {"style": "token", "cursor": "x"},
    ],
)
def test_a_wrong_parameter_is_named(caller: Caller, params: dict[str, str]) -> None:
    """400 with the parameter in the message."""
    url = f"{caller.sandbox.url}/generic/v1/items"
    answer = caller.session.get(url, params=params, headers=caller.now_headers(), timeout=10)
    assert answer.status_code == 400
    assert list(params)[-1] in answer.json()["message"]


def test_one_item_and_none(caller: Caller) -> None:
    """/{id} returns the item, 404 without one."""
    url = f"{caller.sandbox.url}/generic/v1/items"
    headers = caller.now_headers()
    assert caller.session.get(f"{url}/1000007", headers=headers, timeout=10).json()["data"]["id"] == 1_000_007
    assert caller.session.get(f"{url}/700", headers=headers, timeout=10).status_code == 404
