"""The tokens one authorization server has issued: lifetimes, rotation, families and their end."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a token speaks for, and for what."""

    client_id: str
    username: str
    scope: str = ""
    audience: tuple[str, ...] = ()  # the resources it was asked for (RFC 8707)


@dataclass(slots=True)
class Issued:
    """One issue of an access token and the refresh token beside it; `serial` names it in the call log."""

    serial: int
    family: int  # the serial of the login it descends from
    subject: Subject
    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    access_until: float  # monotonic seconds
    refresh_until: float
    access_dead: bool = False
    refresh_dead: bool = False
    spent: bool = False  # its refresh token was used and has rotated


@dataclass(frozen=True, slots=True)
class Manners:
    """How an authorization server treats its tokens; lifetimes in seconds."""

    lifetime_s: float
    refresh_lifetime_s: float
    rotate: bool
    reuse: bool  # asked again while a token is valid, it returns the same one
    retire: bool = False  # a refresh ends the older access token at once
    revoke_on_replay: bool = False


class Tokens:
    """The issued tokens of one authorization server; not safe for threads."""

    def __init__(self, manners: Manners, clock: Callable[[], float] = time.monotonic) -> None:
        self.manners = manners
        self._clock = clock
        self._issued: list[Issued] = []
        self._by_access: dict[str, Issued] = {}
        self._by_refresh: dict[str, Issued] = {}

    def access_for(self, subject: Subject) -> str:
        """Returns the access token to hand out now: a new one, or the valid one of a server that reuses."""
        current = self._current(subject) if self.manners.reuse else None
        return current.access if current else secrets.token_urlsafe(32)

    def refresh_for(self, subject: Subject) -> str:
        """Returns the refresh token to hand out now, likewise."""
        current = self._current(subject) if self.manners.reuse else None
        return (current.refresh if current else None) or secrets.token_urlsafe(32)

    def _current(self, subject: Subject) -> Issued | None:
        for issued in reversed(self._issued):
            if issued.subject == subject and self._alive(issued):
                return issued
        return None

    def record(self, subject: Subject, access: str, refresh: str | None, used: str | None) -> Issued:
        """Records what was handed out; `used` is the refresh token it was asked with, None for a login."""
        parent = self._by_refresh.get(used) if used else None
        if parent and self.manners.rotate:
            parent.spent = True
            parent.access_dead |= self.manners.retire
        issued = self._by_access.get(access)
        if issued is None:
            serial = len(self._issued) + 1
            family = parent.family if parent else serial
            issued = Issued(serial, family, subject, access, refresh, 0.0, 0.0)
            self._issued.append(issued)
            self._by_access[access] = issued
        self._renew(issued, refresh, login=used is None)
        if refresh and parent and refresh == used:
            issued.refresh_until = parent.refresh_until  # only a login renews a refresh token that stays the same
        return issued

    def _renew(self, issued: Issued, refresh: str | None, *, login: bool) -> None:
        now = self._clock()
        issued.access_until = now + self.manners.lifetime_s
        if login or self.manners.rotate:
            issued.refresh_until = now + self.manners.refresh_lifetime_s
        if refresh:
            issued.refresh = refresh
            self._by_refresh[refresh] = issued

    def _alive(self, issued: Issued) -> bool:
        return not issued.access_dead and self._clock() < issued.access_until

    def accepts(self, access: str) -> Issued | None:
        """Returns the issue behind a valid access token, or None."""
        issued = self._by_access.get(access)
        return issued if issued and self._alive(issued) else None

    def worth(self, token: str) -> tuple[Issued, float] | None:
        """Returns the issue behind a good access or refresh token and the seconds it has left, or None."""
        issued = self.accepts(token)
        if issued is not None:
            return issued, self.seconds_left(issued)
        issued = self._by_refresh.get(token)
        if issued is None or issued.spent or issued.refresh_dead or self.now() >= issued.refresh_until:
            return None
        return issued, issued.refresh_until - self.now()

    def now(self) -> float:
        """Returns the time by the clock of the lifetimes, monotonic seconds."""
        return self._clock()

    def seconds_left(self, issued: Issued) -> float:
        """Returns how long an access token is still good for."""
        return max(0.0, issued.access_until - self._clock())

    def find(self, token: str) -> Issued | None:
        """Returns the issue an access or refresh token belongs to, valid or not."""
        return self._by_access.get(token) or self._by_refresh.get(token)

    def objection(self, refresh: str, client_id: str) -> str | None:
        """Returns why a refresh token is not accepted, or None; a replayed one may cost its family."""
        issued = self._by_refresh.get(refresh)
        if issued is None or issued.subject.client_id != client_id:
            return "unknown refresh token, or issued to another client"
        if issued.spent and self.manners.revoke_on_replay:
            self.revoke_family(issued.family)
        if issued.spent:
            return "refresh token was used before; it is single use and a newer one was issued"
        if issued.refresh_dead:
            return "refresh token is revoked"
        return "refresh token is expired" if self._clock() >= issued.refresh_until else None

    def subject_of(self, refresh: str) -> Subject:
        """Returns who a known refresh token speaks for."""
        return self._by_refresh[refresh].subject

    def end(self, issued: Issued, token: str) -> None:
        """Ends an access token alone, or with its refresh token the whole family (RFC 7009 2.1)."""
        if token == issued.access:
            issued.access_dead = True
        else:
            self.revoke_family(issued.family)

    def revoke_access(self) -> int:
        """Ends every living access token and returns how many; refresh tokens stay good."""
        living = [issued for issued in self._issued if self._alive(issued)]
        for issued in living:
            issued.access_dead = True
        return len(living)

    def revoke_family(self, family: int | None = None) -> int:
        """Ends access and refresh tokens of one login, or of all, and returns how many issues that met."""
        met = [issued for issued in self._issued if family in (None, issued.family)]
        for issued in met:
            issued.access_dead = issued.refresh_dead = True
        return len(met)
