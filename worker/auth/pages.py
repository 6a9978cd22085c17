"""The pages that a browser sees at the end of a login: no store, no script but one of ours, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

# The fragment (RFC 6749 section 4.2.2) never reaches a server by itself. It is taken off the address first, then posted
# to where this page came from; what a browser's history noted of the redirect it keeps all the same.
_SCRIPT = """
const answer = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const say = (text) => { document.getElementById("told").textContent = text; };
if (!answer) { say("This page was opened without the answer of a login: begin again."); }
else {
  fetch(location.pathname, {
    method: "POST", body: answer, cache: "no-store", credentials: "omit", redirect: "error",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  }).then((reply) => reply.ok ? reply.text() : Promise.reject())
    .then(() => say("The worker has the answer. Look there whether the login worked; this page can be closed."))
    .catch(() => say("The worker did not take the answer: begin again."));
}
"""


@dataclass(frozen=True)
class Page:
    """One page with its headers."""

    body: bytes
    headers: Mapping[str, str]


def _page(text: str, script: str = "") -> Page:
    allowed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    inside = f'<p id="told">{text}</p>'
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed += f"; script-src 'sha256-{digest}'; connect-src 'self'"
        inside += f"<script>{script}</script>"
    head = '<meta charset="utf-8"><title>Login</title>'
    html = f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{inside}</body></html>'
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": allowed,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return Page(html.encode(), headers)


HANDOVER = _page("Handing the login over …", _SCRIPT)
DONE = _page("The worker has the answer. Look there whether the login worked; this page can be closed.")
LATE = _page("This login is over already.")
WRONG = _page("Nothing is to be found here.")
