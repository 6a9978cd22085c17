"""What many jobs say alike is kept once, and nobody can tell."""

from pathlib import Path

from worker.config.load import load

_CONFIG = """
[vault]
keys = { file = "worker.keys" }

[accounts.erp]
base_url = "https://erp.example.com"
grant = "api_key"
api_key = { env = "KEY" }

[jobs.a]
type = "sync"
schedule = "0 1 * * *"
retry = { attempts = 5, on = { timeout = { attempts = 1 } } }
source = { account = "erp", path = "/a" }
destination = { table = "a", key = "id" }

[jobs.b]
type = "sync"
schedule = "0 1 * * *"
source = { account = "erp", path = "/b" }
destination = { table = "b", key = "id" }

[jobs.c]
type = "sync"
schedule = "0 1 * * *"
source = { account = "erp", path = "/c" }
destination = { table = "c", key = "id" }
"""


def test_equal_options_are_the_same_and_others_their_own(tmp_path: Path) -> None:
    """A job that says something of its own has its own; the others share."""
    path = tmp_path / "config.toml"
    path.write_text(_CONFIG)
    jobs = load(path, {}).jobs
    a, b, c = (jobs[name] for name in "abc")
    assert b.policy.retry is c.policy.retry
    assert b.policy.schedule is a.policy.schedule
    assert (a.policy.retry.attempts, b.policy.retry.attempts) == (5, 3)
    assert b.policy == c.policy
    assert b.options != c.options
    assert "retry" in a.policy.model_fields_set
    assert "retry" not in b.policy.model_fields_set
