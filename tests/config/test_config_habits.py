"""Profiles of two APIs with other habits, at a script that plays them: link headers; opaque page and sync tokens."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from jobs.contract import Answer, FailedAnswer
from jobs.sync import Sync, SyncOptions
from jobs.testing import BASE_URL, MemoryContext, Request, answer
from tests.config.loading import Load

_ACCOUNTS = """\
[vault]
keys = { file = "worker.keys" }
[accounts.hub]
profile = "github"
[accounts.calendar]
profile = "google_calendar"
client_id = "1"
private_key = { env = "K" }
assertion = { issuer = "i", subject = "s" }
"""

Made = Callable[[str], Sync]


@pytest.fixture
def made(loaded: Load) -> Made:
    """Makes a sync job that fills the table `t` from this source."""

    def made(source: str) -> Sync:
        job = f'[jobs.j]\ntype = "sync"\nsource = {{ {source} }}\ndestination = {{ table = "t" }}\n'
        return Sync(cast("SyncOptions", loaded(_ACCOUNTS + job).jobs["j"].options))

    return made


def _issue(number: int, day: int) -> dict[str, Any]:
    return {"id": number, "title": f"issue {number}", "updated_at": f"2026-01-{day:02d}T08:00:00Z"}


def test_github_issues_follow_the_link_header(made: Made) -> None:
    """Pages are where the header says; the next run asks for what changed since, and is content with one page."""
    further = f"{BASE_URL}/repositories/1300192/issues?per_page=100&page=2"
    link = {"link": f'<{further}>; rel="next", <{further}>; rel="last"'}
    pages = [answer([_issue(1, 1), _issue(2, 9)], headers=link), answer([_issue(3, 5)]), answer([_issue(2, 9)])]
    with MemoryContext(answers=pages) as context:
        job = made('account = "hub", resource = "issues/octocat/Hello-World"')
        job.run(context)
        job.run(context)
        assert [row["id"] for row in context.rows("t", "id")] == [1, 2, 3]
    first, second, third = context.requests
    assert first.path == "/repos/octocat/Hello-World/issues"
    assert (first.params["per_page"], first.params["state"], "since" in first.params) == ("100", "all", False)
    assert second.path == further
    assert third.params["since"] == "2026-01-09T07:55:00Z"


def test_github_commits_are_read_whole(made: Made) -> None:
    """Their times are those of clocks elsewhere: nothing is asked for by time."""
    with MemoryContext(answers=[answer([{"sha": "a1"}]), answer([{"sha": "a1"}, {"sha": "b2"}])]) as context:
        job = made('account = "hub", resource = "commits/octocat/Hello-World"')
        job.run(context)
        job.run(context)
        assert [row["sha"] for row in context.rows("t", "sha")] == ["a1", "b2"]
    assert [dict(request.params) for request in context.requests] == [{"per_page": "100"}] * 2


class _Calendar:
    """A calendar of five events in pages of two, which knows two sync tokens of its own."""

    def __init__(self) -> None:
        self.events = [{"id": f"e{number}", "status": "confirmed"} for number in range(5)]
        self.changed = [{"id": "e1", "status": "cancelled"}]

    def __call__(self, request: Request) -> Answer:
        if request.params.get("syncToken") == "old":
            gone = FailedAnswer("Sync token is no longer valid, a full sync is required.")
            gone.status = 410
            raise gone
        if "syncToken" in request.params:
            return answer({"items": self.changed, "nextSyncToken": "old"})
        start = int(request.params.get("pageToken", "p0").removeprefix("p"))
        page: dict[str, Any] = {"items": self.events[start : start + 2]}
        last = start + 2 >= len(self.events)
        return answer(page | ({"nextSyncToken": "first"} if last else {"nextPageToken": f"p{start + 2}"}))


def test_google_calendar_goes_on_from_its_sync_token(made: Made) -> None:
    """Full, then what changed, then full again where the token has run out; every request shows deleted events."""
    with MemoryContext(answers=_Calendar()) as context:
        job = made('account = "calendar", resource = "events/jane@example.com"')
        job.run(context)
        assert len(context.rows("t")) == 5
        assert context.cursor().value == "first"
        job.run(context)
        assert {row["id"] for row in context.rows("t") if row["status"] == "cancelled"} == {"e1"}
        assert context.cursor().value == "old"
        job.run(context)
        assert context.cursor().value == "first"
    sent = [request.params for request in context.requests]
    assert [params.get("syncToken", params.get("pageToken")) for params in sent] == (
        [None, "p2", "p4", "first", "old", None, "p2", "p4"]
    )
    assert {params["showDeleted"] for params in sent} == {"true"}
    assert {request.path for request in context.requests} == {"/calendars/jane@example.com/events"}
