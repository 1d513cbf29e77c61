"""Keys of the index: SURTs as pywb makes them (the Internet Archive's canonical form).

Apart from the index's writer, so that the check of an index needs none of it.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

_WWW = re.compile(r"^www\d*\.")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN = "!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"


def surt(url: str) -> str:
    """The sort key of a URL: ``org,example)/path?query``, lower case, query parts sorted."""
    parts = urlsplit(url)
    try:
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, port = parts.netloc.lower(), None
    host = _WWW.sub("", host)
    if ":" not in host:
        host = ",".join(reversed(_ascii(host).split(".")))
    if port is not None and port != _DEFAULT_PORTS.get(parts.scheme):
        host += f":{port}"
    path = _escape(parts.path) or "/"
    path = _normalise(path)
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    query = _escape(parts.query)
    if query:
        path += "?" + "&".join(sorted(query.lower().split("&")))
    return f"{host}){path.lower()}"


def index_key(url: str, method: str, body: str) -> str:
    """The key under which replay looks an answer up: what it shows for an address.

    Args:
        url: of the request.
        method: of the request; empty for GET.
        body: the canonical form of its body, as ``requestBody`` says.
    """
    if method not in ("GET", ""):
        url += ("&" if "?" in url else "?") + f"__wb_method={method}"
        url += f"&{body}" if body else ""
    return surt(url)


def _ascii(host: str) -> str:
    """The IDNA form of a host name, itself where it has none."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _escape(text: str) -> str:
    """Percent-coding undone until nothing changes, then done once where it is needed."""
    raw = text.encode("utf-8", "surrogatepass")
    for _ in range(10):
        plain = unquote_to_bytes(raw)
        if plain == raw:
            break
        raw = plain
    return quote(raw, safe=_PLAIN)


def _normalise(path: str) -> str:
    """Path segments ``.`` and ``..`` resolved, empty ones dropped."""
    out: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            out[-1:] = []
        elif part not in ("", "."):
            out.append(part)
    return "/" + "/".join(out)
