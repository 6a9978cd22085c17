"""What a log line costs: ours, redacted, beside bare orjson and structlog's own JSON renderer, in one run.

    python benchmarks/log_line.py

Each contender writes the same event with eight fields to a file of its own; all take turns in one process,
and the median of five rounds counts. 50 secrets are live, so that redaction has something to look for.
"""

import io
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import orjson
import structlog

from worker.vault.secret import Secret
from worker.watch.logs import configure

ROUNDS = 5
LINES = 20_000
SECRETS = 50
FIELDS = {
    "account": "tangoe",
    "job": "tangoe-devices",
    "run": 184467440737095,
    "method": "GET",
    "url": "https://api.example.com/mobproc/v1/devices",
    "status": 200,
    "ms": 12.5,
    "generation": 7,
}

Contender = Callable[[], object]


def bare(file: io.BufferedWriter) -> Contender:
    """Returns the limit: encode, write, flush."""

    def line() -> None:
        file.write(orjson.dumps({"event": "call.finished", **FIELDS}) + b"\n")
        file.flush()

    return line


def stock(file: io.TextIOWrapper) -> Contender:
    """Returns structlog with its own JSON renderer, level and time, as its documentation sets it up."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    ).bind()
    return lambda: logger.info("call.finished", **FIELDS)


def ours() -> Contender:
    """Returns a logger as the daemon uses it; the log must be configured."""
    logger = structlog.get_logger().bind()
    return lambda: logger.info("call.finished", **FIELDS)


def measured_us(line: Contender) -> float:
    """Returns microseconds of CPU per line."""
    started = time.process_time()
    for _ in range(LINES):
        line()
    return (time.process_time() - started) / LINES * 1e6


def main() -> None:
    """Prints the medians and their ratios."""
    kept = [Secret(secrets.token_urlsafe(32)) for _ in range(SECRETS)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = configure("info", "json", folder / "ours.log")
        stack.callback(log.close)
        contenders = {
            "bare orjson + write": bare(stack.enter_context((folder / "bare.log").open("wb"))),
            "structlog JSONRenderer": stock(stack.enter_context((folder / "stock.log").open("w"))),
            f"ours, {len(kept)} secrets": ours(),
        }
        rounds = [{name: measured_us(line) for name, line in contenders.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(one[name] for one in rounds) for name in contenders}
    limit, peer, _ = medians.values()
    for name, us in medians.items():
        print(f"{name:24} {us:6.2f} us   {us / limit:5.2f} x bare   {us / peer:5.2f} x structlog")


if __name__ == "__main__":
    main()
