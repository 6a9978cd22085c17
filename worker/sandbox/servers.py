"""The three authorization servers as the options want them: their clients, users, manners and rules."""

from worker.sandbox.handoff import HandOffs
from worker.sandbox.jwts import Assertions
from worker.sandbox.oauth import Authority
from worker.sandbox.options import SandboxOptions
from worker.sandbox.parties import IMPLICIT, Client, Directory, Rules, User
from worker.sandbox.tokens import Manners, Tokens

_LOGINS = frozenset({"authorization_code", "device_code", "refresh_token", IMPLICIT})


def _rolling(options: SandboxOptions) -> Manners:
    lives = (options.token_lifetime_s, options.refresh_lifetime_s)
    return Manners(*lives, options.rotate, False, options.retire_access, options.revoke_on_replay)


def tangoe_server(options: SandboxOptions, assertions: Assertions) -> Authority:
    """Returns the PingFederate-like server in front of MOBPROC."""
    who = options.credentials
    grants = options.tangoe_grants | {IMPLICIT}
    client = Client(who.tangoe_client_id, who.tangoe_client_secret, ("MOBPROC",), grants)
    directory = Directory({client.client_id: client}, User(who.tangoe_username, who.tangoe_password, who.tangoe_tenant))
    tokens = Tokens(_rolling(options))
    rules = Rules(options.redirects, implicit_refresh=bool(options.handoff and options.handoff.implicit_refresh))
    handoffs = HandOffs(options.handoff, tokens) if options.handoff else None
    return Authority(directory, tokens, assertions, rules, handoffs)


def servicenow_server(options: SandboxOptions, assertions: Assertions) -> Authority:
    """Returns the token server of a ServiceNow instance: it hands out the same token while one is valid."""
    who = options.credentials
    secret = who.servicenow_client_secret
    client = Client(who.servicenow_client_id, secret, ("useraccount",), options.servicenow_grants)
    directory = Directory({client.client_id: client}, User(who.servicenow_username, who.servicenow_password))
    manners = Manners(options.token_lifetime_s, options.refresh_lifetime_s, rotate=False, reuse=True)
    rules = Rules(options.redirects, audience_is_client=True)
    return Authority(directory, Tokens(manners), assertions, rules)


def idp_server(options: SandboxOptions, assertions: Assertions) -> Authority:
    """Returns the IdP: a client with a secret, one that signs, and a public one."""
    who, idp = options.credentials, options.idp
    service = frozenset({"client_credentials", "jwt_bearer", "refresh_token"})
    clients = (
        Client(who.idp_client_id, who.idp_client_secret, idp.scopes, service | _LOGINS | {"password"}),
        Client(who.idp_signing_client_id, None, idp.scopes, service | _LOGINS),
        Client(who.idp_public_client_id, None, idp.scopes, _LOGINS, public=True),
    )
    directory = Directory({one.client_id: one for one in clients}, User(who.idp_username, who.idp_password))
    rules = Rules(
        options.redirects,
        pkce=True,
        leeway_s=idp.leeway_s,
        code_lifetime_s=idp.code_lifetime_s,
        device_lifetime_s=idp.device_lifetime_s,
        device_interval_s=idp.device_interval_s,
    )
    return Authority(directory, Tokens(_rolling(options)), assertions, rules)
