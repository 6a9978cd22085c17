"""What each reason in the ledger means, and what to do about it: the words of `worker explain` and docs/runs.md."""

from dataclasses import dataclass

from worker.model.records import Reason


@dataclass(frozen=True)
class Meaning:
    """A clause that goes on after the run's state, and what somebody can do; None where nothing is to be done."""

    text: str
    remedy: str | None = None


MEANINGS: dict[Reason, Meaning] = {
    Reason.OVERLAP: Meaning(
        "an earlier run of the job had not ended",
        'let runs wait for each other with overlap = "queue", or give the schedule more room',
    ),
    Reason.ACCOUNT: Meaning(
        "an account it runs under could not be used: it was blocked, or waited for a login",
        "`worker account list` says what each account needs",
    ),
    Reason.PAUSED: Meaning("the job was paused", "`worker resume JOB` lets it go on"),
    Reason.QUARANTINED: Meaning(
        "the job was in quarantine: its runs had taken worker processes down again and again",
        "see what its last attempts did (`worker show RUN`), mend that, then `worker resume JOB`",
    ),
    Reason.ACCOUNT_PAUSED: Meaning(
        "an account it runs under was paused",
        "`worker account list` says which; `worker resume --account NAME` lets its jobs go on",
    ),
    Reason.DISABLED: Meaning("the job was disabled in the configuration", "set enabled = true and `worker reload`"),
    Reason.BLACKOUT: Meaning("the tick lay in a blackout of the job", "change `blackout` if it should run then"),
    Reason.DOWNTIME: Meaning(
        "no worker was running then, and catch_up leaves such ticks out",
        '`worker backfill JOB --from T --to T` makes up for them; catch_up = "all" would do so by itself',
    ),
    Reason.UPSTREAM: Meaning(
        "the run it comes after did not end as asked",
        'mend the job before it, or set when = "finished" to follow any end',
    ),
    Reason.CONDITION: Meaning("the job's condition did not hold"),
    Reason.STEP: Meaning("a step before the job called it off"),
    Reason.NOTHING: Meaning("the job found nothing to do"),
    Reason.REMOVED: Meaning(
        "the job was no longer in the configuration", "put it back and `worker reload`, if it should run"
    ),
    Reason.TIMEOUT: Meaning(
        "it passed the job's timeout",
        "give it more time with timeout, or less to do; `worker calls RUN` shows where the time went",
    ),
    Reason.OPERATOR: Meaning("an operator cancelled it", "`worker replay RUN` runs it again"),
    Reason.SHUTDOWN: Meaning("the worker shut down before it ended; the run is attempted again at the next start"),
    Reason.NODE_DIED: Meaning(
        "the process that ran it died; the run is attempted again, and fails when that happens too often",
        "look for the cause in the system's log: out of memory, a kill, a crash",
    ),
}
