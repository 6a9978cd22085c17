"""How an attempt's end is judged (pure)."""

from collections import Counter

import requests
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import WorkerError
from worker.model.errors import AccountBlocked, CallFailed, CallUnanswered, TimedOut
from worker.model.records import AttemptState, Reason, RunState
from worker.model.retry import JobRetryOptions
from worker.runs.outcome import backoff_s, describe, judge

RETRY = JobRetryOptions(attempts=3, backoff=10.0, max=600.0)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_stays_within_its_bounds(failures: int, chance: float) -> None:
    """A wait is at least half the backoff and never above the maximum."""
    wait = backoff_s(failures, RETRY, lambda: chance)

    assert RETRY.backoff / 2 <= wait <= RETRY.max


def test_a_permanent_error_is_not_tried_again() -> None:
    """Another attempt with a refused password could only harm."""
    outcome = judge(AccountBlocked("refused", "erp"), {}, RETRY)

    assert (outcome.run, outcome.wait_s) == (RunState.FAILED, None)


def test_the_wait_the_far_end_asked_for_is_kept() -> None:
    """Retry-After beats a shorter backoff."""
    outcome = judge(CallFailed("slow down", 429, retry_after_s=3000.0), {}, RETRY)

    assert outcome.wait_s == 3000.0


def test_attempts_are_bounded() -> None:
    """The third failure of three is the last."""
    outcomes = [judge(WorkerError("again"), {"error": failures}, RETRY) for failures in range(3)]

    assert [outcome.run for outcome in outcomes] == [RunState.QUEUED, RunState.QUEUED, RunState.FAILED]
    assert {outcome.attempt for outcome in outcomes} == {AttemptState.FAILED}


def test_the_http_librarys_words_are_not_kept() -> None:
    """Its texts hold whole URLs, secrets included."""
    error = requests.ConnectionError("https://erp.example.com/?token=abc")

    assert describe(error) == ("ConnectionError", "ConnectionError")


BY_KIND = JobRetryOptions.model_validate(
    {"attempts": 3, "on": {"timeout": {"attempts": 1}, "unanswered": {"attempts": 5, "backoff": "1m"}}}
)


def test_a_kind_of_error_may_have_attempts_of_its_own() -> None:
    """One attempt where time ran out, five where no answer came, each with its own backoff."""
    late = judge(TimedOut("too long"), {}, BY_KIND)
    silent = judge(CallUnanswered("no answer"), {"unanswered": 3}, BY_KIND, lambda: 1.0)

    assert (late.run, late.reason) == (RunState.FAILED, Reason.TIMEOUT)
    assert (silent.run, silent.wait_s) == (RunState.QUEUED, 480.0)
    assert judge(CallUnanswered("no answer"), {"unanswered": 4}, BY_KIND).run is RunState.FAILED


def test_failures_of_a_kind_with_a_rule_use_up_no_other_attempts() -> None:
    """A far end that did not answer four times leaves the three attempts for what else may go wrong."""
    silent = {"unanswered": 4}
    outcomes = [judge(ValueError("odd"), silent | {"ValueError": n}, BY_KIND).run for n in range(3)]

    assert outcomes == [RunState.QUEUED, RunState.QUEUED, RunState.FAILED]
    assert judge(KeyError("odd"), {"ValueError": 1, "error": 1}, BY_KIND).run is RunState.FAILED


@given(st.lists(st.sampled_from(["timeout", "unanswered", "status", "ValueError"]), max_size=40))
def test_a_run_is_attempted_no_more_often_than_its_rules_allow_together(kinds: list[str]) -> None:
    """However failures of different kinds follow each other, the run ends."""
    failures = Counter[str]()
    for kind in kinds:
        ended = BY_KIND.counted(kind, failures) + 1 >= BY_KIND.of(kind).attempts
        failures[kind] += 1
        if ended:
            break

    assert failures.total() <= 1 + 5 + 3 - 2
