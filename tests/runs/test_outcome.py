"""How an attempt's end is judged (pure)."""

import requests
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import WorkerError
from worker.model.errors import AccountBlocked, CallFailed
from worker.model.records import AttemptState, RunState
from worker.model.values import RetryOptions
from worker.runs.outcome import backoff_s, describe, judge

RETRY = RetryOptions(attempts=3, backoff=10.0, max=600.0)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_stays_within_its_bounds(failures: int, chance: float) -> None:
    """A wait is at least half the backoff and never above the maximum."""
    wait = backoff_s(failures, RETRY, lambda: chance)

    assert RETRY.backoff / 2 <= wait <= RETRY.max


def test_a_permanent_error_is_not_tried_again() -> None:
    """Another attempt with a refused password could only harm."""
    outcome = judge(AccountBlocked("refused", "erp"), 0, RETRY)

    assert (outcome.run, outcome.wait_s) == (RunState.FAILED, None)


def test_the_wait_the_far_end_asked_for_is_kept() -> None:
    """Retry-After beats a shorter backoff."""
    outcome = judge(CallFailed("slow down", 429, retry_after_s=3000.0), 0, RETRY)

    assert outcome.wait_s == 3000.0


def test_attempts_are_bounded() -> None:
    """The third failure of three is the last."""
    outcomes = [judge(WorkerError("again"), failures, RETRY) for failures in range(3)]

    assert [outcome.run for outcome in outcomes] == [RunState.QUEUED, RunState.QUEUED, RunState.FAILED]
    assert {outcome.attempt for outcome in outcomes} == {AttemptState.FAILED}


def test_the_http_librarys_words_are_not_kept() -> None:
    """Its texts hold whole URLs, secrets included."""
    error = requests.ConnectionError("https://erp.example.com/?token=abc")

    assert describe(error) == ("ConnectionError", "ConnectionError")
