"""What a page points at or marks up beside JSON-LD: microformats, its feed's entry, oEmbed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urldefrag, urljoin

from evidence_kit.core.post import Sourced
from evidence_kit.platforms import feeds, microformats
from evidence_kit.platforms.base import Page, base_of
from evidence_kit.platforms.html_metadata import MAX_HTML, Metadata
from evidence_kit.platforms.html_tree import parse_tree
from evidence_kit.platforms.reading import Raw, read_fields, text_at
from evidence_kit.platforms.visit import Visit

MAX_FEEDS = 2
"""Feeds of a page that are asked; the first is the site's own, later ones are of comments."""
_FEED_TYPES = frozenset({"application/atom+xml", "application/rss+xml"})
OEMBED_FIELDS: dict[str, str | tuple[str, ...]] = {
    "platform": "provider_name",
    "author_name": "author_name",
    "author_url": "author_url",
    "title": "title",
}
"""An oEmbed answer's own fields (oembed.com, section 2.3.4); its HTML is not taken for the text."""


def absolute(page: Page, address: Any) -> str | None:
    """A link of the page as a web address without fragment, None where it is none."""
    if not isinstance(address, str) or not address:
        return None
    try:
        found = urldefrag(urljoin(page.url, address)).url
    except ValueError:
        return None
    return found if base_of(found) is not None else None


def read_elsewhere(visit: Visit, found: Metadata, page: Page) -> dict[str, Sourced]:
    """Fields of the page's post from its microformats, else from its feed; empty for none."""
    return _read_microformats(visit, found, page) or _read_feed(visit, found, page)


def _read_microformats(visit: Visit, found: Metadata, page: Page) -> dict[str, Sourced]:
    html = page.html[:MAX_HTML]
    if b"h-entry" not in html:
        return {}
    tree = parse_tree(html.decode(found.charset, "replace"))
    entries = microformats.read_entries(tree, page.url)
    if not entries:
        return {}
    document = {
        "schema": "evidence-kit/microformats/1",
        "page": {"url": page.url, "sha256": found.sha256, "charset": found.charset},
        "entries": entries,
    }
    path = visit.out.write_document("microformats", document)
    places = list(range(len(entries)))
    if len(entries) > 1:
        here = {absolute(page, page.url), absolute(page, found.canonical)} - {None}
        places = [i for i in places if absolute(page, entries[i]["url"]) in here]
    if len(places) != 1:
        detail = "several entries are marked and none of them by the page's address alone"
        visit.gap("microformats.ambiguous", path, detail)
        return {}
    raw = Raw(path, 200, document, complete=True)
    return read_fields(raw, f"/entries/{places[0]}", microformats.FIELDS)


def _read_feed(visit: Visit, found: Metadata, page: Page) -> dict[str, Sourced]:
    pages = {page.url, *filter(None, [absolute(page, found.canonical)])}
    links = [link for link in found.links if "alternate" in link.rel and link.kind in _FEED_TYPES]
    for link in links[:MAX_FEEDS]:
        address = absolute(page, link.href)
        if address is None:
            continue
        raw = visit.main("feed", address)
        if not isinstance(raw, Raw):
            continue
        if raw.status != 200 or not raw.complete:
            visit.gap("feed.not-fetched", address, f"HTTP {raw.status}")
            continue
        entry = feeds.entry_about(raw.body, raw.url, pages)
        if entry is not None:
            document = feeds.entry_document(entry, raw.path)
            path = visit.out.write_document("feed-entry", document)
            return feeds.read_entry(Raw(path, 200, document, complete=True))
    return {}


def read_oembed(visit: Visit, found: Metadata, page: Page) -> dict[str, Sourced]:
    """What the endpoint says that the page itself names for this purpose."""
    for link in found.links:
        if "alternate" in link.rel and link.kind == "application/json+oembed":
            address = absolute(page, link.href)
            raw = visit.also("oembed", address) if address is not None else None
            if raw is None or text_at(raw.value, "/version") not in ("1.0", "1"):
                return {}
            return read_fields(raw, "", OEMBED_FIELDS)
    return {}
