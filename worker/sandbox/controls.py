"""What can be asked of a running sandbox or changed in it, by tests in its process and by /_sandbox."""

from collections.abc import Mapping
from dataclasses import fields, replace

from worker.sandbox.calllog import CallRecord
from worker.sandbox.faults import Fault
from worker.sandbox.oauth import Authority
from worker.sandbox.state import State
from worker.sandbox.tokens import Manners
from worker.sandbox.trapcontrols import TrapControls


class Controls(TrapControls):
    """The controls of one sandbox; each acts at once."""

    def _authorities(self, state: State, api: str | None) -> list[Authority]:
        known = state.authorities()
        if api is not None and api not in known:
            msg = f"api must be one of {', '.join(known)}; found {api!r}"
            raise KeyError(msg)
        return [known[api]] if api else list(known.values())

    def calls(self, path: str = "") -> list[CallRecord]:
        """Returns the call log's records whose path begins so, oldest first."""
        return self._do(lambda state: [one for one in state.log.records() if one.path.startswith(path)])

    def token_requests(self, path: str = "") -> list[CallRecord]:
        """Returns the records of token requests."""
        return [record for record in self.calls(path) if record.grant_type is not None]

    def forget_calls(self) -> int:
        """Empties the call log and returns how many records there were."""
        return self._do(lambda state: state.log.clear())

    def fault(self, fault: Fault) -> int:
        """Arms a fault and returns its number."""
        return self._do(lambda state: state.faults.arm(fault))

    def faults(self) -> list[dict[str, object]]:
        """Returns the armed faults with how often each met a request and was played."""
        return self._do(lambda state: state.faults.listing())

    def clear_faults(self) -> int:
        """Takes all faults away and returns how many there were."""
        return self._do(lambda state: state.faults.clear())

    def revoke_access_tokens(self, api: str | None = None) -> int:
        """Ends all living access tokens, of one API or all; refresh tokens stay good."""
        return self._do(lambda state: sum(one.tokens.revoke_access() for one in self._authorities(state, api)))

    def revoke_family(self, api: str | None = None) -> int:
        """Ends access and refresh tokens of all logins, of one API or all: only a new login helps."""
        return self._do(lambda state: sum(one.tokens.revoke_family() for one in self._authorities(state, api)))

    def set_password(self, api: str, password: str) -> None:
        """Changes the user's password at one API, `basic` included, or the API key (`key`); tokens stay as they are."""

        def change(state: State) -> None:
            if api == "basic":
                state.doors.basic_password = password
            elif api == "key":
                state.doors.api_key = password
            else:
                for authority in self._authorities(state, api):
                    authority.set_password(password)

        self._do(change)

    def set_manners(self, api: str | None = None, **changed: object) -> None:
        """Changes how tokens are treated from now on: lifetimes, rotation, replay; of one API or all.

        Raises ValueError for a name or a value that is none of `Manners`.
        """
        self._do(lambda state: _set_manners(self._authorities(state, api), changed))

    def register_key(self, client_id: str, key: str | Mapping[str, object], kid: str | None = None) -> str:
        """Adds a client's public key, PEM or JWK, and returns its key id; raises ValueError when it is none."""
        return self._do(lambda state: state.assertions.register(client_id, key, kid))

    def decide_device(self, user_code: str | None = None, *, approve: bool = True) -> str:
        """Approves or denies a device login, the newest that waits unless a user code says which; returns its code.

        Raises KeyError when none waits.
        """
        return self._do(
            lambda state: state.idp.logins.decide(user_code, state.idp.directory.user.name if approve else None)
        )


def _set_manners(authorities: list[Authority], changed: Mapping[str, object]) -> None:
    known = {one.name: one.type for one in fields(Manners)}
    for name, value in changed.items():
        if name not in known:
            raise ValueError(f"manners: unknown {name!r}; known are {', '.join(known)}")
        if isinstance(value, bool) is not (known[name] is bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(
                f"manners: {name} must be {'true or false' if known[name] is bool else 'seconds, 0 or more'}"
            )
    for authority in authorities:
        now = authority.tokens.manners
        authority.tokens.manners = replace(now, **changed)  # type: ignore[arg-type]  # checked above
