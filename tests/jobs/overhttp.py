"""Scripts of a MemoryContext whose answers come from a sandbox, over real HTTP; several threads may ask."""

from collections.abc import Callable

import requests

from jobs.contract import Answer, FailedAnswer
from jobs.testing import Request
from tests.sandbox.calling import Caller


def generic(caller: Caller) -> Callable[[Request], Answer]:
    """Returns a script that asks the generic API behind HTTP basic; a status of 400 or more raises FailedAnswer."""
    auth = (caller.who.basic_username, caller.who.basic_password)
    return _script(f"{caller.sandbox.url}/basic", auth, {})


def servicenow(caller: Caller) -> Callable[[Request], Answer]:
    """Returns a script that asks the ServiceNow-style API."""
    return _script(caller.sandbox.servicenow_url, None, caller.now_headers())


def _script(base: str, auth: tuple[str, str] | None, headers: dict[str, str]) -> Callable[[Request], Answer]:
    def script(request: Request) -> Answer:
        url = request.path if "://" in request.path else base + request.path
        found = requests.get(url, params=dict(request.params), headers=headers, auth=auth, timeout=10)
        names = {name.lower(): value for name, value in found.headers.items()}
        if not found.ok:
            error = FailedAnswer(f"GET {found.url} answered {found.status_code}")
            error.status = found.status_code
            raise error
        return Answer(found.status_code, names, found.content, found.url)

    return script
