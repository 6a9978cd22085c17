"""Whether an API's answer is about the credential that came along (pure)."""

from collections.abc import Collection

from jobs.contract import Answer


def is_rejected(answer: Answer, reject_statuses: Collection[int]) -> bool:
    """Tells whether the answer may mean a bad token; a scope that is too small is none (RFC 6750 section 3.1)."""
    challenge = answer.headers.get("www-authenticate", "")
    return answer.status in reject_statuses and "insufficient_scope" not in challenge
