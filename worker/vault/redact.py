"""The one redactor: whatever leaves the process as text for people goes through here.

Three nets, each able to fail alone: the values of all live secrets in every spelling, shapes that look like a
secret, and names of fields. Secrets are kept out of texts in the first place; this is the last net, not the
only one.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import orjson

from worker.vault import shapes
from worker.vault.forms import forms
from worker.vault.known import Known, Span

__all__ = ["MASK", "forms", "redact", "redact_value", "release", "remember"]

MASK = "***"
_DEEPEST = 16  # levels of nesting; what lies deeper is masked whole
_NATIVE = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z
_HARMLESS = (bool, float, datetime, date, time, timedelta, type(None))
_SCALARS = frozenset({*_HARMLESS, int, str})

_plain_names: set[str] = set()  # names found harmless
_MOST_NAMES = 4096

_known = Known()
remember = _known.remember
release = _known.release


def redact(text: str) -> str:
    """Returns `text` with every secret in it masked; the same object when there is none."""
    if not ('"' in text or shapes.marked(text) or _known.may_hold(text.encode("utf-8", "surrogatepass"))):
        return text
    return _masked(text, _known.spans(text) + shapes.spans(text))


def redact_value(value: Any) -> Any:  # noqa: ANN401  # any JSON-like value, and whatever else somebody logs
    """Returns `value` with every secret masked, by content and by name; a clean plain value as it is.

    What is neither a container nor a JSON scalar becomes its text. Never raises and never changes its
    argument.
    """
    try:
        text = _plain_json(value)
        if text is None or _is_told_by_name(value, text):
            return _walked(value, ())
        if not shapes.marked(text):
            return value
        if isinstance(value, dict) and _SCALARS.issuperset(map(type, value.values())):
            return {key: _masked(item, shapes.spans(item)) if _is_marked(item) else item for key, item in value.items()}
        return _walked(value, ())
    except Exception:  # noqa: BLE001  # a field whose own code fails must not cost the caller its log line
        return MASK


def _plain_json(value: Any) -> str | None:  # noqa: ANN401  # see redact_value
    """Returns a plain value as JSON where that holds no known secret; None where it does, or where that is unsure.

    A JSON text without a backslash shows every string as it is, so one search in it serves for all strings.
    """
    try:
        data = orjson.dumps(value, option=_NATIVE)
    except TypeError:  # something that JSON cannot hold: its text must be looked at
        return None
    return None if b"\\" in data or _known.may_hold(data) else data.decode()


def _is_told_by_name(value: Any, text: str) -> bool:  # noqa: ANN401  # see redact_value
    """Tells whether a name in the value, whose JSON is `text`, wants a closer look; a line is mostly flat."""
    nested = "[" in text or text.count("{") > 1
    return _names_secret_deep(value) if nested else isinstance(value, dict) and _names_secret(value)


def _is_marked(item: Any) -> bool:  # noqa: ANN401  # see redact_value
    return type(item) is str and shapes.marked(item)


def _names_secret(fields: dict[str, Any]) -> bool:
    """Tells whether a name among `fields` is one of a secret, or may hold one; names repeat, so verdicts are kept."""
    if _plain_names.issuperset(fields):
        return False
    if any(shapes.sensitive(name) or shapes.marked(name) for name in fields):
        return True
    if len(_plain_names) > _MOST_NAMES:  # made up from data: begin anew
        _plain_names.clear()
    _plain_names.update(fields)
    return False


def _names_secret_deep(value: Any) -> bool:  # noqa: ANN401  # see redact_value
    if isinstance(value, dict):
        return _names_secret(value) or any(map(_names_secret_deep, value.values()))
    if isinstance(value, list | tuple):
        return _is_named_pair(value) or any(map(_names_secret_deep, value))
    return False


def _walked(value: Any, above: tuple[int, ...]) -> Any:  # noqa: ANN401  # see redact_value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, _HARMLESS):
        return value
    if id(value) in above or len(above) > _DEEPEST:
        return MASK
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _walked_container(value, (*above, id(value)))
    return _walked_scalar(value)


def _walked_container(value: Any, above: tuple[int, ...]) -> Any:  # noqa: ANN401  # see redact_value
    if isinstance(value, Mapping):
        return {_walked_key(key): _walked_field(key, item, above) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if _is_named_pair(value):
            value = (value[0], MASK)
        items = [_walked(item, above) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return {redact(str(item)) for item in value}


def _walked_key(key: Any) -> Any:  # noqa: ANN401  # a mapping's keys are not always text
    return key if isinstance(key, int | float | None) else redact(str(key))


def _walked_field(key: Any, item: Any, above: tuple[int, ...]) -> Any:  # noqa: ANN401  # see redact_value
    if isinstance(key, str | bytes) and item is not None and not isinstance(item, bool):
        name = key if isinstance(key, str) else key.decode("latin-1")
        if shapes.sensitive(name):
            return MASK
    return _walked(item, above)


def _walked_scalar(value: Any) -> Any:  # noqa: ANN401  # see redact_value
    if isinstance(value, bytes | bytearray | memoryview):
        return redact(bytes(value).decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if isinstance(value, BaseException):
        return redact(repr(value))
    text = str(value)
    shown = redact(text)
    return value if isinstance(value, int) and shown == text else shown


def _is_named_pair(value: list[Any] | tuple[Any, ...]) -> bool:
    """Tells whether this is a header or a parameter written as a pair: `("X-API-Key", "...")`."""
    return len(value) == 2 and isinstance(value[0], str) and shapes.sensitive(value[0])  # noqa: PLR2004  # a pair


def _masked(text: str, spans: list[Span]) -> str:
    if not spans:
        return text
    parts: list[str] = []
    done = 0
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if start > done or not parts:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]]) if parts else text
