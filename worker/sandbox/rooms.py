"""The further resources of the generic API behind each of its doors."""

from aiohttp import web

from worker.sandbox import doors, feed, formats, walks, writes
from worker.sandbox.generic import BASE, admit_bearer, behind

DOORS = ((BASE, admit_bearer), (doors.API, doors.by_idp), (doors.BASIC, doors.by_basic), (doors.KEY, doors.by_key))
ROUTES = feed.ROUTES | walks.ROUTES | formats.ROUTES | writes.ROUTES


def routes() -> list[web.RouteDef]:
    """Returns the routes of all further resources, below the generic API and behind the other doors."""
    return [
        web.route(method, base + path, behind(admit, act))
        for base, admit in DOORS
        for (method, path), act in ROUTES.items()
    ]
