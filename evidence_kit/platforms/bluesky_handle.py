"""Which account a handle belongs to, by everybody who can say so: service, domain's site, DNS.

Source: AT Protocol, handle specification: a TXT record ``did=…`` at ``_atproto.<handle>``, or the
file ``/.well-known/atproto-did`` on the handle's site. What each said stays in the bundle.
"""

from __future__ import annotations

from collections.abc import Callable

from evidence_kit.core.errors import InputError, NetworkError
from evidence_kit.gather.dns_txt import TxtQuery
from evidence_kit.platforms.reading import Raw, text_at
from evidence_kit.platforms.visit import Visit
from evidence_kit.seal.atproto_did import is_did

SCHEMA = "evidence-kit/dns-txt/1"

_NO_CONTACT = frozenset(
    {"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"}
)
"""Top-level names that no public handle can have (AT Protocol, handle specification)."""


def resolve_handle(
    visit: Visit, handle: str, service: Callable[[], Raw | None], query: TxtQuery | None
) -> str | None:
    """The account's DID, None where nobody says.

    Args:
        visit: asks the site, gets answers and gaps.
        handle: a domain name.
        service: asks the public service.
        query: asks DNS; None where names are resolved by a proxy.
    """
    raw = service()
    told = text_at(raw.value, "/did") if raw is not None and raw.usable else ""
    public = handle.rpartition(".")[2].lower() not in _NO_CONTACT
    site = _of_site(visit, handle.lower()) if public else ""
    dns = _of_dns(visit, handle.lower(), query) if public else ""
    said = {"the service": told, "the handle's own site": site, "DNS": dns}
    if len({did for did in said.values() if did}) > 1:
        detail = "; ".join(f"{who} says {did}" for who, did in said.items() if did)
        visit.gap("handle.disagreement", handle, detail)
    # The service's word first: it is what the captured page goes by. DNS before the site is the
    # order that the specification prefers.
    did = told or dns or site
    return did if is_did(did) else None


def _of_site(visit: Visit, handle: str) -> str:
    url = f"https://{handle}/.well-known/atproto-did"
    try:
        raw = visit.ask("handle-statement", url)
    except (NetworkError, InputError) as error:
        visit.gap("handle-statement.not-fetched", url, error.message)
        return ""
    text = raw.body[:300].decode("ascii", "replace").strip()
    return text if raw.status == 200 and is_did(text) else ""


def _of_dns(visit: Visit, handle: str, query: TxtQuery | None) -> str:
    name = f"_atproto.{handle}"
    if query is None:
        detail = "names are resolved by the proxy, which answers no such question"
        visit.gap("handle-dns.not-checked", name, detail)
        return ""
    visit.log.log("dns-asked", name=name, type="TXT")
    try:
        found = query(name)
    except NetworkError as error:
        visit.gap("handle-dns.not-checked", name, error.message)
        return ""
    document = {
        "schema": SCHEMA,
        "name": found.name,
        "texts": list(found.texts),
        "server": found.server,
        "authenticated": found.authenticated,
    }
    path = visit.out.write_document("handle-dns", document)
    named = {text.removeprefix("did=").strip() for text in found.texts if text.startswith("did=")}
    if len(named) > 1:
        visit.gap("handle-dns.ambiguous", path, "DNS names several accounts for this handle")
        return ""
    did = next(iter(named), "")
    return did if is_did(did) else ""
