"""The job type `request`: one authenticated call, and what its answer must be.

A request that changes something and may not be sent twice is marked before it leaves. A later attempt of the same run
that finds the mark and no answer ends the run: nobody knows whether the request was acted upon.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import orjson
from pydantic import Field

from jobs.contract import (
    AccountRef,
    Answer,
    BadAnswer,
    BadRecord,
    Context,
    Delivery,
    DeliveryState,
    FailedAnswer,
    GiveUp,
    Job,
    Json,
    Shown,
    ShownRequest,
    WorkerError,
)
from jobs.options import Options
from jobs.paths import Path, getter
from jobs.shown import url_of
from jobs.sinks.doubt import never_acted
from jobs.templates import filled, path_filled, text_filled

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110 section 9.2.2
_READS = frozenset({"GET", "HEAD"})
_FROM_GATEWAYS = frozenset({502, 504})  # whose server may have acted (RFC 9110 sections 15.6.3 and 15.6.5)
_SHOWN = 200  # characters of a value in a message


class InDoubt(WorkerError):
    """A request may have been acted upon, and may not be sent twice."""

    kind = "in_doubt"
    permanent = True


class Expectations(Options):
    """What an answer must be."""

    status: tuple[int, ...] = Field(default=(), description="Allowed statuses; absent: any below 400.")
    that: tuple[Path, ...] = Field(
        default=(), description="JMESPaths that must be true of the document, such as status == 'ok'."
    )


class RequestOptions(Options):
    """One call; texts may hold {job}, {run}, {since}, {until} and {params.NAME}."""

    account: AccountRef
    path: str = Field(min_length=1, description="Below the account's base_url; parameters stand in params.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    params: dict[str, str] = Field(default_factory=dict, description="Sent in the URL.")
    headers: dict[str, str] = Field(default_factory=dict)
    body: Json = Field(default=None, description="Sent as JSON.")
    act_for: dict[str, str] = Field(default_factory=dict, description="On whose behalf, over what the account says.")
    reads: bool = Field(default=False, description="A POST that only reads: it may be sent again.")
    idempotency_header: str = Field(
        default="", description="Carries a key that is the run's own: the request may be sent again."
    )
    expect: Expectations = Expectations()

    @property
    def is_repeatable(self) -> bool:
        """Tells whether the request may be sent again where its answer never came."""
        return self.reads or bool(self.idempotency_header) or self.method in _REPEATABLE

    @property
    def only_reads(self) -> bool:
        """Tells whether the request changes nothing."""
        return self.method in _READS or (self.reads and self.method == "POST")


@dataclass(frozen=True)
class _Asked:
    """The request of one run, its places filled."""

    path: str
    params: dict[str, str]
    body: Json
    headers: dict[str, str]


class Request(Job[RequestOptions]):
    """Makes one call and checks its answer."""

    options_model: ClassVar[type[RequestOptions]] = RequestOptions

    def __init__(self, options: RequestOptions, step: str = "") -> None:
        super().__init__(options)
        self._step = step  # its name, where it is one beside a job's own work: then it counts nothing

    def run(self, context: Context) -> None:
        """Calls; raises BadAnswer where the answer is not what was expected, InDoubt, and what the call raises.

        A step that may not be sent twice, and was answered in an earlier attempt of the run, is done.
        """
        answer = self._ask(context) if self.options.is_repeatable else self._ask_once(context)
        if answer is not None:
            self._judge(answer)
        if not self._step:
            with context.unit() as unit:
                unit.count(read=1, pages=1)

    def preview(self, context: Context, rows: int) -> Shown:  # noqa: ARG002 - there is one request
        """Returns the would-be request; one that only reads is sent, and its answer judged as in a run."""
        options, asked = self.options, self._asked(context)
        target = f"{options.method} {options.path} (account {options.account})"
        request = ShownRequest(
            options.method,
            url_of(context.api(options.account).base_url, asked.path, asked.params),
            asked.body,
            asked.headers,
        )
        if not options.only_reads:
            note = "it may change something and was not sent: what its answer would be is not known"
            return Shown(target, requests=(request,), notes=(note,))
        answer = self._ask(context)
        self._judge(answer)
        told = ", and what was expected holds" if options.expect != Expectations() else ""
        return Shown(target, requests=(request,), notes=(f"it only reads, so it was sent: {answer.status}{told}",))

    def _asked(self, context: Context) -> "_Asked":
        options, values = self.options, _values(context)
        key = (
            {options.idempotency_header: f"{context.job}-{context.run_id}{self._suffix}"}
            if options.idempotency_header
            else {}
        )
        try:
            return _Asked(
                path_filled(options.path, values),
                {name: text_filled(text, values) for name, text in options.params.items()},
                filled(options.body, values),
                {name: text_filled(text, values) for name, text in options.headers.items()} | key,
            )
        except BadRecord as error:
            raise GiveUp(f"the request cannot be made: {error}; give it with `worker trigger --param`") from None

    def _ask(self, context: Context) -> Answer:
        options, asked = self.options, self._asked(context)
        try:
            return context.api(options.account).request(
                options.method,
                asked.path,
                params=asked.params,
                json=asked.body,
                headers=asked.headers,
                act_for=options.act_for,
                reads=options.reads,
            )
        except FailedAnswer as error:
            if error.status not in options.expect.status:
                raise
            return Answer(error.status, {"content-type": ""}, error.body, options.path, method=options.method)

    def _ask_once(self, context: Context) -> Answer | None:
        key = self._key(context)
        known = context.deliveries([key]).get(key)
        if self._step and known is not None and known.state == "delivered":
            return None
        if known is not None and known.state != "refused":
            raise self._doubt()
        self._mark(context, "sending")
        try:
            answer = self._ask(context)
        except WorkerError as error:
            if not _was_refused(error):
                self._mark(context, "in_doubt")
                raise self._doubt() from error
            self._mark(context, "refused")
            raise
        self._mark(context, "delivered")
        return answer

    def _mark(self, context: Context, state: DeliveryState) -> None:
        with context.unit() as unit:
            unit.deliver([Delivery(self._key(context), "", state)])
            unit.count(written=1 if state == "delivered" and not self._step else 0)

    def _doubt(self) -> InDoubt:
        options = self.options
        return InDoubt(
            f"{options.method} {options.path} (account {options.account}) was sent, and what came of it is not known: "
            "it may have been acted upon. Look there, then trigger the job again if it was not. Where the API knows "
            "idempotency keys, idempotency_header spares you that."
        )

    def _judge(self, answer: Answer) -> None:
        expect = self.options.expect
        if expect.status and answer.status not in expect.status:
            wanted = ", ".join(map(str, expect.status))
            raise self._unexpected(f"{answer.place} answered {answer.status}; expected {wanted} (expect.status)")
        for path in expect.that:
            document = answer.json()
            found = getter(path)(document)
            if not found:
                shown = orjson.dumps(found).decode()[:_SHOWN]
                raise self._unexpected(f"{answer.place}: {path!r} is {shown}; expected it to hold (expect.that)")

    def _unexpected(self, text: str) -> WorkerError:
        """Returns the error; a request that may not be sent twice is not tried again for its answer."""
        return BadAnswer(text) if self.options.is_repeatable else GiveUp(text)

    @property
    def _suffix(self) -> str:
        return f"-{self._step}" if self._step else ""

    def _key(self, context: Context) -> str:
        return f"run:{context.run_id}{self._suffix}"


def _was_refused(error: WorkerError) -> bool:
    """Tells whether an error says that nothing was done; an answer too large to be read does not."""
    if isinstance(error, FailedAnswer):
        return error.status not in _FROM_GATEWAYS
    return never_acted(error)


def _values(context: Context) -> dict[str, Json]:
    window = context.window
    since = window.since.isoformat().replace("+00:00", "Z") if window.since else ""
    until = window.until.isoformat().replace("+00:00", "Z")
    own: dict[str, Json] = {"job": context.job, "run": context.run_id, "since": since, "until": until}
    return own | {f"params.{name}": value for name, value in context.params.items()}
