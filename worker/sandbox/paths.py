"""Where the authorization servers of the sandbox listen; what the trail, the faults and the errors must know of it."""

TANGOE_TOKEN = "/as/token.oauth2"  # noqa: S105  a path, no secret
JSON_TOKEN = "/v2/token"  # noqa: S105  a path
HEADER_TOKEN = "/access_token"  # noqa: S105  a path
NOW_TOKEN = "/oauth_token.do"  # noqa: S105  a path
NOW_REVOKE = "/oauth_revoke_token.do"
IDP = "/idp"
IDP_TOKEN = f"{IDP}/token"
IDP_DEVICE, IDP_INTROSPECT, IDP_REVOKE = f"{IDP}/device", f"{IDP}/introspect", f"{IDP}/revoke"
TANGOE_AUTHORIZE, NOW_AUTHORIZE, IDP_AUTHORIZE = "/as/authorization.oauth2", "/oauth_auth.do", f"{IDP}/authorize"

TOKEN_PATHS = frozenset({TANGOE_TOKEN, JSON_TOKEN, HEADER_TOKEN, NOW_TOKEN, IDP_TOKEN})
FORM_PATHS = TOKEN_PATHS | {NOW_REVOKE, IDP_DEVICE, IDP_INTROSPECT, IDP_REVOKE}  # parameters are kept in the call log
AUTHORIZE_PATHS = frozenset({TANGOE_AUTHORIZE, NOW_AUTHORIZE, IDP_AUTHORIZE})
