"""A caller that knows the credentials of a sandbox, and a maker of sandboxes."""

import requests

from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox


class Caller:
    """Calls one sandbox over HTTP, with tokens of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.who = sandbox.options.credentials
        self.session = requests.Session()
        self.session.trust_env = False

    def tangoe_token(self, **given: str) -> requests.Response:
        """Asks the Tangoe-style token endpoint, by password unless told otherwise, parameters in the form."""
        form = {
            "grant_type": "password",
            "client_id": self.who.tangoe_client_id,
            "client_secret": self.who.tangoe_client_secret,
            "scope": "MOBPROC",
            "username": self.who.tangoe_username,
            "password": self.who.tangoe_password,
        }
        return self.session.post(f"{self.sandbox.url}/as/token.oauth2", data=form | given, timeout=10)

    def now_token(self, **given: str) -> requests.Response:
        """Asks the ServiceNow-style token endpoint likewise."""
        form = {
            "grant_type": "password",
            "client_id": self.who.servicenow_client_id,
            "client_secret": self.who.servicenow_client_secret,
            "username": self.who.servicenow_username,
            "password": self.who.servicenow_password,
        }
        return self.session.post(f"{self.sandbox.url}/oauth_token.do", data=form | given, timeout=10)

    def refreshed(self, token: str) -> requests.Response:
        """Asks the Tangoe-style token endpoint with a refresh token."""
        return self.tangoe_token(grant_type="refresh_token", refresh_token=token, username="", password="")

    def tangoe_headers(self, token: str | None = None) -> dict[str, str]:
        """Returns the headers every Tangoe-style call needs, with a fresh token unless one is given."""
        token = token or self.tangoe_token().json()["access_token"]
        return {
            "Authorization": f"Bearer {token}",
            "X-TNGO-TENANT": self.who.tangoe_tenant,
            "client_id": self.who.tangoe_client_id,
        }

    def tangoe(self, path: str, headers: dict[str, str] | None = None, **params: str | int) -> requests.Response:
        """Gets a path of the Tangoe-style API."""
        url = self.sandbox.tangoe_url + path
        return self.session.get(url, params=params, headers=headers or self.tangoe_headers(), timeout=10)

    def now_headers(self) -> dict[str, str]:
        """Returns the header every ServiceNow-style call needs."""
        return {"Authorization": f"Bearer {self.now_token().json()['access_token']}"}

    def now(self, path: str, method: str = "GET", json: object = None, **params: str | int) -> requests.Response:
        """Calls a path below /api/now."""
        url = f"{self.sandbox.servicenow_url}/api/now{path}"
        return self.session.request(method, url, params=params, json=json, headers=self.now_headers(), timeout=10)

    def generic(self, path: str, method: str = "GET", json: object = None, **params: object) -> requests.Response:
        """Calls a path of the generic API behind HTTP basic."""
        auth = (self.who.basic_username, self.who.basic_password)
        url = f"{self.sandbox.url}/basic{path}"
        given = {name: str(value) for name, value in params.items()}
        return self.session.request(method, url, params=given, json=json, auth=auth, timeout=10)

    def control(self, method: str, path: str, json: object = None) -> requests.Response:
        """Calls a control page."""
        return self.session.request(method, f"{self.sandbox.url}/_sandbox{path}", json=json, timeout=10)


class Make:
    """Starts sandboxes on request."""

    def __init__(self) -> None:
        self._callers: list[Caller] = []

    def __call__(self, options: SandboxOptions) -> Caller:
        """Returns a caller of a new sandbox."""
        caller = Caller(Sandbox(options).start())
        self._callers.append(caller)
        return caller

    def stop(self) -> None:
        """Stops what was started."""
        for caller in self._callers:
            caller.session.close()
            caller.sandbox.stop()
