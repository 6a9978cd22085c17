"""Which answers send a call elsewhere, and where."""

from urllib.parse import urljoin

from jobs.contract import Answer
from worker.model.records import Purpose

MAX_HOPS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOLLOWED = frozenset({"GET", "HEAD"})
_ANSWERED_AT_HOME = frozenset(Purpose) - {Purpose.READ, Purpose.WRITE}


def destination(asked: str, answer: Answer, purpose: Purpose) -> str | None:
    """Returns where the answer sends the call asked at `asked`, or None where the answer is the end.

    A token endpoint's redirect is never one: a 307 would carry the client's secret along.
    """
    location = answer.headers.get("location")
    if answer.status not in _REDIRECTS or location is None or purpose in _ANSWERED_AT_HOME:
        return None
    try:
        return urljoin(asked, location)
    except ValueError:  # such as http://[
        return location  # `parse` refuses it in words


def followed(method: str) -> bool:
    """Tells whether a redirect of this method may be followed: what has effects is not sent twice."""
    return method in _FOLLOWED
