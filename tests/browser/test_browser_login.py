"""Logins in a real browser, headless: the command line on one side, the sandbox's pages on the other."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.process.house import House
from tests.process.logins import ITEMS, crm, page_of
from worker.model.records import Health
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.browser

_WITHIN_S = 20.0
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ASKS = 'authorize_extra = { user = "ask" }'  # the sandbox then shows a page with two links


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"{name} is not installed; apt-get install chromium chromium-driver")
    assert found, f"{name} is not installed, and CI must not do without it"
    return found


@pytest.fixture
def chromium() -> Iterator[Chrome]:
    """Starts a browser that nobody used before; its history, which holds implicit tokens, goes with it."""
    options = ChromeOptions()
    options.binary_location = _program("chromium")
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = Chrome(options=options, service=ChromeService(_program("chromedriver")))
        yield driver
        driver.quit()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house on SQLite, its schema in place."""
    with Sandbox(SandboxOptions(rows=1)) as sandbox:
        built = House(tmp_path / "house", sandbox)
        assert built.database.location
        yield built
        built.close()


def _told(chromium: Chrome, text: str) -> None:
    def says(driver: Chrome) -> bool:
        return text in driver.find_element(By.TAG_NAME, "body").text

    WebDriverWait(chromium, _WITHIN_S).until(says)


def test_a_login_by_authorization_code(house: House, chromium: Chrome) -> None:
    """A person allows it on the server's page; the code comes back to this machine and is exchanged at once."""
    house.configure(crm(house, "authorization_code", _ASKS), ITEMS)
    login = house.launch("account", "login", "crm", "--no-browser")

    chromium.get(page_of(login))
    chromium.find_element(By.ID, "allow").click()

    _told(chromium, "The worker has the answer")
    assert login.left() == 0, login.errors.read_text()
    row = house.token("crm")
    assert (row.generation, row.health) == (1, Health.FRESH)


def test_an_implicit_login(house: House, chromium: Chrome) -> None:
    """The page's script hands the fragment over and takes it off the address."""
    house.configure(crm(house, "implicit", _ASKS), ITEMS)
    login = house.launch("account", "login", "crm", "--no-browser")

    chromium.get(page_of(login))
    chromium.find_element(By.ID, "allow").click()

    _told(chromium, "The worker has the answer")
    assert "#" not in chromium.current_url
    assert "access_token" not in chromium.current_url
    assert login.left() == 0, login.errors.read_text()
    row = house.token("crm")
    assert (row.generation, row.health, row.refresh_expires_at) == (1, Health.FRESH, None)


def test_a_person_who_denies(house: House, chromium: Chrome) -> None:
    """The command says so and nothing is stored."""
    house.configure(crm(house, "authorization_code", _ASKS), ITEMS)
    login = house.launch("account", "login", "crm", "--no-browser")

    chromium.get(page_of(login))
    chromium.find_element(By.ID, "deny").click()

    _told(chromium, "The worker has the answer")
    assert login.left() == 1
    assert "access_denied" in login.errors.read_text()
    assert house.token("crm").generation == 0
