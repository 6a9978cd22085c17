"""What a secret looks like when its value is not known: by the name beside it, or by its own shape."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from worker.vault.known import Span

_NAMES = frozenset({"pwd", "credentials", "sessionid", "jsessionid", "devicecode", "usercode", "otp"})
_ENDINGS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "masterkey",
    "authorization",
    "cookie",
    "assertion",
    "codeverifier",
)
_HARMLESS = (
    "pagetoken",
    "nexttoken",
    "continuationtoken",
    "synctoken",
    "deltatoken",
    "skiptoken",
    "fencingtoken",
)
_PARAMETERS = frozenset({"code", "key", "sig", "signature", "ticket", "auth"})  # secret only in a URL or a form
_HEADERS = ("authorization", "cookie", "apikey", "authtoken", "usertoken")

_NAME_EQUALS = re.compile(r"(?:(?<![\w.\-])|(?<=%3F|%3f|%26))([A-Za-z][\w.\-]{0,63})(?:=|%3[Dd])")
_EQUALLED = re.compile(r""""([^"]*)|'([^']*)|([^\s&"'<>;,\\]+)""")
_LONG = re.compile(r"""[^\s&"'<>;,\\]{16,}""")  # a shorter `code=` is a status, a shorter `key=` a field's name
_NAME_QUOTED = re.compile(r"""["']([A-Za-z][\w.\- ]{0,63}?)\\*["']\s*:\s*""")
_QUOTED = re.compile(
    r"""b?(\\*["'])(?P<text>.*?)(?:(?<!\\)\1|\Z)|(?!null|None|true|false)(?P<bare>[^\s,{}\[\]"']+)""",
    re.IGNORECASE | re.DOTALL,
)
_NAME_COLON = re.compile(r"(?<![\w.\-])([A-Za-z][\w\-]{0,63}): *")
_LINE = re.compile(r"""[^\r\n"']+""")
_BEARER = re.compile(
    r"\b(?:bearer|dpop)(?:[ \t]|%20|\+)+"
    r"(?!(?:tokens?|auth\w*|access|scheme|realm|error|scope)\b)([\w.~+/\-]{4,}=*)",
    re.IGNORECASE | re.ASCII,
)
_BASIC = re.compile(r"\bbasic(?:[ \t]|%20|\+)+([\w+/\-]{4,}={0,2})", re.IGNORECASE | re.ASCII)
_JWT = re.compile(r"eyJ[\w\-]{5,}(\.[\w\-]{2,}(?:\.[\w\-]*){0,3})?", re.ASCII)  # three parts (JWS) or five (JWE)
_USERINFO = re.compile(r"""://[^\s/?#:@"']*:([^\s/?#"']*)@""")


@lru_cache(maxsize=4096)
def sensitive(name: str) -> bool:
    """Tells whether a field, parameter or header of this name holds a secret.

    `client_secret`, `X-API-Key` and `accessToken` do; `token_url`, `token_generation` and `next_page_token`
    do not.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain in _NAMES or (plain.endswith(_ENDINGS) and not plain.endswith(_HARMLESS))


def marked(text: str) -> bool:
    """Tells whether `text` has a sign that every shape has one of; no is certain, yes asks for `spans`.

    A double quote is such a sign too but is left to the caller: in JSON it says nothing.
    """
    if "=" in text or "@" in text or "'" in text or "%" in text or ("J" in text and "eyJ" in text):
        return True
    if not (" " in text or "+" in text or "\t" in text):  # single characters are found ten times as fast as words
        return False
    lower = text.lower()
    return ": " in text or "bearer" in lower or "basic" in lower or "dpop" in lower


def spans(text: str) -> list[Span]:
    """Returns where in `text` something stands that looks like a secret."""
    lower = text.lower()
    return [span for marks, find in _SHAPES if any(mark in lower for mark in marks) for span in find(text)]


def _bearer(text: str) -> Iterator[Span]:
    return (match.span(1) for match in _BEARER.finditer(text))


def _basic(text: str) -> Iterator[Span]:
    return (match.span(1) for match in _BASIC.finditer(text) if _is_basic(match[1]))


def _jwt(text: str) -> Iterator[Span]:
    return (match.span() for match in _JWT.finditer(text) if match[1])


def _userinfo(text: str) -> Iterator[Span]:
    return (match.span(1) for match in _USERINFO.finditer(text))


def _parameters(text: str) -> Iterator[Span]:
    """Yields the values of `password=...`, in a query, a form or a sentence."""
    for value in _valued(text, _NAME_EQUALS, _EQUALLED, sensitive):
        yield value.span(value.lastindex or 0)
    for value in _valued(text, _NAME_EQUALS, _LONG, lambda name: name.lower() in _PARAMETERS):
        yield value.span()


def _fields(text: str) -> Iterator[Span]:
    """Yields the values of `"password": ...`, in JSON, in JSON inside JSON, or in a dictionary's repr."""
    for value in _valued(text, _NAME_QUOTED, _QUOTED, sensitive):
        yield value.span("text" if value["bare"] is None else "bare")


def _headers(text: str) -> Iterator[Span]:
    """Yields the values of `Authorization: ...`, up to the end of the line."""
    return (value.span() for value in _valued(text, _NAME_COLON, _LINE, _is_header))


def _valued(
    text: str, names: re.Pattern[str], values: re.Pattern[str], wanted: Callable[[str], bool]
) -> Iterator[re.Match[str]]:
    """Yields the values behind wanted names; a name within a value is passed over, so time stays linear."""
    taken = 0
    for name in names.finditer(text):
        value = values.match(text, name.end()) if name.start() >= taken and wanted(name[1]) else None
        if value:
            taken = value.end()
            yield value


def _is_header(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()).endswith(_HEADERS)


def _is_basic(text: str) -> bool:
    """Tells `dXNlcjpwYXNz` (user:pass, RFC 7617), also cut off, from a word behind `basic`."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b":" in base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4))
    except binascii.Error:
        return False


# What a lower-case text must contain for a shape to be worth a search: a query in a line costs one.
_SHAPES: tuple[tuple[tuple[str, ...], Callable[[str], Iterator[Span]]], ...] = (
    (("bearer", "dpop"), _bearer),
    (("basic",), _basic),
    (("eyj",), _jwt),
    (("@",), _userinfo),
    (("=", "%3d"), _parameters),
    (('"', "'"), _fields),
    ((": ",), _headers),
)
