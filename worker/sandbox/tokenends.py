"""What all token endpoints do around oauthlib: note who asked, with what, and what was issued."""

from collections.abc import Mapping

from aiohttp import web

from worker.sandbox.answers import json_answer, origin
from worker.sandbox.identify import basic_client
from worker.sandbox.oauth import Answer, Authority, Form
from worker.sandbox.state import record_of

_TOKENS = ("refresh_token", "token")


def url_of(request: web.Request) -> str:
    """Returns the address of the endpoint as the caller spelled it, without parameters."""
    return f"{origin(request)}{request.path}"


def note(request: web.Request, authority: Authority, given: Mapping[str, str]) -> None:
    """Notes which client asks, and about which token."""
    record = record_of(request)
    record.client_id = given.get("client_id") or basic_client(request.headers)
    token = next((given[name] for name in _TOKENS if given.get(name)), "")
    known = authority.tokens.find(token)
    record.token_used = known.serial if known else None
    record.account = known.subject.username if known else given.get("username")


def answer_token(
    request: web.Request, authority: Authority, form: Form, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answers a token request and completes its record."""
    record = record_of(request)
    note(request, authority, dict(form))
    status, body = authority.answer(form, request.headers if headers is None else headers, url_of(request))
    issued = authority.tokens.find(str(body.get("access_token", "")))
    if issued is not None:
        record.account = issued.subject.username
        record.client_id = issued.subject.client_id
        record.token_issued = issued.serial
    record.error = str(body["error_description"]) if "error_description" in body else None
    return status, body


def token_answer(answer: Answer) -> web.Response:
    """Returns status and body as a response that nobody keeps (RFC 6749 5.1), with the challenge of a 401."""
    status, body = answer
    headers = {"Cache-Control": "no-store"}
    if status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = 'Basic realm="sandbox"'
    return json_answer(body, status, headers)
