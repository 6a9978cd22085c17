"""On whose behalf a call is made: names of a profile, such as an employee's id, to headers and to the trail's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from worker.model.account import AccountOptions
from worker.model.errors import CallRefused


@dataclass(frozen=True)
class Acting:
    """What a call carries; `told` is what its row says, None where the account acts for itself."""

    headers: Mapping[str, str] = field(default_factory=dict)
    told: str | None = None


def acting(options: AccountOptions, given: Mapping[str, str], place: str) -> Acting:
    """Returns what the account and the call together ask for, of which the call's word counts.

    Blank values are not sent. Raises CallRefused for a name that no header is known for.
    """
    wanted = {name: value.strip() for name, value in {**options.act_for, **given}.items() if value.strip()}
    for name in wanted:
        if name not in options.act_for_headers:
            raise CallRefused(f'{place}: not sent, because act_for names "{name}"; {_hint(name, options)}.')
    headers = {options.act_for_headers[name]: value for name, value in wanted.items()}
    return Acting(headers, ", ".join(f"{name}={wanted[name]}" for name in sorted(wanted)) or None)


def _hint(name: str, options: AccountOptions) -> str:
    known = sorted(options.act_for_headers)
    near = get_close_matches(name.lower(), known, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(known)}" if known else "the account names no act_for_headers"
