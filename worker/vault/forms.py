"""The spellings in which one secret may turn up: raw, URL-encoded, escaped, hex and base64."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

_URL_SAFE = (
    "",  # every reserved character encoded
    "/",  # urllib's default, for paths
    "!'()*",  # JavaScript's encodeURIComponent
    "!#$%&'()*+,/:;=?@[]~",  # what requests leaves alone in a whole URL
)
_OCTET = re.compile(r"%[0-9A-F]{2}")


def forms(value: str) -> frozenset[str]:
    """Returns every spelling under which `value` is searched for, `value` itself included.

    Base64 is given without the characters that its neighbours share, in all three alignments, so that the
    secret is also found inside something longer, such as the `user:secret` of a Basic header (RFC 7617; RFC
    6749 section 2.3.1 encodes both halves for the URL first). Empty for an empty value.
    """
    if not value:
        return frozenset()
    raw = value.encode("utf-8", "surrogatepass")
    form_encoded = quote_plus(raw)
    found = {value, raw.hex(), raw.hex().upper()}
    found |= _url_forms(raw) | _escaped_forms(value, raw) | _base64_forms(raw)
    if form_encoded != value:
        found |= _base64_forms(form_encoded.encode())
    return frozenset(found)


def _url_forms(raw: bytes) -> set[str]:
    found = {quote(raw, safe=safe) for safe in _URL_SAFE}
    found.add(quote_plus(raw))
    found.add(quote(quote_plus(raw), safe=""))  # a URL inside a URL's query
    return found | {_OCTET.sub(lambda octet: octet[0].lower(), form) for form in found}


def _escaped_forms(value: str, raw: bytes) -> set[str]:
    plain_json = json.dumps(value, ensure_ascii=False)
    ascii_json = json.dumps(value)
    return {
        plain_json[1:-1],
        ascii_json[1:-1],
        plain_json[1:-1].replace("/", "\\/"),  # PHP's json_encode
        ascii_json[1:-1].replace("/", "\\/"),
        json.dumps(plain_json[1:-1], ensure_ascii=False)[1:-1],  # JSON inside JSON
        json.dumps(ascii_json[1:-1])[1:-1],
        repr(value)[1:-1],
        repr(raw)[2:-1],
        html.escape(value),
        html.escape(value).replace("&#x27;", "&#39;"),
    }


def _base64_forms(raw: bytes) -> set[str]:
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        found |= {whole, whole.rstrip("=")}
        for ahead, shared in ((0, 0), (1, 2), (2, 3)):  # bytes before ours; characters that they touch
            text = encode(bytes(ahead) + raw).decode()
            found.add(text[shared : (ahead + len(raw)) * 8 // 6])  # the last, partial character is left to what follows
    return found - {""}
