"""From what a job asks for to one absolute URL that cannot leave its base by tricks."""

import re
from urllib.parse import unquote

from worker.model.errors import CallRefused

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UP = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)")


def absolute(base_url: str, path: str, account: str) -> str:
    """Returns the URL of a path under `base_url`, or the path itself where it is an URL; raises CallRefused.

    An URL's origin is checked where it is sent, not here.
    """
    if _UP.search(unquote(path.partition("?")[0])):
        raise CallRefused(f"path {path[:200]!r} (account {account}): `..` is refused; write the path without it.")
    if path.startswith(("//", "\\")):
        raise CallRefused(
            f"path {path[:200]!r} (account {account}): expected a path under {base_url} or a whole URL; "
            "begin it with one slash or none."
        )
    return path if _ABSOLUTE.match(path) else f"{base_url}/{path.removeprefix('/')}"
