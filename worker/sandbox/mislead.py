"""Faults that break nothing: good answers with a wrong word, redirects that say too little, devices put off."""

import time
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from aiohttp import web

from worker.sandbox.answers import json_answer
from worker.sandbox.authorize import DENY
from worker.sandbox.faults import OF_DEVICES, Fault
from worker.sandbox.instance import PLAYERS as TIRED
from worker.sandbox.misbehave import PLAYERS as BREAKERS
from worker.sandbox.misbehave import Handler, Player, act, payload

Members = dict[str, object]
_ELSEWHERE = "https://elsewhere.example"
_LONG = 64 * 1024  # bytes of a token that is too long, unless the fault says so
_TAKEN_AWAY = {"no_expires": "expires_in", "no_refresh_token": "refresh_token"}


def _changed(change: Callable[[Members, Fault], Members], text: str) -> Player:
    """Returns a player that acts and changes the JSON object of the answer, where it is one."""

    async def play(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        answer = await act(request, handler)
        body = payload(answer)
        data = orjson.loads(body) if body and answer.content_type == "application/json" else None
        if isinstance(data, dict):
            answer.body = orjson.dumps(change(data, fault))
        return answer

    play.__doc__ = text
    return play


def _fields(data: Members, fault: Fault) -> Members:
    given = fault.value if isinstance(fault.value, dict) else {}
    return {name: value for name, value in (data | given).items() if value is not None or name not in given}


def _float_exp(data: Members, _fault: Fault) -> Members:
    exp = data.get("exp")
    return data | {"exp": exp + 0.5} if isinstance(exp, int) else data


def _expires_in(data: Members, fault: Fault) -> Members:
    return data | {"expires_in": fault.value}


def _expires_at(data: Members, fault: Fault) -> Members:
    lifetime = data.pop("expires_in", 0)
    known = lifetime if isinstance(lifetime, int | float) else 0
    return data | {"expires_at": fault.value if fault.value is not None else int(time.time() + known + fault.seconds)}


def _taken_away(data: Members, fault: Fault) -> Members:
    data.pop(_TAKEN_AWAY[fault.kind], None)
    return data


def _token_newline(data: Members, _fault: Fault) -> Members:
    return data | {"access_token": f"{data['access_token']}\n"} if "access_token" in data else data


def _token_long(data: Members, fault: Fault) -> Members:
    size = _LONG if fault.size is None else fault.size
    return data | {"access_token": f"{data['access_token']}".ljust(size, "x")} if "access_token" in data else data


async def date_skew(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    """Acts and answers with a Date that is so many seconds ahead, or behind when negative."""
    answer = await act(request, handler)
    answer.headers["Date"] = formatdate(time.time() + fault.seconds, usegmt=True)
    return answer


async def deny(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Lets the user refuse the login: error=access_denied."""
    request[DENY] = True
    return await handler(request)


def _redirected(name: str, value: str | None) -> Player:
    """Returns a player that acts and gives the redirect another value of a parameter, or takes it away."""

    async def play(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
        answer = await act(request, handler)
        parts = urlsplit(answer.headers.get("Location", ""))
        part = "fragment" if parts.fragment else "query"
        kept = [(key, one) for key, one in parse_qsl(getattr(parts, part)) if key != name]
        if "Location" in answer.headers:
            pairs = kept if value is None else [*kept, (name, value)]
            answer.headers["Location"] = parts._replace(**{part: urlencode(pairs)}).geturl()
        return answer

    play.__doc__ = f"Sends the browser back {'without' if value is None else 'with a wrong'} {name}."
    return play


async def put_off(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers a poll of the device grant with this error (RFC 8628 3.5), however the login stands."""
    return json_answer({"error": fault.kind}, 400)


PLAYERS: dict[str, Player] = {
    **BREAKERS,
    **TIRED,
    "fields": _changed(
        _fields, "Acts and merges `value` into the JSON object of the answer; null takes a member away."
    ),
    "float_exp": _changed(_float_exp, "Acts and tells `exp` with a fraction, as some introspection endpoints do."),
    "expires_in": _changed(_expires_in, "Issues a token whose `expires_in` is `value`, whatever that is."),
    "expires_at": _changed(_expires_at, "Issues a token with `expires_at`, seconds since 1970, and no `expires_in`."),
    "no_expires": _changed(_taken_away, "Issues a token without `expires_in`."),
    "no_refresh_token": _changed(_taken_away, "Issues a token and keeps the refresh token to itself."),
    "token_newline": _changed(_token_newline, "Issues an access token that ends in a newline."),
    "token_long": _changed(_token_long, "Issues an access token blown up to `size` bytes, 64 KiB unless given."),
    "date_skew": date_skew,
    "deny": deny,
    "no_state": _redirected("state", None),
    "wrong_state": _redirected("state", "not-the-state-that-was-sent"),
    "no_iss": _redirected("iss", None),
    "wrong_iss": _redirected("iss", _ELSEWHERE),
    **dict.fromkeys(sorted(OF_DEVICES), put_off),
}
