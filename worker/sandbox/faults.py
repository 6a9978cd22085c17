"""Faults on demand: which requests they meet, how often, and in what order."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from worker.sandbox.parties import DEVICE
from worker.sandbox.paths import AUTHORIZE_PATHS, TOKEN_PATHS

INSTEAD = frozenset({"status", "raw", "html", "huge", "gzip_bomb", "drop", "redirect", "empty", "echo_token"})
OF_INSTANCES = frozenset({"hibernating", "cancelled", "partial"})
AFTER = frozenset({"truncate", "truncate_gzip", "malformed_json", "drip", "lost_answer", "delay"})
CHANGES = frozenset({"fields", "float_exp", "date_skew"})
OF_TOKENS = frozenset({"no_expires", "expires_in", "expires_at", "no_refresh_token", "token_newline", "token_long"})
OF_LOGINS = frozenset({"deny", "no_state", "wrong_state", "no_iss", "wrong_iss"})
OF_DEVICES = frozenset({"authorization_pending", "slow_down", "expired_token"})
KINDS = INSTEAD | OF_INSTANCES | AFTER | CHANGES | OF_TOKENS | OF_LOGINS | OF_DEVICES
_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "path": (str,),
    "method": (str,),
    "grant_type": (str,),
    "times": (int, type(None)),
    "after": (int,),
    "status": (int, type(None)),
    "retry_after": (int, str, type(None)),
    "seconds": (int, float),
    "size": (int, type(None)),
    "location": (str,),
    "body": (object,),
    "value": (object,),
    "headers": (dict,),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave and the requests it meets; raises ValueError when it cannot be played.

    Kinds of INSTEAD answer without acting, those of OF_INSTANCES as a ServiceNow instance in trouble does; those of
    AFTER act first and spoil the answer (`delay` waits, then acts); those of CHANGES act and change the answer. The
    others meet one kind of endpoint only: those of OF_TOKENS change the answer of a token endpoint, those of OF_LOGINS
    the redirect of an authorization endpoint, and those of OF_DEVICES answer a poll of the device grant.
    """

    kind: str
    path: str = ""  # prefix of the path; empty: any
    method: str = ""
    grant_type: str = ""
    times: int | None = 1  # None: until cleared
    after: int = 0  # matching requests let through first
    status: int | None = None
    retry_after: int | str | None = None
    seconds: float = 0.0  # of delay; between bytes of drip; added to the clock by date_skew and expires_at
    size: int | None = None  # bytes of huge and of what gzip_bomb inflates to (300 MB), of token_long (64 KiB)
    location: str = ""  # of redirect
    body: object = None  # JSON of status; text of raw
    value: object = None  # of expires_in and expires_at; of fields: an object, null takes a member away
    headers: Mapping[str, str] = field(default_factory=dict)  # further ones, of status

    def __post_init__(self) -> None:
        """Refuses what cannot be played."""
        if self.kind not in KINDS:
            msg = f"fault: kind must be one of {', '.join(sorted(KINDS))}; found {self.kind!r}"
            raise ValueError(msg)
        if self.kind == "redirect" and not self.location:
            msg = "fault: a redirect needs a location"
            raise ValueError(msg)
        if self.kind == "fields" and not isinstance(self.value, dict):
            msg = f"fault: fields needs a value that is an object, found {self.value!r}"
            raise ValueError(msg)
        if self.kind == "raw" and not isinstance(self.body, str | None):
            msg = f"fault: the body of raw must be text, found {self.body!r}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, data: object) -> "Fault":
        """Returns the fault that a JSON object describes; raises ValueError naming what is wrong with it."""
        if not isinstance(data, dict) or "kind" not in data:
            msg = f"fault: expected an object with kind and any of {', '.join(_TYPES)}; found {data!r}"
            raise ValueError(msg)
        for name, value in data.items():
            if name not in _TYPES:
                msg = f"fault: unknown field {name!r}; known are {', '.join(_TYPES)}"
                raise ValueError(msg)
            if not isinstance(value, _TYPES[name]):
                expected = " or ".join(one.__name__ for one in _TYPES[name])
                msg = f"fault: {name} must be {expected}; found {value!r}"
                raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
        return cls(**data)

    def meets(self, method: str, path: str, grant_type: str | None) -> bool:
        """Tells whether it is meant for this request."""
        if self.kind in OF_TOKENS and path not in TOKEN_PATHS:
            return False
        if self.kind in OF_LOGINS and path not in AUTHORIZE_PATHS:
            return False
        if self.kind in OF_DEVICES and (path not in TOKEN_PATHS or grant_type != DEVICE):
            return False
        return (
            path.startswith(self.path) and self.method.upper() in ("", method) and self.grant_type in ("", grant_type)
        )


@dataclass(slots=True)
class _Armed:
    number: int
    fault: Fault
    met: int = 0
    played: int = 0

    def over(self) -> bool:
        return self.fault.times is not None and self.played >= self.fault.times


class FaultBook:
    """The armed faults in order; the first that meets a request is played. Not safe for threads."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._number = 0

    def arm(self, fault: Fault) -> int:
        """Adds a fault and returns its number."""
        self._number += 1
        self._armed.append(_Armed(self._number, fault))
        return self._number

    def clear(self) -> int:
        """Takes all faults away and returns how many there were."""
        cleared = len(self._armed)
        self._armed.clear()
        return cleared

    def take(self, method: str, path: str, grant_type: str | None) -> Fault | None:
        """Returns the fault to play for this request, or None."""
        for armed in self._armed:
            if armed.over() or not armed.fault.meets(method, path, grant_type):
                continue
            armed.met += 1
            if armed.met > armed.fault.after:
                armed.played += 1
                return armed.fault
        return None

    def listing(self) -> list[dict[str, object]]:
        """Returns each fault with its number and how often it met and was played."""
        return [
            {"number": one.number, "met": one.met, "played": one.played, **asdict(one.fault)} for one in self._armed
        ]
