"""One account's way out: every request of the worker goes through `Line.send`."""

import time
from dataclasses import replace
from math import inf

from worker.model.account import CorrelationOptions
from worker.model.errors import CallError, CallRefused
from worker.model.records import Call, Purpose
from worker.store.writer import Ticket
from worker.wire.adapter import Adapter, PreparedCall, Way
from worker.wire.exchange import Exchange
from worker.wire.outgoing import About, Limits, Outgoing, Reply, place_of
from worker.wire.packing import body_of, checked_target, headers_of, with_body
from worker.wire.redirects import MAX_HOPS, destination, followed
from worker.wire.target import origins_of, shown, with_params
from worker.wire.trail import Trail
from worker.wire.watchdog import WATCHDOG, Watch

_BARE = frozenset({Purpose.TOKEN, Purpose.REFRESH, Purpose.LOGIN})  # their query may be nothing but secrets
_NO_CORRELATION = CorrelationOptions()


class Line:
    """Sends requests to the allowed origins of one account and to nowhere else; safe for any number of threads.

    `origins` are URLs, of which scheme, host and port count. Raises BadTarget where one of them is none.
    """

    def __init__(
        self,
        origins: frozenset[str],
        limits: Limits,
        trail: Trail,
        way: Way | None = None,
        correlation: CorrelationOptions = _NO_CORRELATION,
    ) -> None:
        self._origins = origins_of(origins)
        self._limits = limits
        self._trail = trail
        self._correlation = correlation
        self._adapter = Adapter(way or Way(), limits)

    def send(self, outgoing: Outgoing, about: About, left_s: float = inf) -> Reply:
        """Returns the answer, whatever its status; a read follows up to three redirects, each a call of its own.

        It is cut off at the account's deadline, or after `left_s` seconds where that is sooner. Raises CallRefused
        where it must not be sent, StoreError where its record could not be stored, CallUnsent where it surely never
        left, CallUnanswered where no complete answer came, and BodyTooLarge.
        """
        with WATCHDOG.watch(min(self._limits.deadline_s, left_s)) as watch:
            reply = self._exchange(outgoing, about, watch)
            hops = 0
            while (url := destination(outgoing.url, reply.answer, about.purpose)) is not None:
                hops += 1
                self._check_hop(outgoing, about, reply, hops)
                outgoing = replace(outgoing, url=url, params={})
                about = replace(about, retry_of=reply.call_id)
                reply = self._exchange(outgoing, about, watch)
            return reply

    def close(self) -> None:
        """Closes the idle connections; a later call, of a run that outlives its configuration, opens new ones."""
        self._adapter.close()

    def _check_hop(self, outgoing: Outgoing, about: About, reply: Reply, hops: int) -> None:
        place = place_of(outgoing.method, reply.answer.url, about.account)
        if not followed(outgoing.method):
            raise CallRefused(
                f"{place}: answered {reply.answer.status} with a redirect, which is not followed for "
                f"{outgoing.method}; check the path and the account's base_url.",
                reply.call_id,
            )
        if hops > MAX_HOPS:
            raise CallRefused(
                f"{place}: sent elsewhere more than {MAX_HOPS} times; check the path and the account's base_url.",
                reply.call_id,
            )

    def _exchange(self, outgoing: Outgoing, about: About, watch: Watch) -> Reply:
        """Sends one request and returns its answer; its row is opened before and closed after."""
        target = checked_target(outgoing, about, self._origins)
        url = shown(target, outgoing.params, bare=about.purpose in _BARE)
        headers = headers_of(outgoing, place_of(outgoing.method, url, about.account))
        body, content_type = body_of(outgoing)
        call = self._trail.open(about, outgoing.method, url, len(body or b""), watch.remaining_s())
        headers = with_body(headers | self._correlated(call), outgoing.method, body, content_type)
        parcel = PreparedCall(outgoing.method, target, with_params(target, outgoing.params), headers, body)
        return self._recorded(parcel, call, watch)

    def _correlated(self, call: Call) -> dict[str, str]:
        ids = ((self._correlation.run, call.run_id), (self._correlation.call, call.id))
        return {name: str(value) for name, value in ids if name and value is not None}

    def _recorded(self, parcel: PreparedCall, call: Call, watch: Watch) -> Reply:
        exchange = Exchange(call, self._limits, watch)
        begin = time.perf_counter()
        try:
            answer = exchange.run(self._adapter, parcel)
        except CallError as error:
            self._close(call, exchange, begin, str(error))
            raise
        ticket, ms = self._close(call, exchange, begin)
        return Reply(answer, call.id, ticket, ms)

    def _close(
        self, call: Call, exchange: Exchange, begin: float, error: str | None = None
    ) -> tuple[Ticket[None], float]:
        ms = round((time.perf_counter() - begin) * 1000, 3)
        done = replace(call, ms=ms, status=exchange.status, bytes_in=exchange.wire, error=error)
        return self._trail.close(done), ms
