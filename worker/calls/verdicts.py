"""What an answer means for the caller, in one sentence with the API's own words, bounded and masked."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from jobs.contract import Answer
from worker.vault.redact import redact

_LENGTH = 300  # characters of the API's own words
_LARGEST = 100_000  # bytes of a body that is looked into
_FIELDS = (  # in the order they are told; what is not clear without a label has one
    ("errorCode", ""),  # Tangoe: {status, id, errorCode, message}
    ("error", ""),  # RFC 6749 section 5.2
    ("error_description", ""),
    ("title", ""),  # RFC 9457
    ("message", ""),  # Tangoe, and inside ServiceNow's {"error": {message, detail}}
    ("detail", ""),
    ("id", "occurrence "),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_REMEDIES = {
    400: "check the parameters of the request",
    401: "check the account's credentials",
    403: "check what the account may do",
    404: "check the path and the account's base_url",
    429: "lower the account's rate_limit, or run the job less often",
}
_SERVER_TROUBLE = 500


def rejected(answer: Answer, place: str) -> str:
    """Returns the text of AuthRejected."""
    return (
        f"{place}: answered {answer.status}{_quoted(answer)}, also to a newer token; "
        "check what the account may do at the API, and its tenant and headers."
    )


def failed(answer: Answer, place: str, tries: int) -> str:
    """Returns the text of CallFailed."""
    trouble = "see what the far end says of itself" if answer.status >= _SERVER_TROUBLE else "check the request"
    often = f" at the {tries}. try" if tries > 1 else ""
    return f"{place}: answered {answer.status}{often}{_quoted(answer)}; {_REMEDIES.get(answer.status, trouble)}."


def empty(answer: Answer, place: str) -> str:
    """Returns the text for an answer that was promised and did not come."""
    return f"{place}: answered {answer.status} without a body; ask for less at once, or run the job at another time."


def told(answer: Answer) -> str:
    """Returns the API's own error text, or "" where its body has none."""
    if len(answer.body) > _LARGEST:
        return ""
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return "an HTML page" if b"<html" in answer.body[:1000].lower() else ""
    return redact(_CONTROL.sub(" ", ": ".join(_parts(document))))[:_LENGTH]


def _quoted(answer: Answer) -> str:
    text = told(answer)
    return f" ({text})" if text else ""


def _parts(document: Any) -> list[str]:  # noqa: ANN401  # any JSON
    if not isinstance(document, Mapping):
        return []
    if isinstance(document.get("error"), Mapping):
        document = document["error"]
    found = ((label, document.get(name)) for name, label in _FIELDS)
    return [f"{label}{value}" for label, value in found if isinstance(value, str | int) and str(value).strip()]
