"""Rows of which nobody knows whether they arrived: which may be sent again, which are looked up, which are held."""

from shlex import quote

from jobs.contract import BadRecord, Context, FailedAnswer, Interrupted, Json, WorkerError
from jobs.paths import getter
from jobs.sinks.parcels import Item, Packer
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.verdicts import GONE, Verdict, as_id, read
from jobs.templates import path_filled, places, text_filled

_TURNED_AWAY = frozenset({501, 505})  # it cannot do that at all
_SERVER_TROUBLE = 500
_NEVER_LEFT = frozenset(  # kinds of errors that are raised before a request leaves, or after a 401
    {
        "unreachable",
        "call_refused",
        "credential",
        "token_unavailable",
        "account_blocked",
        "needs_login",
        "undecryptable",
        "auth_rejected",
    }
)


def never_acted(error: WorkerError) -> bool:
    """Tells whether the API surely did nothing of what it was asked.

    An answer of 500 or above may come from a gateway whose server did it (RFC 9110, 15.6.3 and 15.6.5); 503 that asks
    to wait was turned away.
    """
    if isinstance(error, FailedAnswer):
        asked_to_wait = error.status == 503 and error.retry_after_s is not None  # noqa: PLR2004  RFC 9110, 15.6.4
        return error.status < _SERVER_TROUBLE or error.status in _TURNED_AWAY or asked_to_wait
    return isinstance(error, Interrupted) or error.kind in _NEVER_LEFT


def is_free(item: Item, options: RestDestinationOptions) -> bool:
    """Tells whether the item may be sent again without a second row: it cannot make one, or the API knows it again.

    PUT is idempotent (RFC 9110, 9.2.2); an update sets a known row to the same values, whatever its method.
    """
    if item.act != "create" or options.method == "PUT":
        return True
    return bool(options.idempotency_header) and options.batch == 1 and (item.is_repeated or not item.is_in_doubt)


def held(job: str, key: str, why: str) -> Verdict:
    """Returns the verdict on a row that nobody knows of, with what a person can do."""
    remedy = (
        f"look whether it is there: if not, `worker replay {job} --rejects` sends it again; "
        f"if so, say it with `worker trigger {job} --param {quote(f'arrived={key}')}`"
    )
    return Verdict("in_doubt", f"{held_prefix(key)} {why.removesuffix('.')}; {remedy}")


def held_prefix(key: str) -> str:
    """Returns how the reason of a held row begins."""
    return f"in doubt: {key}:"


class Doubts:
    """Decides on items before they are sent."""

    def __init__(self, options: RestDestinationOptions, context: Context, packer: Packer) -> None:
        self._options = options
        self._context = context
        self._packer = packer

    def settle(self, item: Item, *, asked_for: bool) -> Item | Verdict:
        """Returns the item to send, or the verdict on one that is not sent.

        `asked_for` says that a person wants it sent who knows that it is held. Raises BadRecord for a change of a row
        whose id nobody knows and for a row that cannot be asked for, and what a look at the API raises.
        """
        if self._is_nameless(item):
            return self._named(item)
        if not item.is_in_doubt or is_free(item, self._options) or self._options.in_doubt == "resend":
            return item
        if self._options.in_doubt == "hold":
            why = "a request for it was sent and its answer never came"
            return item if asked_for else held(self._context.job, item.key, why)
        remote_id = self._looked_up(item)
        if remote_id is None:
            return item
        if item.is_repeated and item.remote_id is None:
            return Verdict("delivered", remote_id=remote_id)
        found = self._packer.found(item, remote_id)
        return self._unnamed(found) if self._is_nameless(found) else found

    def _is_nameless(self, item: Item) -> bool:
        """Tells whether the request for the item needs an id that is not known."""
        part = {"update": self._options.update, "delete": self._options.delete}.get(item.act)
        return part is not None and not item.remote_id and "remote_id" in places(part.model_dump())

    def _named(self, item: Item) -> Item | Verdict:
        """Returns the item with its id, where a look at the API finds it, and as a new one where it is not there."""
        remote_id = self._looked_up(item) if self._options.lookup else ""
        if remote_id is None:
            return Verdict("absent") if item.act == "delete" else item.anew()
        return self._packer.found(item, remote_id) if remote_id else self._unnamed(item)

    def _unnamed(self, item: Item) -> Verdict:
        """Returns the verdict on a deletion without an id; raises BadRecord for a change: it may not double the row."""
        if item.act == "delete":
            return held(self._context.job, item.key, "it is gone from the source, and its id at the API is not known")
        raise BadRecord(
            "the row changed, and its id at the API is not known, which destination.update needs: no answer told it. "
            "Write update.path with the columns that the API knows a row by, or add a lookup whose `found` is the id; "
            'in_doubt = "resend" sends it like a new row'
        )

    def _looked_up(self, item: Item) -> str | None:
        """Returns the row's id at the API, "" where it tells none, and None where the row is not there."""
        lookup, options = self._options.lookup, self._options
        if lookup is None:
            return None
        api = self._context.api(options.account)
        path = path_filled(lookup.path, item.row)
        params = {name: text_filled(text, item.row) for name, text in lookup.params.items()}
        try:
            answer = api.request("GET", path, params=params, headers=options.headers, act_for=options.act_for)
        except FailedAnswer as error:
            if error.status in GONE:
                return None
            raise
        document = answer.json() if answer.body.strip() else None
        found = self._first(document if not lookup.records else read(lookup.records, document, answer.place))
        told = getter(lookup.found)(found) if lookup.found else found
        return (as_id(told) or "") if told else None

    def _first(self, found: Json) -> Json:
        if isinstance(found, list):
            return found[0] if found else None
        return found
