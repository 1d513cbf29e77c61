"""Named credential fields: which header fields, parameters and form fields hold secrets, and where.

The lists follow what frameworks use: RFC 9110 and RFC 6265 fields, the CSRF headers of Django,
Rails, Angular, Laravel and ASP.NET, OAuth 2.0 parameters (RFC 6749 section 2.3.1, RFC 6750), and
signed URLs. ``code`` is masked only beside ``state`` (an OAuth answer): alone it is a country or
an error. ``key`` and ``id`` are left alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from evidence_kit.seal.redact_looks import looks_random

COOKIE_FIELDS = frozenset({b"cookie", b"cookie2"})
SET_COOKIE_FIELDS = frozenset({b"set-cookie", b"set-cookie2"})
AUTH_FIELDS = frozenset({b"authorization", b"proxy-authorization"})
URL_FIELDS = frozenset({b"referer", b"location", b"content-location", b"refresh", b"link"})

_SECRET_FIELD = re.compile(
    rb"x?-?(?:csrf|xsrf)(?:-?token)?|(?:request|verification)-?verification-?token"
    rb"|(?:[a-z0-9-]*-)?(?:api-?key|auth-?key|token|[a-z]+token|password|secret|session-?id|jwt)"
    rb"|x-(?:auth|authorization|session)|dpop"
)
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
"""A JSON Web Token (RFC 7519) in its compact form: a credential under whatever name it travels."""

SUBPROTOCOL = b"sec-websocket-protocol"
"""Where a browser's script can put a credential of a WebSocket: it may set no other field."""
_SECRET_PARAM = re.compile(
    rb"(?:[a-z0-9]+[_.-])*(?:password|passwd|pwd|passphrase|pass_?code|otp|pin_?code|token"
    rb"|access_?token|refresh_?token|id_?token|auth_?token|api_?key|apikey|client_?secret|secret"
    rb"|session|session_?id|sid|jsessionid|phpsessid|sig|signature|csrf|csrf_?token|xsrf"
    rb"|x-amz-(?:signature|security-token|credential)|x-goog-signature|authorization|auth"
    rb"|jwt|authenticity_?token|csrfmiddlewaretoken|__requestverificationtoken|client_?assertion"
    rb"|code_?verifier)"
)
_PAGING = frozenset(
    {b"nexttoken", b"previoustoken", b"pagetoken", b"nextpagetoken", b"prevpagetoken"}
    | {b"paginationtoken"}
)
"""Places in a list, which open nothing: masking them would only spoil the platform's answer."""
_PASSWORD = re.compile(
    rb"(?:[a-z0-9]*[_.\[-])?(?:password|passwd|pwd|pass)(?:[_-]?confirmation)?\]?"
)
_JSON_PAIR = re.compile(rb'"([^"\\]{1,100})"\s*:\s*"((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL)
"""A pair of two strings; the second may be cut off by the end of the text."""
_NESTED_PAIR = re.compile(
    rb'\b([A-Za-z_][A-Za-z0-9_.-]{0,99})(?:\\")?\s*:\s*\\"((?:[^"\\]|\\\\.)*)\\"', re.DOTALL
)
"""A pair in JSON that is itself a JSON string, or an argument in the text of a GraphQL query."""
_AUTH = re.compile(rb"([A-Za-z][A-Za-z0-9_-]*)[ \t]+(.+)", re.DOTALL)
_PARAM = re.compile(rb"([^=&;?#\s]+)=([^&;#\s<>\"]*)")


@dataclass(frozen=True)
class Named:
    """A secret value at ``start`` to ``end`` of the text that was looked at.

    Attributes:
        cookie: name of the cookie whose value it is; empty for anything else.
    """

    start: int
    end: int
    field: str
    value: bytes
    cookie: bytes = b""


def is_secret_header(name: bytes) -> bool:
    """Whether a header field's whole value is a credential."""
    return _SECRET_FIELD.fullmatch(name.lower()) is not None


def is_secret_param(name: bytes) -> bool:
    """Whether a URL parameter or form field holds a credential."""
    plain = unquote_to_bytes(name.replace(b"+", b" ")).lower()
    if plain.replace(b"_", b"") in _PAGING:
        return False
    return bool(_SECRET_PARAM.fullmatch(plain) or _PASSWORD.fullmatch(plain))


def in_header(name: bytes, value: bytes) -> Iterator[Named]:
    """Named secrets in one header value (``name`` in lower case)."""
    label = name.decode("latin-1")
    if name in COOKIE_FIELDS:
        yield from _cookies(label, value)
    elif name in SET_COOKIE_FIELDS:
        end = value.find(b";")
        yield from _cookies(label, value[: end if end >= 0 else len(value)])
    elif name in AUTH_FIELDS:
        found = _AUTH.fullmatch(value)
        start = found.start(2) if found else 0
        yield Named(start, len(value), f"header {label}", value[start:])
    elif is_secret_header(name):
        yield Named(0, len(value), f"header {label}", value)
    elif name == SUBPROTOCOL:
        for item in re.finditer(rb"[^,\s]+", value):
            if looks_random(item[0]):
                yield Named(item.start(), item.end(), f"header {label}", item[0])
    elif name in URL_FIELDS:
        yield from in_url(value, f"header {label} query")
    else:
        for item in _JWT.finditer(value):
            yield Named(item.start(), item.end(), f"header {label} jwt", item[0])


def in_url(url: bytes, label: str = "query") -> Iterator[Named]:
    """Named parameters of a URL's query, fragment and path parameters, and its user information."""
    info = re.match(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#@]*)@", url)
    if info:
        yield Named(info.start(1), info.end(1), f"{label} userinfo", info[1])
    start = next((place for place, byte in enumerate(url) if byte in b"?#;"), None)
    if start is not None:
        yield from in_params(url, label, start)


def in_params(text: bytes, label: str, start: int = 0) -> Iterator[Named]:
    """Named parameters in ``a=b&c=d``."""
    pairs = list(_PARAM.finditer(text, start))
    names = {pair[1].lower() for pair in pairs}
    for pair in pairs:
        oauth = pair[1].lower() == b"code" and b"state" in names
        if pair[2] and (oauth or is_secret_param(pair[1])):
            name = pair[1].decode("latin-1")
            yield Named(pair.start(2), pair.end(2), f"{label} {name}", pair[2])


def in_json(body: bytes) -> Iterator[Named]:
    """String values of credential fields in a JSON text, at any depth; ``value`` is unescaped."""
    for pair in _JSON_PAIR.finditer(body):
        if pair[2] and (is_secret_param(pair[1]) or is_secret_param(_snake(pair[1]))):
            try:
                value = json.loads(b'"' + pair[2] + b'"').encode("utf-8", "surrogatepass")
            except ValueError:
                value = pair[2]
            name = pair[1].decode("utf-8", "replace")
            yield Named(pair.start(2), pair.end(2), f"json {name}", value)
    for pair in _NESTED_PAIR.finditer(body):
        if pair[2] and (is_secret_param(pair[1]) or is_secret_param(_snake(pair[1]))):
            name = pair[1].decode("ascii")
            yield Named(pair.start(2), pair.end(2), f"json {name}", pair[2])


def in_multipart(body: bytes) -> Iterator[Named]:
    """Named fields of a form (RFC 7578)."""
    for head in re.finditer(rb'(?i)content-disposition:[^\r\n]*?\bname="([^"\r\n]*)"', body):
        if not is_secret_param(head[1]):
            continue
        start = body.find(b"\r\n\r\n", head.end())
        end = body.find(b"\r\n--", start + 4)
        end = len(body) if end < 0 else end  # cut off
        if start >= 0 and end > start + 4:
            name = head[1].decode("latin-1")
            yield Named(start + 4, end, f"form {name}", body[start + 4 : end])


def basic_password(credentials: bytes) -> bytes:
    """The password inside Basic credentials (RFC 7617); empty where they are something else."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _cookies(label: str, value: bytes) -> Iterator[Named]:
    place = 0
    for part in value.split(b";"):
        name, equals, _ = part.partition(b"=")
        start = place + len(name) + 1 if equals else place + len(part) - len(part.lstrip())
        end = place + len(part.rstrip())
        if end > start:
            own = name.strip() if equals else b""
            field = f"header {label} {own.decode('latin-1')}".rstrip()
            yield Named(start, end, field, value[start:end], own)
        place += len(part) + 1


def _snake(name: bytes) -> bytes:
    """``accessToken`` as ``access_Token``."""
    return re.sub(rb"(?<=[a-z0-9])(?=[A-Z])", b"_", name)
