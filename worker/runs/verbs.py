"""What operators can ask for: each verb of the table `commands`, and what carries it out."""

from collections.abc import Mapping

from worker.runs.desk import Act, Desk, Refused, Verb
from worker.runs.verbs_backfill import backfill, cancel_backfill
from worker.runs.verbs_cancel import cancel
from worker.runs.verbs_cursor import reset_cursor, set_cursor
from worker.runs.verbs_pause import pause, pause_account, resume, resume_account
from worker.runs.verbs_run import replay, trigger

VERBS: Mapping[str, Verb] = {
    "trigger": trigger,
    "replay": replay,
    "cancel": cancel,
    "backfill": backfill,
    "backfill cancel": cancel_backfill,
    "cursor set": set_cursor,
    "cursor reset": reset_cursor,
    "pause": pause,
    "resume": resume,
    "pause account": pause_account,
    "resume account": resume_account,
}


def plan(desk: Desk) -> Act:
    """Returns what a command does; raises Refused."""
    verb = VERBS.get(desk.command.verb)
    if verb is None:
        raise Refused(f"unknown verb {desk.command.verb:.200}")
    return verb(desk)
