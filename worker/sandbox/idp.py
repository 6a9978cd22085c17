"""The IdP under /idp: metadata, token, device, introspection and revocation endpoints."""

from aiohttp import web

from worker.sandbox.answers import json_answer, origin
from worker.sandbox.authorize import ACTIVATE
from worker.sandbox.jwts import ALGORITHMS
from worker.sandbox.oauth import Form
from worker.sandbox.parties import DEVICE, JWT_BEARER
from worker.sandbox.paths import IDP, IDP_AUTHORIZE, IDP_DEVICE, IDP_INTROSPECT, IDP_REVOKE, IDP_TOKEN
from worker.sandbox.state import record_of, state_of
from worker.sandbox.tokenends import answer_token, note, token_answer, url_of

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
GRANTS = ("authorization_code", "implicit", "refresh_token", "client_credentials", "password", DEVICE, JWT_BEARER)


async def metadata(request: web.Request) -> web.Response:
    """Tells what the server can do (RFC 8414 2); the same under the name of OpenID discovery."""
    base, idp = origin(request), state_of(request).options.idp
    signed = [method for method in METHODS if method != "none"]
    return json_answer(
        {
            "issuer": base + IDP,
            "authorization_endpoint": base + IDP_AUTHORIZE,
            "token_endpoint": base + IDP_TOKEN,
            "device_authorization_endpoint": base + IDP_DEVICE,
            "introspection_endpoint": base + IDP_INTROSPECT,
            "revocation_endpoint": base + IDP_REVOKE,
            "scopes_supported": list(idp.scopes),
            "response_types_supported": ["code", "token"],
            "response_modes_supported": ["query", "fragment"],
            "grant_types_supported": list(GRANTS),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": list(METHODS),
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "introspection_endpoint_auth_methods_supported": signed,
            "revocation_endpoint_auth_methods_supported": list(METHODS),
            "authorization_response_iss_parameter_supported": idp.send_iss,
        }
    )


async def _form(request: web.Request) -> Form:
    """Returns the form with repeated names kept: a resource may come more than once."""
    return [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]


async def token(request: web.Request) -> web.Response:
    """Answers a token request; parameters count in the form only."""
    return token_answer(answer_token(request, state_of(request).idp, await _form(request)))


async def device(request: web.Request) -> web.Response:
    """Begins a device login."""
    form, authority = await _form(request), state_of(request).idp
    note(request, authority, dict(form))
    return token_answer(authority.begin_device(form, request.headers, url_of(request), origin(request) + ACTIVATE))


async def introspect(request: web.Request) -> web.Response:
    """Tells a client what a token is worth."""
    form, authority = await _form(request), state_of(request).idp
    note(request, authority, dict(form))
    status, body = authority.introspect(form, request.headers, url_of(request))
    if body.get("active") is False:
        record_of(request).error = "token is unknown, expired or revoked"
    return token_answer((status, body))


async def revoke(request: web.Request) -> web.Response:
    """Ends a token; an unknown one is as good as ended (RFC 7009 2.2)."""
    form, authority = await _form(request), state_of(request).idp
    note(request, authority, dict(form))
    status, body = authority.revoke(form, request.headers, url_of(request))
    return token_answer((status, body)) if body else web.Response(status=status)


def routes() -> list[web.RouteDef]:
    """Returns the routes of the server's own endpoints."""
    return [
        web.get(f"/.well-known/oauth-authorization-server{IDP}", metadata),
        web.get(f"{IDP}/.well-known/openid-configuration", metadata),
        web.post(IDP_TOKEN, token),
        web.post(IDP_DEVICE, device),
        web.post(IDP_INTROSPECT, introspect),
        web.post(IDP_REVOKE, revoke),
    ]
