"""What both token endpoints do around oauthlib: note who asked, with what, and what was issued."""

from aiohttp import web

from worker.sandbox.oauth import Answer, Authority, basic_client
from worker.sandbox.state import record_of


def answer_token(request: web.Request, authority: Authority, form: list[tuple[str, str]]) -> Answer:
    """Answers a token request and completes its record."""
    record = record_of(request)
    given = dict(form)
    record.client_id = given.get("client_id") or basic_client(request.headers)
    asked_with = authority.tokens.find(given.get("refresh_token") or given.get("token") or "")
    status, body = authority.answer(form, request.headers)
    issued = authority.tokens.find(str(body.get("access_token", "")))
    known = issued or asked_with
    record.account = known.subject.username if known else given.get("username")
    record.token_used = asked_with.serial if asked_with else None
    record.token_issued = issued.serial if issued else None
    record.error = str(body["error_description"]) if "error_description" in body else None
    return status, body
