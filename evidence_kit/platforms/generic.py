"""Any other site: what its page says about itself to machines.

JSON-LD (schema.org) comes first, then microformats and the site's feed; OpenGraph and oEmbed add
what these leave open. All are first extracted to files of our own form in ``data/api``, so that
every field of the post has a place to point at. Nothing is guessed: of several possible posts none
is chosen, a description that may be shortened is not called the text, a relative time stays as it
is written. The state of an application (Next, Nuxt) is kept beside it, and nothing read out of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag

from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Place, Post, Sourced
from evidence_kit.platforms.base import (
    ApiFolder,
    Gap,
    Http,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
    precision_of,
    read_field,
)
from evidence_kit.platforms.discovery import absolute, read_elsewhere, read_oembed
from evidence_kit.platforms.embedded_state import MAX_STATES, find_states
from evidence_kit.platforms.html_metadata import Metadata, read_metadata
from evidence_kit.platforms.visit import Visit

MAX_NODES = 10_000
"""JSON-LD nodes that are looked at; a page with a long thread has some hundreds."""
MAX_REPLIES = 500
"""Comments taken over into the post document; the extraction holds all."""

POST_TYPES = frozenset(
    {"SocialMediaPosting", "DiscussionForumPosting", "BlogPosting", "Article", "NewsArticle"}
    | {"Comment", "Answer", "Question", "Review", "VideoObject"}
)
"""schema.org types that stand for a post."""

# Where schema.org has several properties for one field, the first one present is taken.
_JSONLD_FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("identifier", "@id"),
    "permalink": ("url", "@id"),
    "author_id": ("author/identifier", "author/@id"),
    "author_handle": ("author/alternateName",),
    "author_name": ("author/name",),
    "author_url": ("author/url",),
    "text": ("articleBody", "text", "commentText"),
    "language": ("inLanguage",),
    "created": ("datePublished", "dateCreated", "uploadDate"),
    "edited": ("dateModified",),
    "reply_to": ("parentItem/url", "parentItem/@id"),
    "replies": ("commentCount",),
    "media": ("image", "contentUrl"),
}
_OPENGRAPH_FIELDS = {
    "permalink": "og:url",
    "platform": "og:site_name",
    "created": "article:published_time",
    "edited": "article:modified_time",
}
_TIMES = ("created", "edited")


@dataclass(frozen=True)
class _Node:
    value: dict[str, Any]
    pointer: str
    nested: bool


@dataclass(frozen=True)
class GenericAdapter:
    """Takes every web address; comes last."""

    name: str = "generic"

    def recognise(self, url: str) -> Target | None:
        """Every http(s) address is this adapter's."""
        base = base_of(url)
        return None if base is None else Target(self.name, url, base)

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """Read the page that the browser received; ask only what the page itself points at."""
        if page is None:
            gap = Gap("page.missing", target.url, "there is no page to read the post from")
            return PlatformResult(self.name, State.UNKNOWN, gaps=(gap,))
        visit = Visit(self.name, http, out, log)
        found = read_metadata(page.html, page.charset)
        gaps = [Gap("page.bound", page.url, words) for words in found.cut]
        fields: dict[str, Sourced] = {}
        replies: list[Post] = []
        post_found = False
        gaps += _keep_states(out, page, found)
        if found.blocks:
            file = out.write_document("jsonld", _jsonld_document(page, found))
            gaps += [
                Gap("jsonld.unreadable", f"{file}#/blocks/{i}", block.error)
                for i, block in enumerate(found.blocks)
                if block.error
            ]
            node = self._choose(found, page, file, gaps)
            if node is not None:
                post_found = True
                document = _jsonld_document(page, found)
                fields = _read_node(document, file, node)
                replies = [
                    Post("reply", _read_node(document, file, reply))
                    for reply in _comments(node, file, gaps)
                ]
        if not post_found:
            fields = read_elsewhere(visit, found, page)
            post_found = bool(fields)
        if found.meta or found.canonical or found.title:
            file = out.write_document("opengraph", _opengraph_document(page, found))
            for name, sourced in _read_opengraph(found, file).items():
                fields.setdefault(name, sourced)
        for name, sourced in read_oembed(visit, found, page).items():
            fields.setdefault(name, sourced)
        for name in _TIMES:
            if name in fields and fields[name].precision == "relative-or-unreadable":
                place = fields[name].source
                detail = "the time is not a date and is kept as written"
                gaps.append(Gap("time.relative", f"{place.file}#{place.pointer}", detail))
        if not post_found:
            detail = "the page does not describe one post to machines; see page and picture"
            gaps.append(Gap("post.not-described", page.url, detail))
        for gap in gaps:
            visit.gap(gap.code, gap.subject, gap.detail)
        permalink = fields.get("permalink")
        return visit.result(
            State.FOUND if post_found else State.UNKNOWN,
            permalink=absolute(page, permalink.value if permalink else found.canonical),
            posts=(Post("post", fields), *replies) if fields else (),
        )

    def _choose(self, found: Metadata, page: Page, file: str, gaps: list[Gap]) -> _Node | None:
        """The one node that is the page's post, or None where that would be a guess."""
        nodes = [node for node in _nodes(found) if not node.nested]
        if len(nodes) > 1:
            here = {urldefrag(page.url).url, absolute(page, found.canonical)}
            nodes = [node for node in nodes if _addresses(page, node) & here]
            if len(nodes) != 1:
                detail = "several posts are described and none of them by the page's address alone"
                gaps.append(Gap("jsonld.ambiguous", file, detail))
        return nodes[0] if len(nodes) == 1 else None


def _keep_states(out: ApiFolder, page: Page, found: Metadata) -> Iterator[Gap]:
    """Each state as a file of its own, and one that says where they stand."""
    states = find_states(page.html, found.charset)
    listed = []
    for state in states:
        file = None
        if not state.error:
            file = out.write(f"state-{state.name}", state.body, url=page.url)
        listed.append(
            {
                "name": state.name,
                "form": state.form,
                "offset": state.offset,
                "size": len(state.body),
                "sha256": state.sha256 if file else None,
                "file": file,
                "error": state.error or None,
            }
        )
    if not states:
        return
    document = {
        "schema": "evidence-kit/embedded-state/1",
        "page": {"url": page.url, "sha256": found.sha256, "charset": found.charset},
        "states": listed,
    }
    file = out.write_document("embedded-state", document)
    for i, state in enumerate(states):
        if state.error:
            yield Gap("state.not-kept", f"{file}#/states/{i}", f"{state.name}: {state.error}")
    if len(states) == MAX_STATES:
        yield Gap("page.bound", page.url, f"at most {MAX_STATES} embedded states are read")


def _nodes(found: Metadata) -> Iterator[_Node]:
    """Every node of a post's type, with its place in the extraction."""
    stack: list[tuple[Any, str, bool, int]] = [
        (block.value, f"/blocks/{i}/value", False, 0)
        for i, block in reversed(list(enumerate(found.blocks)))
    ]
    seen = 0
    while stack and seen < MAX_NODES:
        value, pointer, nested, depth = stack.pop()
        seen += 1
        if isinstance(value, dict):
            is_post = bool(_types(value) & POST_TYPES)
            if is_post:
                yield _Node(value, pointer, nested)
            below = [(item, _join(pointer, key), nested or is_post) for key, item in value.items()]
        elif isinstance(value, list):
            below = [(item, f"{pointer}/{i}", nested) for i, item in enumerate(value)]
        else:
            continue
        stack += [(item, at, inside, depth + 1) for item, at, inside in reversed(below)]


def _comments(node: _Node, file: str, gaps: list[Gap]) -> list[_Node]:
    """Direct and deeper comments below a post, in their order."""
    found: list[_Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        below: list[_Node] = []
        for key in ("comment", "suggestedAnswer", "acceptedAnswer"):
            value = current.value.get(key)
            items = value if isinstance(value, list) else [value]
            for i, item in enumerate(items):
                if isinstance(item, dict) and _types(item) & POST_TYPES:
                    at = _join(current.pointer, key)
                    at = f"{at}/{i}" if isinstance(value, list) else at
                    below.append(_Node(item, at, nested=True))
        if current is not node:
            found.append(current)
        if len(found) >= MAX_REPLIES:
            gaps.append(Gap("jsonld.replies-bound", file, f"{MAX_REPLIES} comments are taken over"))
            break
        stack += reversed(below)
    return found


def _read_node(document: dict[str, Any], file: str, node: _Node) -> dict[str, Sourced]:
    fields: dict[str, Sourced] = {}
    for name, pointers in _JSONLD_FIELDS.items():
        for pointer in pointers:
            found = read_field(document, file, f"{node.pointer}/{pointer}")
            if found is None or (name != "media" and isinstance(found.value, (dict, list, bool))):
                continue
            precision = precision_of(found.value) if name in _TIMES else ""
            fields[name] = Sourced(found.value, found.source, precision)
            break
    likes = _likes(node)
    if likes is not None:
        fields["likes"] = Sourced(likes[0], Place(file, likes[1]))
    return fields


def _likes(node: _Node) -> tuple[Any, str] | None:
    value = node.value.get("interactionStatistic")
    for i, item in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(item, dict):
            continue
        kind = item.get("interactionType")
        kind = kind.get("@type") if isinstance(kind, dict) else kind
        count = item.get("userInteractionCount")
        if isinstance(kind, str) and kind.rsplit("/", 1)[-1] == "LikeAction" and count is not None:
            at = f"{node.pointer}/interactionStatistic"
            at = f"{at}/{i}" if isinstance(value, list) else at
            return count, f"{at}/userInteractionCount"
    return None


def _read_opengraph(found: Metadata, file: str) -> dict[str, Sourced]:
    fields: dict[str, Sourced] = {}
    for name, wanted in _OPENGRAPH_FIELDS.items():
        for i, (key, content) in enumerate(found.meta):
            if key == wanted and content:
                precision = precision_of(content) if name in _TIMES else ""
                fields[name] = Sourced(content, Place(file, f"/meta/{i}/content"), precision)
                break
    return fields


def _jsonld_document(page: Page, found: Metadata) -> dict[str, Any]:
    return {
        "schema": "evidence-kit/jsonld/1",
        "page": {"url": page.url, "sha256": found.sha256, "charset": found.charset},
        "blocks": [
            {"line": b.line, "column": b.column, "value": b.value, "error": b.error or None}
            for b in found.blocks
        ],
    }


def _opengraph_document(page: Page, found: Metadata) -> dict[str, Any]:
    return {
        "schema": "evidence-kit/opengraph/1",
        "page": {"url": page.url, "sha256": found.sha256, "charset": found.charset},
        "title": found.title,
        "language": found.language,
        "canonical": found.canonical,
        "meta": [{"name": name, "content": content} for name, content in found.meta],
    }


def _types(value: dict[str, Any]) -> set[str]:
    kinds = value.get("@type")
    listed = kinds if isinstance(kinds, list) else [kinds]
    return {kind.rsplit("/", 1)[-1] for kind in listed if isinstance(kind, str)}


def _addresses(page: Page, node: _Node) -> set[str | None]:
    main = node.value.get("mainEntityOfPage")
    listed = [node.value.get("url"), node.value.get("@id"), main]
    if isinstance(main, dict):
        listed.append(main.get("@id"))
    return {absolute(page, item) for item in listed if isinstance(item, str)} - {None}


def _join(pointer: str, key: str) -> str:
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
