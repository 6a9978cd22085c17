"""One request on its way, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.contract import Answer, BadAnswer, Context, FailedAnswer, Unanswered, WorkerError
from jobs.sinks.doubt import held, is_free, never_acted
from jobs.sinks.parcels import Item, Parcel
from jobs.sinks.polling import Pace, Polling
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.verdicts import GONE, Verdicts, is_silent, of_answer, of_failure


@dataclass(frozen=True)
class Sent:
    """What became of a parcel; an item without a verdict is still in doubt, or as it was before where it `returned`.

    `error` ends the run. `again` are groups of the items that are to be sent in place of the parcel.
    """

    parcel: Parcel
    verdicts: Verdicts = field(default_factory=dict)
    error: WorkerError | None = None
    returned: bool = False
    again: Sequence[tuple[Item, ...]] = ()


class Sender:
    """Sends parcels; several threads may send at once."""

    def __init__(self, options: RestDestinationOptions, context: Context, pace: Pace) -> None:
        self._options = options
        self._context = context
        self._api = context.api(options.account)
        self._polling = Polling(options, options.poll, context, pace) if options.poll else None

    def send(self, parcel: Parcel) -> Sent:
        """Returns what became of a parcel."""
        try:
            answer = self._api.request(
                parcel.method,
                parcel.path,
                params=parcel.params,
                json=parcel.body,
                headers=parcel.headers,
                act_for=self._options.act_for,
            )
        except FailedAnswer as error:
            return self._failed(error, parcel)
        except WorkerError as error:
            return self._broken(error, parcel)
        try:
            return self._answered(answer, parcel)
        except BadAnswer as error:
            return Sent(parcel, self._held(parcel.items, "its answer could not be read"), error)
        except WorkerError as error:
            return Sent(parcel, error=error)

    def _answered(self, answer: Answer, parcel: Parcel) -> Sent:
        if is_silent(answer, parcel, self._options):
            self._context.log.warning(
                "the API took rows and told nothing of them; may the account read what it writes?",
                rows=len(parcel.items),
                answer=answer.place,
            )
        if self._polling and parcel.items[0].act == "create":
            return Sent(parcel, self._polling.verdicts(self._api, answer, parcel))
        verdicts = of_answer(answer, parcel, self._options)
        missing = [item for item in parcel.items if item.key not in verdicts]
        lost = self._held(missing, f"{answer.place} did not tell what became of it")
        return self._halved(Sent(parcel, verdicts | lost), by_item=bool(self._options.items))

    def _failed(self, error: FailedAnswer, parcel: Parcel) -> Sent:
        item = parcel.items[0]
        if error.status in GONE and item.act == "update" and item.is_in_doubt:  # what is in doubt may be its deletion
            return Sent(parcel, again=[(item.anew(),)])
        verdicts = of_failure(self._context.job, error, parcel, self._options)
        if verdicts is None:
            return Sent(parcel, error=error, returned=never_acted(error))
        return self._halved(Sent(parcel, verdicts), by_item=False)

    def _halved(self, outcome: Sent, *, by_item: bool) -> Sent:
        """Returns an outcome that asks for halves where several were refused in one word, to find the bad ones."""
        refused = any(verdict.state == "refused" for verdict in outcome.verdicts.values())
        if by_item or not refused or len(outcome.parcel.items) == 1:
            return outcome
        return Sent(outcome.parcel, again=outcome.parcel.halves)

    def _broken(self, error: WorkerError, parcel: Parcel) -> Sent:
        if never_acted(error):
            return Sent(parcel, error=error, returned=True)
        free = all(is_free(item, self._options) for item in parcel.items)
        if not isinstance(error, Unanswered) or free or self._options.in_doubt != "hold":
            return Sent(parcel, error=error)  # the next attempt decides, after a while
        return Sent(parcel, self._held(parcel.items, str(error)))

    def _held(self, items: Sequence[Item], why: str) -> Verdicts:
        return {item.key: held(self._context.job, item.key, why) for item in items}
