"""What the tests of logins with a real daemon share: an account that a person logs in, and a job under it."""

import re

from tests.process.house import Daemon, House, wait_for

ITEMS = """
[jobs.items]
type = "sync"
schedule = { every = "1s" }
source = { account = "crm", path = "/items", params = { style = "none" }, records = "data.items" }
destination = { table = "items", key = "id" }
"""


def crm(house: House, grant: str, *further: str) -> str:
    """Returns the configuration of an account at the sandbox's issuer."""
    who = house.sandbox.options.credentials
    lines = (
        "",
        "[accounts.crm]",
        f'base_url = "{house.sandbox.url}/idp/api"',
        f'issuer = "{house.sandbox.url}/idp"',
        f'client_id = "{who.idp_public_client_id}"',
        'client_auth = "none"',
        'scope = "read write"',
        f'grant = "{grant}"',
        *further,
        "",
    )
    return "\n".join(lines)


def page_of(login: Daemon) -> str:
    """Waits until a login says which page to open, and returns that."""

    def said() -> str:
        found = re.search(r"^open +(\S+)$", login.errors.read_text(), re.MULTILINE)
        assert found or login.process.poll() is None, login.errors.read_text()
        return found[1] if found else ""

    return wait_for(said, "the page of the login")
