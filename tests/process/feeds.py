"""A job that appends a feed of changes to another database, and what the feed answered."""

from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import orjson
import pytest

from worker.sandbox import feed
from worker.sandbox.state import State
from worker.sandbox.table import Row, Table

FEED = """
[accounts.items]
base_url = "{sandbox.url}/basic"
grant = "basic"
username = "{who.basic_username}"
password = {{ file = "secrets/items" }}

[databases.other]
url = "{other}"

[jobs.feed]
type = "sync"
schedule = {{ every = "1s" }}
destination = {{ database = "other", table = "feed", {mode} }}

[jobs.feed.source]
account = "items"
path = "/feed"
records = "items"
paging = {{ kind = "token", next = "next_page_token", size = 6, size_param = "page_size" }}
cursor = {{ kind = "opaque", param = "sync_token", next = "next_sync_token" }}
"""


@dataclass
class Walk:
    """One walk over the feed, as it was answered: from which version to which, and its items by page."""

    since: int
    version: int
    pages: dict[str, list[Row]] = field(default_factory=dict)  # a page that was asked for twice counts once
    whole: bool = False


@dataclass
class Served:
    """What the feed answered; the token that a walk began with tells which walk before it was stored."""

    walks: list[Walk] = field(default_factory=list)

    def note(self, place: Row, body: Row) -> None:
        """Notes one page."""
        if place["after"] == "":
            self.walks.append(Walk(int(str(place["since"])), int(str(place["version"]))))
        walk = self.walks[-1]
        walk.pages[str(place["after"])] = list(body["items"])  # type: ignore[call-overload]
        walk.whole = "next_sync_token" in body

    def stored(self, token: str | None = None) -> Counter[tuple[object, object]]:
        """Returns the states in walks whose last token was begun from later: all these, and nothing else, count.

        `token` is the one that the next walk will begin with, where the last walk's may be stored.
        """
        found = Counter[tuple[object, object]]()
        later = [Walk(_version(token), 0)] if token else []
        for walk, following in pairwise([*self.walks, *later]):
            if walk.whole and walk.since < walk.version == following.since:
                found.update((row["id"], row["revision"]) for page in walk.pages.values() for row in page)
        return found


def _version(token: str) -> int:
    return int(orjson.loads(b64decode(token)[1:])["version"])


def noted(monkeypatch: pytest.MonkeyPatch) -> Served:
    """Notes each page of the feed from now on."""
    served, page = Served(), feed.page_of

    def noting(state: State, table: Table, place: Row, size: int) -> Row:
        body = page(state, table, place, size)
        served.note(place, body)
        return body

    monkeypatch.setattr(feed, "page_of", noting)
    return served
