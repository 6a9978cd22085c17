"""From what a sender means to what goes over the wire: checked, encoded, secrets in clear."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from urllib.parse import urlencode

from worker.model.errors import CallRefused
from worker.vault.secret import Secret
from worker.wire.outgoing import About, Outgoing, Value, place_of
from worker.wire.target import BadTarget, Target, parse

_STANDING = {"User-Agent": f"integration-worker/{version('integration-worker')}", "Accept-Encoding": "gzip"}
_FORM = "application/x-www-form-urlencoded"
_METHOD = re.compile(r"[A-Z]{1,20}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # no CR, LF or NUL: they would begin another header


def clear(value: Value) -> str:
    """Returns a value as it is sent."""
    return value.reveal() if isinstance(value, Secret) else value


def checked_target(outgoing: Outgoing, about: About, origins: frozenset[str]) -> Target:
    """Returns where the request goes; raises CallRefused unless that is an allowed origin, by https or on loopback."""
    if not _METHOD.fullmatch(outgoing.method):
        raise CallRefused(
            f"call (account {about.account}): not sent, because {outgoing.method[:20]!r} is no HTTP method; "
            "expected one such as GET."
        )
    try:
        target = parse(outgoing.url)
    except BadTarget as error:
        raise CallRefused(
            f"{outgoing.method} call (account {about.account}): not sent, because {error}; mend the URL."
        ) from None
    place = place_of(outgoing.method, target.origin, about.account)
    if target.scheme == "http" and not target.loopback:
        raise CallRefused(f"{place}: not sent, because only https may leave this machine; use https.")
    if target.origin not in origins:
        raise CallRefused(
            f"{place}: not sent, because this origin is not one of {', '.join(sorted(origins))}; "
            "add it to the account's `origins` if links that lead there are to be followed."
        )
    return target


def body_of(outgoing: Outgoing) -> tuple[bytes | None, str]:
    """Returns the body and its content type."""
    if outgoing.form is None:
        return outgoing.body, outgoing.content_type
    return urlencode({name: clear(value) for name, value in outgoing.form.items()}).encode(), _FORM


def headers_of(outgoing: Outgoing, place: str) -> dict[str, str]:
    """Returns the headers to send, secrets in clear; raises CallRefused that names the header but not its value."""
    headers = dict(_STANDING)
    for name, value in outgoing.headers.items():
        text = clear(value)
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(text)):
            raise CallRefused(
                f"{place}: not sent, because its header {name[:60]!r} holds a character that no header may hold; "
                "look for a line break at the end of the secret or the option it comes from."
            )
        headers[name] = text
    return headers


def with_body(headers: Mapping[str, str], method: str, body: bytes | None, content_type: str) -> dict[str, str]:
    """Returns the headers with those that describe the body."""
    described = dict(headers)
    if body is not None and content_type:
        described["Content-Type"] = content_type
    if body is not None or method in ("POST", "PUT", "PATCH"):
        described["Content-Length"] = str(len(body or b""))
    return described
