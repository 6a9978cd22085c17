"""`python -m worker.sandbox`: serves until told to stop; prints one JSON line when ready."""

import argparse
import json
import os
import sys

from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox, serve


def options_from(arguments: list[str] | None = None) -> SandboxOptions:
    """Returns the options that the command line says; exits with status 2 on a wrong one."""
    plain = SandboxOptions()
    parser = argparse.ArgumentParser(prog="python -m worker.sandbox", description=__doc__)
    parser.add_argument("--rows", type=int, default=plain.rows, help="rows of each main resource")
    parser.add_argument("--churn", type=float, default=plain.churn, help="changed rows per second")
    parser.add_argument("--token-lifetime", type=float, default=plain.token_lifetime_s, help="seconds")
    parser.add_argument("--refresh-lifetime", type=float, default=plain.refresh_lifetime_s, help="seconds")
    parser.add_argument("--seed", type=int, default=plain.seed)
    parser.add_argument("--host", default=plain.host)
    parser.add_argument("--port", type=int, default=plain.port, help="0: a free one")
    parser.add_argument("--no-rotate", action="store_true", help="refresh tokens can be used again")
    parser.add_argument("--revoke-on-replay", action="store_true", help="a replayed refresh token ends its family")
    parser.add_argument("--tangoe-rejects-with", type=int, default=plain.tangoe_rejects_with, choices=(401, 403))
    given = parser.parse_args(arguments)
    try:
        return SandboxOptions(
            rows=given.rows,
            churn=given.churn,
            token_lifetime_s=given.token_lifetime,
            refresh_lifetime_s=given.refresh_lifetime,
            seed=given.seed,
            host=given.host,
            port=given.port,
            rotate=not given.no_rotate,
            revoke_on_replay=given.revoke_on_replay,
            tangoe_rejects_with=given.tangoe_rejects_with,
        )
    except ValueError as error:
        parser.error(str(error))


def announce(sandbox: Sandbox) -> None:
    """Prints where the sandbox listens, for the process that started it."""
    sys.stdout.write(json.dumps({"url": sandbox.url, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(options_from(), announce)
