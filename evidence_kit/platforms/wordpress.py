"""WordPress: the REST API of the site itself, found through the page's own link to it.

Source: WordPress REST API handbook (discovery, posts, pages, comments, media, users). Any address
can be a WordPress post, so the page decides: ``<link rel="https://api.w.org/">``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post, Sourced
from evidence_kit.platforms.base import (
    ApiFolder,
    Http,
    NotThisPlatformError,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
)
from evidence_kit.platforms.html_metadata import Metadata, read_metadata
from evidence_kit.platforms.reading import Raw, Texts, at, derive_texts, read_fields, text_at
from evidence_kit.platforms.visit import Visit

RELATION = "https://api.w.org/"
PAGE = 100
"""Comments on one page; the API's maximum."""
MAX_PAGES = 5
"""Pages of comments."""
MAX_ABOVE = 10
"""Comments above a comment; WordPress nests five deep unless told otherwise."""

_ROUTE = re.compile(r"wp/v2/(?P<kind>[a-z0-9_-]{1,40})/(?P<id>[0-9]{1,18})/?")
_COMMENT = re.compile(r"comment-(?P<id>[0-9]{1,18})")
_UTC = "second-utc"
"""Precision of fields whose name says that they are UTC."""

FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": "link",
    "author_id": "author",
    "title": "title/rendered",
    "text_html": "content/rendered",
    "created": ("date_gmt", "date"),
    "edited": ("modified_gmt", "modified"),
    "visibility": "status",
    "media": "featured_media",
}
COMMENT_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": "link",
    "author_id": "author",
    "author_name": "author_name",
    "author_url": "author_url",
    "text_html": "content/rendered",
    "created": ("date_gmt", "date"),
    "visibility": "status",
    "reply_to": "parent",
    "conversation": "post",
}


@dataclass(frozen=True)
class WordPressAdapter:
    """Posts, pages and comments of any WordPress site."""

    name: str = "wordpress"

    def recognise(self, url: str) -> Target | None:
        """Any web address; :meth:`fetch` looks whether the page is WordPress's."""
        base = base_of(url)
        if base is None:
            return None
        found = _COMMENT.fullmatch(urlsplit(url).fragment)
        return Target(self.name, url, base, found["id"] if found else "")

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; the page names the API."""
        if page is None:
            raise NotThisPlatformError
        found = read_metadata(page.html, page.charset)
        root = next((link.href for link in found.links if RELATION in link.rel), "")
        root = _absolute(page, root)
        route = _route(found, page, target.url)
        if not root or route is None:
            raise NotThisPlatformError
        visit = Visit(self.name, http, out, log, bounds={"pages of comments": MAX_PAGES})
        return _Questions(visit, root, *route, target.ident).run(page)


def _absolute(page: Page, address: str) -> str:
    try:
        found = urljoin(page.url, address) if address else ""
    except ValueError:
        return ""
    return found if base_of(found) is not None else ""


def _route(found: Metadata, page: Page, asked: str) -> tuple[str, str] | None:
    """Collection and id of the page's post: from its own link, else from ``?p=``."""
    for link in found.links:
        if "alternate" in link.rel and link.kind == "application/json":
            place = _ROUTE.search(link.href)
            if place is not None:
                return place["kind"], place["id"]
    short = [link.href for link in found.links if "shortlink" in link.rel]
    for address in (*short, asked, page.url):
        query = urlsplit(_absolute(page, address)).query
        given = parse_qs(query, max_num_fields=50) if query.count("&") < 50 else {}
        for name, kind in (("p", "posts"), ("page_id", "pages")):
            ident = given.get(name, [""])[0]
            if re.fullmatch(r"[0-9]{1,18}", ident):
                return kind, ident
    return None


class _Questions:
    """The questions about one post and its comments."""

    def __init__(self, visit: Visit, root: str, kind: str, ident: str, comment: str) -> None:
        self._visit = visit
        self._root = root
        self._kind = kind
        self._ident = ident
        self._comment = comment

    def run(self, page: Page) -> PlatformResult:
        """Ask for the post, then what belongs to it; with a comment asked for, that is the post."""
        visit = self._visit
        raw = visit.main("post", self._address(f"wp/v2/{self._kind}/{self._ident}"))
        if isinstance(raw, PlatformResult):
            return raw
        if not raw.usable or str(raw.get("/id")) != self._ident:
            if raw.status == 200:
                visit.unreadable("post", raw)
                return visit.result(State.ERROR)
            code = text_at(raw.value, "/code") or "no code"
            return visit.result(
                visit.absent(
                    "post",
                    raw,
                    login=f"not published: a draft, private or in the bin ({code})",
                    not_there=f"the site knows no post of this number ({code})",
                )
            )
        wanted: dict[str, tuple[str | None, str]] = {}
        self._author(raw)
        self._pictures(raw, wanted)
        permalink = text_at(raw.value, "/link")
        if permalink:
            visit.also("oembed", self._address("oembed/1.0/embed", url=permalink))
        self._remarks(raw)
        answers = self._comments()
        if self._comment:
            return self._about_comment(raw, answers, wanted)
        if raw.get("/content/protected") is True:
            visit.gap("post.protected", raw.path, "the site asks for a password to show the text")
            return visit.result(State.PRIVATE, permalink=permalink or None)
        places = [(raw, ""), *answers]
        texts = derive_texts(visit.out, places, "content/rendered")
        posts = [_post("post", raw, "", FIELDS, texts)]
        posts += [_post("reply", part, place, COMMENT_FIELDS, texts) for part, place in answers]
        return visit.result(
            State.FOUND,
            permalink=permalink or None,
            posts=posts,
            media=visit.media(wanted, raw.path),
        )

    def _about_comment(
        self,
        post: Raw,
        answers: list[tuple[Raw, str]],
        wanted: Mapping[str, tuple[str | None, str]],
    ) -> PlatformResult:
        visit = self._visit
        raw = visit.main("comment", self._address(f"wp/v2/comments/{self._comment}"))
        if isinstance(raw, PlatformResult):
            return raw
        if not raw.usable or str(raw.get("/id")) != self._comment:
            if raw.status == 200:
                visit.unreadable("comment", raw)
                return visit.result(State.ERROR)
            login = "not approved, or taken away: the site shows it to its editors only"
            return visit.result(visit.absent("comment", raw, login=login))
        by_id = {at(part.value, f"{place}/id"): (part, place) for part, place in answers}
        above: list[tuple[Raw, str]] = []
        parent = raw.get("/parent")
        while parent in by_id and len(above) < MAX_ABOVE:
            above.append(by_id.pop(parent))
            parent = above[-1][0].get(f"{above[-1][1]}/parent")
        by_id.pop(raw.get("/id"), None)
        below = [place for place in by_id.values() if _is_below(place, raw.get("/id"), dict(by_id))]
        places = [(raw, ""), *above, *below, (post, "")]
        texts = derive_texts(visit.out, places, "content/rendered")
        posts = [_post("post", raw, "", COMMENT_FIELDS, texts)]
        posts += [_post("ancestor", part, at_, COMMENT_FIELDS, texts) for part, at_ in above]
        posts += [_post("reply", part, at_, COMMENT_FIELDS, texts) for part, at_ in below]
        posts.append(_post("quoted", post, "", FIELDS, texts))
        return visit.result(
            State.FOUND,
            permalink=text_at(raw.value, "/link") or None,
            posts=posts,
            media=visit.media(wanted, post.path),
        )

    def _author(self, raw: Raw) -> None:
        author = raw.get("/author")
        if isinstance(author, int) and author > 0:
            # Many sites hide their users; that is no fault.
            address = self._address(f"wp/v2/users/{author}")
            self._visit.also("author", address, expected=(200, 401, 403, 404))

    def _pictures(self, raw: Raw, wanted: dict[str, tuple[str | None, str]]) -> None:
        listed = self._visit.also(
            "media",
            self._address("wp/v2/media", parent=self._ident, per_page=str(PAGE)),
            expected=(200, 401, 403, 404),
        )
        featured = raw.get("/featured_media")
        items = listed.listed("") if listed is not None else []
        if isinstance(featured, int) and featured > 0:
            one = self._visit.also("picture", self._address(f"wp/v2/media/{featured}"))
            items = [one.value, *items] if one is not None else items
        for item in items:
            url = text_at(item, "/source_url")
            if url:
                alt = text_at(item, "/alt_text") or None
                wanted.setdefault(url, (alt, text_at(item, "/media_type")))

    def _remarks(self, raw: Raw) -> None:
        count = raw.get("/_links/version-history/0/count")
        if isinstance(count, int) and count > 0:
            detail = f"{count} earlier versions, shown to the site's editors only"
            self._visit.gap("post.revisions", raw.path, detail)

    def _comments(self) -> list[tuple[Raw, str]]:
        """Answers and pointers of the comments, oldest first."""
        visit = self._visit
        found: list[tuple[Raw, str]] = []
        for number in range(1, MAX_PAGES + 1):
            asked = {
                "post": self._ident,
                "per_page": str(PAGE),
                "order": "asc",
                "page": str(number),
            }
            raw = visit.also("comments", self._address("wp/v2/comments", **asked))
            items = raw.listed("") if raw is not None else []
            if raw is None or not items:
                return found
            found += [(raw, f"/{i}") for i in range(len(items)) if isinstance(items[i], dict)]
            total = raw.headers.get("x-wp-total", "")
            if len(items) < PAGE or (total.isdecimal() and len(found) >= int(total[:9])):
                return found
        detail = f"{MAX_PAGES} pages of comments are read"
        visit.bound("pages of comments", "comments.bound", self._ident, detail)
        return found

    def _address(self, path: str, **asked: str) -> str:
        """Below the API's root, which is a path or, without rewriting, ``?rest_route=/``."""
        query = urlencode(asked)
        joint = "&" if "?" in self._root else "?"
        return f"{self._root.rstrip('/')}/{path}" + (f"{joint}{query}" if query else "")


def _is_below(
    place: tuple[Raw, str], top: object, others: Mapping[object, tuple[Raw, str]]
) -> bool:
    """Whether a comment answers another, directly or through others."""
    current = place
    for _ in range(MAX_ABOVE):
        parent = current[0].get(f"{current[1]}/parent")
        if parent == top:
            return True
        if parent not in others:
            return False
        current = others[parent]
    return False


def _post(
    role: str,
    raw: Raw,
    place: str,
    table: Mapping[str, str | tuple[str, ...]],
    texts: Texts,
) -> Post:
    fields = read_fields(raw, place, table)
    for name in ("created", "edited"):
        found = fields.get(name)
        if found is not None and found.source.pointer.endswith("_gmt"):
            fields[name] = Sourced(found.value, found.source, _UTC)
    created, edited = fields.get("created"), fields.get("edited")
    if created is not None and edited is not None and created.value == edited.value:
        del fields["edited"]
    for name in ("author_id", "reply_to", "media"):  # 0 stands for none
        if name in fields and fields[name].value == 0:
            del fields[name]
    text = texts.get((raw.path, place))
    if text is not None:
        fields["text"] = text
    return Post(role, fields)
