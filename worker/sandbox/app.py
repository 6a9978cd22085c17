"""The web application: all rooms of the sandbox behind one middleware."""

from aiohttp import web

from worker.sandbox import (
    authorize,
    control,
    doors,
    generic,
    idp,
    imports,
    nowwrite,
    rooms,
    servicenow,
    styles,
    tangoe,
    tangoe_orders,
)
from worker.sandbox.state import STATE, State
from worker.sandbox.trail import trail

_MAX_BODY = 64 * 1024 * 1024  # bytes of a request
_ROOMS = (  # of two routes that fit a path the first is taken: /items/lookup before /items/{id}
    tangoe,
    tangoe_orders,
    servicenow,
    nowwrite,
    imports,
    rooms,
    generic,
    idp,
    authorize,
    styles,
    doors,
    control,
)


def application(state: State) -> web.Application:
    """Returns the web application that serves this state."""
    app = web.Application(middlewares=[control.explain, trail], client_max_size=_MAX_BODY)
    app[STATE] = state
    for room in _ROOMS:
        app.add_routes(room.routes())
    return app
