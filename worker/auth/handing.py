"""A token that a person or a browser hands over, rather than an answer of the token endpoint."""

from collections.abc import Mapping
from datetime import datetime

import orjson

from jobs.contract import Answer, Json
from worker.auth.answer import Granted, read_answer
from worker.auth.invitation import LoginDesk
from worker.auth.logingrants import AuthorizationCodeGrant
from worker.auth.refresh import Handed
from worker.vault.secret import Secret

_HOW = "token"


def granted_from(body: Mapping[str, Json], now: datetime) -> Granted | None:
    """Returns the token in parameters that are named as in a token endpoint's answer, None where it is none."""
    answer = Answer(200, {}, orjson.dumps(dict(body)), "")
    read = read_answer(answer, AuthorizationCodeGrant(Secret(""), Secret(""), ""), now)
    return read if isinstance(read, Granted) else None


def from_text(desk: LoginDesk, text: str) -> Handed:
    """Returns the token in a text: itself, or JSON as a token endpoint answers; raises LoginFailed."""
    now, text = desk.clocks.now(), text.strip()
    try:
        body = orjson.loads(text) if text.startswith("{") else {"access_token": text}
    except orjson.JSONDecodeError:
        raise desk.failed("standard input begins like JSON and is none") from None
    granted = granted_from(body, now)
    if granted is None:
        raise desk.failed("standard input holds no usable access_token: give the token itself, or JSON that has it")
    if granted.refresh is not None and desk.endpoints.token() is None:
        raise desk.failed(
            "it has a refresh_token, which cannot be used without a token_url: name that, or leave it out"
        )
    return Handed(granted, _HOW, now, desk.clocks.elapsed_s())
