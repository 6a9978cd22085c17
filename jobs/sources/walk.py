"""One walk through one resource, from its first page to its last."""

from collections.abc import Callable, Generator, Mapping

from jobs.contract import Answer, Api, BadAnswer, Context, FailedAnswer, GiveUp, Json, Unanswered, WorkerError
from jobs.flow import Page, Refused
from jobs.sources.cursor import write_time
from jobs.sources.decode import ACCEPT, Decoded, Overburdened, described
from jobs.sources.flights import Flights
from jobs.sources.marks import Mark
from jobs.sources.oddjson import without_odd
from jobs.sources.resource import ResourceOptions
from jobs.sources.shrink import Sizes
from jobs.sources.steps import Ask, Carrier, Circles, Position, Seen
from jobs.templates import filled, is_template, path_filled, places, text_filled

_TOO_LONG = 414
_BROKEN = 500
_TOO_LARGE = "body_too_large"  # the kind of an error of the worker's, whose class jobs do not know


class Walk:
    """Walks through the pages of one resource, whose places are filled with `values`; used once.

    Up to `ahead` requests are in flight at once where the positions to come are known. An answer that took too long,
    failed at the far end or broke off is asked for again with half as many records.
    """

    def __init__(
        self,
        options: ResourceOptions,
        context: Context,
        mark: Mark,
        values: Mapping[str, Json] | None = None,
        ahead: int = 0,
    ) -> None:
        self._options = options
        self._paging = options.paging
        self._context = context
        self._mark = mark
        self._ahead = ahead
        self._api = context.api(options.account)
        self._request = _Request(options, mark, _values(options, context, values or {}))
        self._decoder = options.decoder
        self._sizes = Sizes(*(self._paging.sizes or (0, 0)))
        self._circles = Circles()
        self._total: int | None = None
        self._is_shifted = False  # records left while the pages were read: others may have slipped past
        self._is_held = False  # and the cursor did not move, therefore
        self._last_call = 0  # the highest id of those whose answers were used: they are answered out of order
        self._count = 0
        self._blank = 0

    def pages(self) -> Generator[Page]:
        """Yields pages until there are no more; raises BadAnswer where the answers make no sense."""
        at: Position | None = self._paging.start()
        with Flights(self._answer, self._ahead) as flights:
            while at is not None:
                self._context.check()
                seen, decoded = self._seen(at, flights)
                taken = self._paging.taken(seen)
                self._circles.check(seen, taken, self._total)
                at = self._paging.after(seen)
                if at is not None:
                    self._sizes.praise(_fitting(self._paging.fits, at))
                    flights.foresee(self._paging.foreseen(seen, self._sizes.now), self._sizes.now)
                yield self._page(seen, taken, decoded, last=at is None)
        self._tell_of_blanks()
        if self._is_held:
            self._tell_of_slips()

    def _seen(self, at: Position, flights: Flights) -> tuple[Seen, Decoded]:
        """Returns the page at a position, of as many records as the far end can bear."""
        while True:
            try:
                return self._read(at, flights)
            except WorkerError as error:
                before = self._sizes.now
                if not _is_burden(error) or not self._sizes.shrink(_fitting(self._paging.fits, at)):
                    _locate(error, self._paging.told(at))
                    raise
                flights.forget()
                self._tell_of_shrinking(before, at, error)

    def _read(self, at: Position, flights: Flights) -> tuple[Seen, Decoded]:
        answer, was_ahead = flights.take(at, self._sizes.now)
        seen, decoded = self._decoded(at, answer)
        if was_ahead and self._paging.total_of(seen) != self._total:  # something came or went: see counted.py
            flights.forget()
            seen, decoded = self._decoded(at, self._answer(at, self._sizes.now))
        self._count += seen.count
        self._follow_total(seen, empty=decoded.document is None and not seen.count)
        return seen, decoded

    def _follow_total(self, seen: Seen, *, empty: bool) -> None:
        """Compares the total with the last page's; raises BadAnswer where an empty answer hides the rest."""
        total, before = self._paging.total_of(seen), self._total or 0
        if total is None and empty and self._count < before:
            raise BadAnswer(
                f"{seen.place} holds nothing ({self._paging.told(seen.at)}), though the page before told of {before} "
                "records in all; try it later."
            )
        self._is_shifted |= total is not None and total < before
        self._total = total

    def _answer(self, at: Position, size: int) -> Answer:
        ask = self._paging.ask(at, size, self._mark.span)
        try:
            return self._request.send(self._api, ask)
        except FailedAnswer as error:
            place = f"{self._options.method} {self._options.path} (account {self._options.account})"
            self._decoder.look_through(error.body, "", place)
            if error.status == _TOO_LONG:
                raise GiveUp(
                    f"{error} The URL is too long for the server: shorten params and paging.filter, or ask by POST."
                ) from None
            raise

    def _decoded(self, at: Position, answer: Answer) -> tuple[Seen, Decoded]:
        self._last_call = max(self._last_call, answer.call_id)
        in_url = self._paging.carried_in == "query"
        place = answer.place if in_url else f"{answer.place} ({self._paging.told(at)})"
        decoded = self._decoder.decoded(answer, place)
        size, span = self._sizes.now, self._mark.span
        told = decoded.document, decoded.records, len(decoded.rejects)
        return Seen(at, size, span, place, answer.url, answer.headers, *told), decoded

    def _page(self, seen: Seen, taken: list[Json], decoded: Decoded, *, last: bool) -> Page:
        self._blank += self._paging.blank(seen)
        sound, odd = without_odd(taken) if decoded.is_lenient else (taken, [])
        objects, others = _parted(sound)
        kept, unread = self._mark.take(objects, seen.place)
        cursor = self._mark.value(seen.document, seen.place, last=last)
        partial = self._is_shifted and self._paging.slips
        if partial and cursor is not None:
            cursor = None
            self._is_held = True
        total, refused = self._paging.total_of(seen), [*decoded.rejects, *odd, *others, *unread]
        return Page(kept, cursor, total, refused, partial=partial, upto_call=self._last_call)

    def _tell_of_shrinking(self, before: int, at: Position, error: Exception) -> None:
        text = f"a page of {before} records failed, {self._sizes.now} are asked for instead"
        self._context.log.warning(text, page=self._paging.told(at), error=str(error))

    def _tell_of_slips(self) -> None:
        text = (
            "records left the list while its pages were read, so that others may have slipped past: the cursor stays, "
            "and the next run reads them again"
        )
        self._context.log.warning(text)

    def _tell_of_blanks(self) -> None:
        if self._blank:
            text = (
                f"{self._blank} records came without content and were left out: the account may know that they are "
                "there, and may not read them"
            )
            self._context.log.warning(text)


class _Request:
    """Writes the requests of a walk: what they share is filled in once."""

    def __init__(self, options: ResourceOptions, mark: Mark, values: Mapping[str, Json]) -> None:
        self._options = options
        self._headers = ACCEPT[options.format] | options.headers
        self._path = path_filled(options.path, values) if is_template(options.path) else options.path
        self._params: dict[str, Json] = {
            name: text_filled(text, values) if is_template(text) else text for name, text in options.params.items()
        }
        self._body = filled(options.body, values) if is_template(options.body) else options.body
        self._params, self._body = _added(self._params, self._body, mark.params(), mark.carried_in)

    def send(self, api: Api, ask: Ask) -> Answer:
        """Returns the answer to the request for one page; raises what the API raises."""
        params, body = _added(self._params, self._body, ask.params, self._options.paging.carried_in)
        return api.request(
            self._options.method,
            ask.url or self._path,
            params=None if ask.url else {name: _text(value) for name, value in params.items()},
            json=body,
            headers=self._headers,
            act_for=self._options.act_for,
            reads=True,
        )


def _values(options: ResourceOptions, context: Context, values: Mapping[str, Json]) -> dict[str, Json]:
    """Returns what fills the places; raises GiveUp where {since} is asked for by a run that has no beginning."""
    since, until = context.window.since, context.window.until
    known = {"until": write_time(until, options.times), **values}
    if since is not None:
        known["since"] = write_time(since, options.times)
    elif "since" in places([options.path, options.params, options.body]):
        raise GiveUp(
            f"{context.job}: this run's window has no beginning, which {{since}} asks for; give the job a schedule of "
            "fixed ticks, run it by `worker backfill`, or use a cursor."
        )
    return known


def _added(
    params: Mapping[str, Json], body: Json, more: Mapping[str, Json], carrier: Carrier
) -> tuple[dict[str, Json], Json]:
    """Returns parameters and body with more parameters in one of them; in a body a dotted name stands deeper."""
    if carrier == "query":
        return {**params, **more}, body
    for name, value in more.items():
        body = _set(body or {}, name.split("."), value)
    return dict(params), body


def _set(document: Mapping[str, Json], steps: list[str], value: Json) -> dict[str, Json]:
    if len(steps) == 1:
        return {**document, steps[0]: value}
    inner = document.get(steps[0])
    return {**document, steps[0]: _set(inner if isinstance(inner, dict) else {}, steps[1:], value)}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def _fitting(fits: Callable[[Position, int], bool], at: Position) -> Callable[[int], bool]:
    return lambda size: fits(at, size)


def _is_burden(error: WorkerError) -> bool:
    """Tells whether a smaller page may help: not where the far end named a time to wait."""
    if isinstance(error, FailedAnswer):
        return error.status >= _BROKEN and error.retry_after_s is None
    return isinstance(error, Unanswered | Overburdened) or error.kind == _TOO_LARGE


def _locate(error: WorkerError, place: str) -> None:
    """Puts the page's position into the text of a failed call, whose URL may not tell it."""
    if isinstance(error, Unanswered | FailedAnswer):
        error.args = (f"{error} (page: {place})", *error.args[1:])


def _parted(records: list[Json]) -> tuple[list[Json], list[Refused]]:
    """Returns the objects, and apart from them what is none."""
    if set(map(type, records)) <= {dict}:
        return records, []
    objects = [record for record in records if isinstance(record, dict)]
    others = [record for record in records if not isinstance(record, dict)]
    return objects, [(other, f"expected an object, found {described(other)}") for other in others]
