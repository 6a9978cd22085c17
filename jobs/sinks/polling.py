"""Waiting for what becomes of rows that an API works on after its answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.contract import Answer, Api, BadAnswer, Context, FailedAnswer, Unanswered
from jobs.sinks.doubt import held
from jobs.sinks.parcels import Parcel
from jobs.sinks.restoptions import PollOptions, RestDestinationOptions
from jobs.sinks.verdicts import Verdicts, of_items, places_of, read
from jobs.templates import path_filled, places, text_filled

_SLICE_S = 0.5  # how late a cancelled run is noticed while it waits


@dataclass(frozen=True)
class Pace:
    """How time is waited for and told, in seconds."""

    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class _Look:
    """What one look told, and why not of all; after the last one nothing more comes out."""

    told: Verdicts
    trouble: str = ""
    is_last: bool = False


class Polling:
    """Asks again and again until each row's verdict is there."""

    def __init__(self, options: RestDestinationOptions, poll: PollOptions, context: Context, pace: Pace) -> None:
        self._options, self._poll = options, poll
        self._context, self._pace = context, pace

    def verdicts(self, api: Api, first: Answer, parcel: Parcel) -> Verdicts:
        """Returns what became of each item of a parcel whose first answer this is; in doubt where it does not come out.

        Raises Interrupted, and BadAnswer where the first answer does not hold what the poll needs.
        """
        poll = self._poll
        document = first.json()
        values = places_of(document, places([poll.path, poll.params]), first.place)
        missing = [name for name, value in values.items() if value is None]
        if missing:
            raise BadAnswer(f"{first.place} has nothing at {missing[0].partition('.')[2]!r}, which `poll` names.")
        path = path_filled(poll.path, values)
        params = {name: text_filled(text, values) for name, text in poll.params.items()}
        until, why = self._pace.clock() + poll.timeout, f"what became of it did not come out within {poll.timeout:g} s"
        while True:
            look = self._look(api, path, params, parcel)
            if len(look.told) == len(parcel.items):
                return look.told
            if look.is_last or self._pace.clock() >= until:
                job, why = self._context.job, look.trouble or why
                return {item.key: look.told.get(item.key) or held(job, item.key, why) for item in parcel.items}
            self._sleep(poll.every)

    def _look(self, api: Api, path: str, params: dict[str, str], parcel: Parcel) -> _Look:
        """Returns the verdicts of one look, none until all is done."""
        poll, options = self._poll, self._options
        try:
            answer = api.request("GET", path, params=params, headers=options.headers, act_for=options.act_for)
            document = answer.json()
            is_done = bool(poll.done and read(poll.done, document, answer.place))
        except (FailedAnswer, Unanswered, BadAnswer) as error:
            return _Look({}, str(error))
        if poll.done and not is_done:
            return _Look({})
        try:
            told = of_items(document, parcel.items, (poll.items, poll.item_key), options, answer.place)
        except BadAnswer as error:
            return _Look({}, str(error), is_done)
        return _Look(told, f"{answer.place} says that all is done, and does not tell of it" if is_done else "", is_done)

    def _sleep(self, seconds: float) -> None:
        while seconds > 0:
            self._context.check()
            self._pace.wait(min(seconds, _SLICE_S))
            seconds -= _SLICE_S
