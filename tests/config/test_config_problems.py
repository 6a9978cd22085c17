"""Every fault gives one clear problem with file, line and key; all of them come at once."""

from pathlib import Path

import pytest

from tests.config.loading import Load, Problems, Write
from worker.config.load import load
from worker.model.errors import ConfigurationError

_CANARY = "hunter2-canary"


def test_five_faults_in_two_files_are_five_problems(write: Write, tmp_path: Path) -> None:
    """Each fault is told once, with the line it stands on, in the order of files and lines."""
    write(
        '[jobs.more]\ntype = "sync"\nschedule = { after = ["order"] }\nretry = { attempts = 0 }\n'
        'source = { account = "erp", path = "/m" }\ndestination = { table = "m", key = "id" }\n',
        "jobs.d/more.toml",
    )
    main = write(
        'include = "jobs.d/*.toml"\n[worker]\nconcurency = 4\n[vault]\nkeys = "k"\n'
        '[jobs.orders]\ntype = "sync"\nschedule = "0 0 31 2 *"\n'
        '[jobs.orders.source]\naccount = "erp"\npath = "/o"\n[jobs.orders.destination]\ntable = "o"\nkey = "id"\n'
        '[accounts.erp]\nbase_url = "https://erp.example.com"\ntoken_url = "{base_url}/t"\nclient_id = "me"\n'
        'client_secret = { env = "X" }\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        load(main, {})
    more = tmp_path / "jobs.d" / "more.toml"
    assert [(problem.file, problem.line, problem.key) for problem in caught.value.problems] == [
        (main, 3, "worker.concurency"),
        (main, 5, "vault.keys"),
        (main, 8, "jobs.orders.schedule"),
        (more, 3, "jobs.more.schedule.after[0]"),
        (more, 4, "jobs.more.retry.attempts"),
    ]
    assert f"{main}:3: worker.concurency: unknown key" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "line", "key", "message"),
    [
        ("[worker]\nconcurency = 4\n", 15, "worker.concurency", 'did you mean "concurrency"?'),
        ('[wroker]\nname = "x"\n', 14, "wroker", 'did you mean "worker"?'),
        (
            '[worker]\nconcurrency = "8"\n',
            15,
            "worker.concurrency",
            'expected a whole number without quotes, found "8"',
        ),
        ("[worker]\nconcurrency = true\n", 15, "worker.concurrency", "found true"),
        ("[worker]\nconcurrency = 0\n", 15, "worker.concurrency", "expected 1 or more, found 0"),
        ("[worker]\nname = 3\n", 15, "worker.name", "expected text, found 3"),
        ('[worker]\ntimezone = "Berlin"\n', 15, "worker.timezone", "expected an IANA zone"),
        ("[worker]\ndrain_timeout = 30\n", 15, "worker.drain_timeout", "expected a duration such as"),
        ("[worker]\ndrain_timeout = nan\n", 15, "worker.drain_timeout", "expected a duration such as"),
        ("[worker]\ndrain_timeout = -5.0\n", 15, "worker.drain_timeout", "expected a duration such as"),
        ('[log]\nlevel = "warn"\n', 15, "log.level", 'did you mean "warning"?'),
        ('[log]\nlevel = ["info"]\n', 15, "log.level", "found a list"),
        ('[network]\nproxy = "proxy:3128"\n', 15, "network.proxy", "expected a proxy such as"),
        ("[databases]\nwarehouse = 3\n", 15, "databases.warehouse", "expected a table [databases.NAME], found 3"),
        ('[databases.Warehouse]\nurl = "sqlite:///w.db"\n', 14, "databases.Warehouse", "small letters"),
        ('[databases.w]\nurl = "nosql://h/x"\n', 15, "databases.w.url", "expected sqlite, postgresql, mysql"),
        ('[databases.w]\nurl = "duckdb:///x"\n', 15, "databases.w.url", "pip install duckdb-engine"),
        ('[databases.w]\nurl = "mssql+pymssql://h/x"\n', 15, "databases.w.url", "pip install pymssql"),
        ('[databases.w]\nurl = "sqlite+aiosqlite:///x"\n', 15, "databases.w.url", "the driver for sqlite is pysqlite"),
        ('[databases.w]\nurl = "warehouse.db"\n', 15, "databases.w.url", "expected a URL of SQLAlchemy such as"),
        ('[databases.w]\npassword = { env = "X" }\n', 14, "databases.w", "url is missing"),
        (
            '[databases.w]\nurl = "sqlite:///w"\npassword = { evn = "X" }\n',
            16,
            "databases.w.password.evn",
            'mean "env"',
        ),
        (
            '[databases.w]\nurl = "sqlite:///w"\npassword = { env = "X", file = "y" }\n',
            16,
            "databases.w.password",
            "2 places",
        ),
        ('[defaults]\ncatch_up = "first"\n', 15, "defaults.catch_up", "expected one of 'last', 'all' or 'none'"),
        ("[defaults.retry.on.timout]\nattempts = 1\n", 14, "defaults.retry.on.timout", 'did you mean "timeout"?'),
        ("[defaults.retry.on.Timeout]\nattempts = 1\n", 14, "defaults.retry.on.Timeout", 'did you mean "timeout"?'),
        ("[defaults.retry.on.needs_login]\nattempts = 9\n", 14, "defaults.retry.on.needs_login", "never tried again"),
        ("[defaults]\nretry.on.status = { atempts = 9 }\n", 15, "defaults.retry.on.status.atempts", '"attempts"'),
        ("[defaults]\nretry.on.KeyError.attempts = 0\n", 15, "defaults.retry.on.KeyError.attempts", "1 or more"),
        ('[defaults]\nmax_rejects = "1"\n', 15, "defaults.max_rejects", "a share such as 1%"),
        ('[jobs.b]\nschedule = "manual"\n', 14, "jobs.b", "type is missing"),
        ('[jobs.b]\ntype = "snyc"\n', 15, "jobs.b.type", "did you mean sync?"),
        ('[jobs]\nschedule = "manual"\n', 15, "jobs.schedule", "expected a table [jobs.NAME]"),
    ],
)
def test_a_fault_is_told_with_its_remedy(
    problems: Problems, good: str, table: str, line: int, key: str, message: str
) -> None:
    """One fault in an otherwise good configuration is one problem, at the right line and key."""
    [problem] = problems(f"{good}{table}")
    assert (problem.line, problem.key) == (line, key)
    assert message in problem.message


@pytest.mark.parametrize(
    ("change", "line", "key", "message"),
    [
        (('path = "/orders"', 'pth = "/orders"'), 12, "jobs.orders.source.pth", 'did you mean "path"?'),
        (('path = "/orders"', "path = 7"), 12, "jobs.orders.source.path", "expected text, found 7"),
        (
            ('account = "erp"', 'account = "epr"'),
            12,
            "jobs.orders.source.account",
            'unknown account "epr"; did you mean "erp"?',
        ),
        (
            ('path = "/orders"', 'path = "/o", paging = { kind = "ofset" }'),
            12,
            "jobs.orders.source.paging.kind",
            '"offset"',
        ),
        (
            ('path = "/orders"', 'path = "/o", paging = { size = 5 }'),
            12,
            "jobs.orders.source.paging",
            "kind is missing",
        ),
        (('path = "/orders"', 'path = "/o", records = "a["'), 12, "jobs.orders.source.records", "JMESPath"),
        (('account = "erp", ', ""), 12, "jobs.orders.source", "expected account, for records from an API, or table"),
        (('account = "erp", path = "/orders"', 'table = "o", cursr = "x"'), 12, "jobs.orders.source.cursr", '"cursor"'),
        (('account = "erp", path = "/orders"', 'query = "SELECT :x"'), 12, "jobs.orders.source", "to fill :x"),
        (
            ('account = "erp", path = "/orders"', 'database = "dw", table = "o"'),
            12,
            "jobs.orders.source.database",
            "unknown database",
        ),
        (
            ('path = "/orders"', 'path = "/o/{parent.id}", for_each = { database = "dw", table = "o" }'),
            12,
            "jobs.orders.source.for_each.database",
            "unknown database",
        ),
        (
            ('path = "/orders"', 'path = "/o", slices = { by = "1d", frm = "2026-01-01" }'),
            12,
            "jobs.orders.source.slices.frm",
            'did you mean "from"?',
        ),
        (
            ('table = "orders"', 'table = "o", database = "dw"'),
            13,
            "jobs.orders.destination.database",
            "unknown database",
        ),
        (('table = "orders"', 'table = "no good"'), 13, "jobs.orders.destination.table", "text of the form"),
        (('type = "sync"', 'type = "sync"\nschedule = "0 0 30 2 *"'), 12, "jobs.orders.schedule", "never fires"),
        (
            ('type = "sync"', 'type = "sync"\nschedule = { evry = "1m" }'),
            12,
            "jobs.orders.schedule.evry",
            'mean "every"',
        ),
        (
            ('type = "sync"', 'type = "sync"\nschedule = { every = "1 m" }'),
            12,
            "jobs.orders.schedule.every",
            "duration",
        ),
        (
            ('type = "sync"', 'type = "sync"\nschedule = { after = "ordres" }'),
            12,
            "jobs.orders.schedule.after",
            '"orders"',
        ),
        (('type = "sync"', 'type = "sync"\ntimeuot = "3m"'), 12, "jobs.orders.timeuot", 'did you mean "timeout"?'),
        (
            ('type = "sync"', 'type = "sync"\nenabled = "yes"'),
            12,
            "jobs.orders.enabled",
            "true or false without quotes",
        ),
        (('client_id = "me"', ""), 4, "accounts.erp", "client_id is missing"),
        (("https://", "http://"), 5, "accounts.erp.base_url", "expected https, found http"),
        (("https://erp", "https://me@erp"), 5, "accounts.erp.base_url", "found a user"),
        (
            ('client_id = "me"', 'client_id = "me"\ngrant = "pasword"'),
            8,
            "accounts.erp.grant",
            'did you mean "password"?',
        ),
        (('client_id = "me"', 'client_id = "me"\nrate_limit = "100"'), 8, "accounts.erp.rate_limit", "such as 100/m"),
        (
            ('client_id = "me"', 'client_id = "me"\nreject_statuses = 200'),
            8,
            "accounts.erp.reject_statuses",
            "400 or more",
        ),
        (
            ('client_id = "me"', 'client_id = "me"\nheaders = { T = "{tenant}" }'),
            4,
            "accounts.erp",
            "tenant is missing",
        ),
        (
            ('client_id = "me"', 'client_id = "me"\nheaders = { T = "{tenat}" }'),
            4,
            "accounts.erp",
            "only tenant and client_id",
        ),
        (
            ('client_id = "me"', 'client_id = "me"\nheaders = { Authorization = "x" }'),
            4,
            "accounts.erp",
            "Authorization",
        ),
        (('{ file = "worker.keys" }', "{}"), 2, "vault.keys", "names 0 places"),
    ],
)
def test_a_changed_line_is_the_line_told(
    problems: Problems, good: str, change: tuple[str, str], line: int, key: str, message: str
) -> None:
    """A fault put into a good configuration is one problem, at the line it was put on."""
    assert change[0] in good
    [problem] = problems(good.replace(*change))
    assert (problem.line, problem.key) == (line, key)
    assert message in problem.message


@pytest.mark.parametrize(
    ("policy", "line", "key", "message"),
    [
        ("condition = { slq = 'x' }", 13, "condition.slq", 'did you mean "sql"?'),
        ("condition = 'now'", 13, "condition", "expected a condition: a table with one of sql, expression; found no"),
        ("condition = { sql = 'x', expression = 'x' }", 13, "condition", "found sql and expression"),
        ("condition = { expression = 'now.' }", 13, "condition.expression", "expected a JMESPath"),
        ("condition = { sql = 'x = :y' }", 13, "condition", "nothing is known to fill :y"),
        ("condition = { expression = 'x', database = 'w' }", 13, "condition.database", 'unknown database "w"'),
        ("steps_before = { python = 'main' }", 13, "steps_before.python", "expected module:function"),
        ("steps_before = { sql = 'x', on = 'always' }", 13, "steps_before.on", 'unknown key "on"'),
        ("steps_after = [\n{ sql = 'x', on = 'alwys' }]", 14, "steps_after[0].on", 'did you mean "always"?'),
        ("steps_after = [\n{ sql = 'x', skip_if = 'rows' }]", 14, "steps_after[0].skip_if", 'unknown key "skip_if"'),
        ("steps_after = { request = { path = '/x' } }", 13, "steps_after.request", "account is missing"),
        (
            "steps_after = { request = { account = 'epr', path = '/x' } }",
            13,
            "steps_after.request.account",
            'did you mean "erp"?',
        ),
    ],
)
def test_a_fault_in_a_condition_or_step_is_told_at_its_place(
    problems: Problems, good: str, policy: str, line: int, key: str, message: str
) -> None:
    """Of the form that was meant alone."""
    found = problems(good.replace("[jobs.orders]\n", f"[jobs.orders]\n{policy}\n"))
    told = [(problem.line, problem.key) for problem in found]
    assert told == [(line - 2, f"jobs.orders.{key}")]
    assert message in found[0].message


def test_the_account_of_a_step_is_one_of_the_jobs(loaded: Load, good: str) -> None:
    """So that the job is skipped where that account is blocked."""
    account = 'grant = "api_key"\napi_key = { env = "X" }\n'
    other = f'[accounts.other]\nbase_url = "https://other.example.com"\n{account}'
    step = "steps_before = { request = { account = 'other', path = '/ping' } }\n"
    text = good.replace("[jobs.orders]\n", f"[jobs.orders]\n{step}") + other
    assert loaded(text).jobs["orders"].accounts == {"erp", "other"}


def test_the_password_grant_has_to_be_accepted(problems: Problems, good: str) -> None:
    """The grant that RFC 9700 forbids is refused with both ways out."""
    text = good.replace(
        'client_id = "me"', 'client_id = "me"\ngrant = "password"\nusername = "u"\npassword = { env = "P" }'
    )
    [problem] = problems(text)
    assert "use client_credentials, or say accept_password_grant = true" in problem.message


def test_a_key_that_slid_into_a_sub_table_is_sent_home(problems: Problems, good: str) -> None:
    """A job's key below the header of its sub-table is told where it belongs."""
    text = good.replace(
        'destination = { table = "orders", key = "id" }', '[jobs.orders.destination]\ntable = "o"\nkey = "id"'
    )
    [problem] = problems(f'{text}timeout = "5m"\n')
    assert problem.key == "jobs.orders.destination.timeout"
    assert "it belongs to [jobs.orders]" in problem.message


def test_include_below_a_header_is_sent_to_the_top(problems: Problems) -> None:
    """`include` under the first table is told to go to the top of the file."""
    [problem] = problems('[vault]\nkeys = { file = "k" }\ninclude = "jobs.d/*.toml"\n')
    assert "it belongs to the top of the file" in problem.message


@pytest.mark.parametrize(
    "fault",
    [
        'client_secret = "hunter2-canary"',
        'client_secret = { env = "X" }\nclient_sercet = "hunter2-canary"',
        'client_secret = ["hunter2-canary"]',
        'client_secret = { value = "hunter2-canary" }',
        'client_secret = { env = "X" }\npassword = "hunter2-canary"',
        'client_secret = { env = "X" }\nproxy = "http://u:hunter2-canary@proxy"',
        'client_secret = { env = "X" }\norigins = ["https://u:hunter2-canary@cdn"]',
        'client_secret = { env = "X" }\nheaders = ["hunter2-canary"]',
    ],
)
def test_no_value_that_may_be_secret_is_told(problems: Problems, good: str, fault: str) -> None:
    """A secret written out is refused, and stands in no problem."""
    found = problems(good.replace('client_secret = { env = "ERP_SECRET" }', fault))
    assert found
    assert not any(_CANARY in str(problem) for problem in found)


def test_a_plain_secret_is_told_how_to_do_it_right(problems: Problems, good: str) -> None:
    """The remedy for a secret written out can be copied."""
    [problem] = problems(good.replace('client_secret = { env = "ERP_SECRET" }', 'client_secret = "x"'))
    assert 'write client_secret = { file = "secrets/client_secret" }' in problem.message


def test_a_password_inside_a_database_url_is_refused(problems: Problems, good: str) -> None:
    """The URL's password is told to stand beside it, and is not shown."""
    [problem] = problems(f'{good}[databases.w]\nurl = "postgresql://u:hunter2-canary@h/d"\n')
    assert problem.key == "databases.w.url"
    assert "password = { env" in problem.message
    assert _CANARY not in str(problem)


def test_jobs_in_a_circle_are_told_with_the_circle(problems: Problems, good: str) -> None:
    """Jobs that wait for each other are one problem that names the way round."""
    rest = 'type = "sync"\nsource = { account = "erp", path = "/x" }\ndestination = { table = "t", key = "id" }\n'
    chain = {"a": "c", "b": "a", "c": "b", "d": "a"}
    text = "".join(f'[jobs.{name}]\nschedule = {{ after = "{after}" }}\n{rest}' for name, after in chain.items())
    [problem] = problems(good + text)
    assert "a after c after b after a" in problem.message


def test_waiting_for_a_disabled_job_is_told(problems: Problems, good: str) -> None:
    """A job after one that never runs would never run either."""
    rest = 'type = "sync"\nsource = { account = "erp", path = "/x" }\ndestination = { table = "t", key = "id" }\n'
    text = good.replace('type = "sync"', 'type = "sync"\nenabled = false')
    [problem] = problems(f'{text}[jobs.b]\nschedule = {{ after = ["orders"] }}\n{rest}')
    assert (problem.line, problem.key) == (16, "jobs.b.schedule.after[0]")
    assert 'the job "orders" is disabled' in problem.message


def test_a_fault_in_defaults_is_told_once(problems: Problems, good: str) -> None:
    """What all jobs inherit is a problem where it was written, not at each job."""
    [problem] = problems(f'{good}[defaults]\ntimeout = "ten minutes"\n')
    assert (problem.line, problem.key) == (15, "defaults.timeout")


def test_a_missing_vault_is_told(problems: Problems) -> None:
    """A configuration without a key ring is told what to write."""
    [problem] = problems("[worker]\n")
    assert problem.key == "vault"
    assert 'keys = { file = "worker.keys" }' in problem.message


def test_a_good_configuration_has_no_problem(loaded: Load, good: str) -> None:
    """What the other tests break is good as it stands."""
    assert set(loaded(good).jobs) == {"orders"}
