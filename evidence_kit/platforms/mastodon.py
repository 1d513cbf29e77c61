"""Mastodon's API, which many other servers speak too: Pleroma, GoToSocial, Pixelfed, Hollo.

Source: Mastodon's public API documentation (methods statuses, accounts, instance) and the
ActivityPub recommendation for the object itself. Instances cannot be told by their host: a URL of
the right form is a candidate, and the site is asked what it is before anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evidence_kit.core.errors import EvidenceError
from evidence_kit.core.events import EventLog
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
from evidence_kit.platforms.mastodon_read import (
    MAX_HISTORY,
    depth_below,
    is_instance,
    is_object,
    is_status,
    media_urls,
    object_media_urls,
    read_object,
    read_post,
)
from evidence_kit.platforms.reading import Raw, at, derive_texts, parse_answer, segment, text_at
from evidence_kit.platforms.visit import Visit

ANONYMOUS_BOUNDS = {"ancestors": 40, "descendants": 60, "depth": 20}
"""What Mastodon shows of a thread to a visitor without a token (method statuses/context)."""
TOKEN_BOUNDS = {"ancestors": 4096, "descendants": 4096}
"""The same with a token."""
_NUMBER = r"[0-9]{1,20}"
_ULID = r"[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_FLAKE = r"(?=[A-Za-z]*[0-9])[0-9A-Za-z]{18}"  # Pleroma's ids
_ID = rf"(?P<id>{_NUMBER}|{_ULID}|{_UUID}|{_FLAKE})"
_USER = r"(?P<user>[A-Za-z0-9_.-]{1,100}(?:@[A-Za-z0-9.:-]{1,255})?)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"/(?:web/|deck/)?@{_USER}/{_ID}(?:/embed|/activity)?/?",
        rf"/users/{_USER}/statuses/{_ID}(?:/activity)?/?",
        rf"/@{_USER}/statuses/{_ID}/?",
        rf"/notice/{_ID}/?",
        rf"/p/{_USER}/{_ID}/?",
        rf"/(?:web/)?statuses/{_ID}/?",
    )
)
_NODEINFO_NAMES = frozenset(
    {"mastodon", "hometown", "glitchcafe", "pleroma", "akkoma", "gotosocial", "pixelfed"}
    | {"hollo", "friendica", "takahe", "mitra", "iceshrimp", "sharkey", "firefish"}
)
_ACTIVITY = {"Accept": 'application/activity+json, application/ld+json; q="0.9"'}
_CLOSED = frozenset({401, 403, 422})
"""Answers to a question that every server with an open API answers with 200."""
_LOGIN_WOULD_ADD = "longer threads, and posts that the token's account may see"


@dataclass(frozen=True)
class MastodonAdapter:
    """Mastodon's API.

    Args:
        token: access token, or None; never part of any output.
        token_host: the only host (with port, where not the usual one) that the token is sent to.
    """

    token: str | None = field(default=None, repr=False)
    token_host: str | None = None
    name: str = "mastodon"

    def recognise(self, url: str) -> Target | None:
        """A candidate where the path has the form of a status; :meth:`fetch` confirms it."""
        base = base_of(url)
        if base is None:
            return None
        path = urlsplit(url).path
        for form in _FORMS:
            found = form.fullmatch(path)
            if found is not None:
                author = found.groupdict().get("user") or ""
                return Target(self.name, url, base, found["id"], author)
        return None

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        questions = _Questions(self, target, http, out, log)
        questions.confirm()
        return questions.run()

    def bearer(self, base: str) -> dict[str, str]:
        """The header that carries the token, for its own host over TLS only."""
        parts = urlsplit(base)
        if self.token and parts.scheme == "https" and parts.netloc == self.token_host:
            return {"Authorization": f"Bearer {self.token}"}
        return {}


class _Questions:
    """The questions about one post, in their order."""

    def __init__(
        self, adapter: MastodonAdapter, target: Target, http: Http, out: ApiFolder, log: EventLog
    ) -> None:
        self._target = target
        self._bearer = adapter.bearer(target.base)
        self._visit = Visit(
            "mastodon",
            http,
            out,
            log,
            bounds=TOKEN_BOUNDS if self._bearer else ANONYMOUS_BOUNDS,
            token_would_add=_LOGIN_WOULD_ADD,
            token_used=bool(self._bearer),
        )
        if adapter.token and not self._bearer:
            self._visit.gap("token.not-sent", target.base, "the token belongs to another host")

    def confirm(self) -> None:
        """Ask the site whether it speaks this API.

        Raises:
            NotThisPlatformError: it does not, or could not be asked.
        """
        visit = self._visit
        try:
            for version in ("v2", "v1"):
                answer = visit.http.get(f"{self._target.base}/api/{version}/instance")
                if answer.status == 200 and is_instance(parse_answer(answer)):
                    visit.store("instance", answer)
                    return
            if self._nodeinfo():
                return
        except EvidenceError as error:
            visit.log.log("platform.not-confirmed", adapter="mastodon", reason=error.message)
            raise NotThisPlatformError from error
        raise NotThisPlatformError

    def _nodeinfo(self) -> bool:
        """Servers that hide the instance answer may still say what they run (NodeInfo 2.x)."""
        http = self._visit.http
        links = at(parse_answer(http.get(f"{self._target.base}/.well-known/nodeinfo")), "/links")
        for link in links[:5] if isinstance(links, list) else ():
            href = text_at(link, "/href")
            if base_of(href) != self._target.base:
                continue
            answer = http.get(href)
            if text_at(parse_answer(answer), "/software/name").lower() in _NODEINFO_NAMES:
                self._visit.store("nodeinfo", answer)
                return True
        return False

    def run(self) -> PlatformResult:
        """Ask for the post, and where it is there for all that belongs to it."""
        visit = self._visit
        address = f"{self._target.base}/api/v1/statuses/{segment(self._target.ident)}"
        status = visit.main("status", address, self._bearer)
        if isinstance(status, PlatformResult):
            return status
        if not status.usable or not is_status(status.value):
            return self._without_status(status)
        if status.value["id"] != self._target.ident:
            visit.gap("status.other-id", address, "the answer is about another post")
            return visit.result(State.ERROR)
        self._check_author(status)
        context = visit.also("context", f"{address}/context", self._bearer)
        history = visit.also("history", f"{address}/history", self._bearer)
        if self._bearer:
            visit.also("source", f"{address}/source", self._bearer, expected=(200, 403, 404))
        account = text_at(status.value, "/account/id")
        if account:
            accounts = f"{self._target.base}/api/v1/accounts"
            visit.also("account", f"{accounts}/{segment(account)}", self._bearer)
        self._home_object(status)
        return self._found(status, context, history)

    def _home_object(self, status: Raw) -> None:
        """The ActivityPub object from the author's own server, which need not be this one."""
        uri = text_at(status.value, "/uri")
        home = base_of(uri)
        if home is None:
            return
        headers = self._bearer if home == self._target.base else {}
        raw = self._visit.also("activitypub", uri, {**headers, **_ACTIVITY})
        if raw is not None and text_at(raw.value, "/id") not in ("", uri):
            self._visit.gap("activitypub.other-id", raw.path, "the object names another id")

    def _found(self, status: Raw, context: Raw | None, history: Raw | None) -> PlatformResult:
        visit = self._visit
        places = [("post", status, "")]
        if history is not None and isinstance(history.value, list):
            if len(history.value) > MAX_HISTORY:
                visit.gap("history.bound", history.path, f"{MAX_HISTORY} versions are read")
            # One version is the post itself: there is an edit only where there are two.
            if len(history.value) > 1:
                edits = history.value[:MAX_HISTORY]
                places += [("edit", history, f"/{i}") for i in range(len(edits))]
        # Mastodon 4.4 nests the quoted post; Pleroma and its kin give it directly.
        for pointer in ("/quote/quoted_status", "/quote", "/pleroma/quote", "/reblog"):
            if is_status(at(status.value, pointer)):
                places.append(("quoted", status, pointer))
                break
        if context is not None and isinstance(context.value, dict):
            for key, role in (("ancestors", "ancestor"), ("descendants", "reply")):
                count = len(context.listed(f"/{key}"))
                places += [(role, context, f"/{key}/{i}") for i in range(count)]
                if count >= visit.bounds[key]:
                    detail = f"the server shows at most {visit.bounds[key]} of them"
                    visit.bound(key, f"context.{key}-bound", context.path, detail)
            if 0 < visit.bounds.get("depth", 0) <= depth_below(context):
                visit.reach("depth")
            self._check_replies(status, context)
        texts = derive_texts(visit.out, [(raw, where) for _, raw, where in places])
        posts = [read_post(role, raw, where, texts) for role, raw, where in places]
        permalink = status.value.get("url") or status.value.get("uri")
        wanted = media_urls(status, history)
        avatar = text_at(status.value, "/account/avatar")
        if avatar:
            wanted.setdefault(avatar, (None, "avatar"))
        return visit.result(
            State.FOUND,
            permalink=permalink if isinstance(permalink, str) else None,
            posts=posts,
            media=visit.media(wanted, status.path),
        )

    def _without_status(self, status: Raw) -> PlatformResult:
        """What an answer other than the post means; the ActivityPub object may say more."""
        visit = self._visit
        if status.status in (401, 403, 404):
            address = self._target.base + urlsplit(self._target.url).path
            found = visit.also("activitypub", address, _ACTIVITY, (200, 401, 403, 404, 410))
            if found is not None and text_at(found.value, "/type") == "Tombstone":
                visit.gap("status.gone", found.path, "the object is a tombstone")
                return visit.result(State.GONE)
            if found is not None and found.usable and is_object(found.value):
                return self._found_object(status, found)
        if status.status == 401 and self._api_closed():
            detail = "this server answers such questions only to somebody who is logged in"
            visit.gap("status.api-closed", status.path, detail)
            return visit.result(State.UNKNOWN)
        state = visit.absent(
            "status",
            status,
            login="the platform shows it only to somebody who is logged in",
            not_there="the platform answers the same for deleted, private and unknown posts",
        )
        return visit.result(state)

    def _api_closed(self) -> bool:
        """Whether the server refuses what every open one gives, and so says nothing of the post."""
        raw = self._visit.also(
            "timeline",
            f"{self._target.base}/api/v1/timelines/public?limit=1",
            expected=(200, 401, 403, 404, 422),
        )
        return raw is not None and raw.status in _CLOSED

    def _found_object(self, status: Raw, found: Raw) -> PlatformResult:
        """The post as ActivityPub gives it, where the API is closed."""
        visit = self._visit
        detail = f"HTTP {status.status}; read from the ActivityPub object instead"
        visit.gap("status.not-fetched", status.path, detail)
        texts = derive_texts(visit.out, [(found, "")])
        permalink = text_at(found.value, "/url") or text_at(found.value, "/id")
        return visit.result(
            State.FOUND,
            permalink=permalink or None,
            posts=[read_object(found, texts)],
            media=visit.media(object_media_urls(found), found.path),
        )

    def _check_author(self, status: Raw) -> None:
        acct = text_at(status.value, "/account/acct")
        asked = self._target.author
        if asked and acct and acct.lower() != asked.lower():
            host = urlsplit(self._target.base).hostname or ""
            if f"{acct}@{host}".lower() != asked.lower():
                detail = "the URL names another account"
                self._visit.gap("status.other-author", status.path, detail)

    def _check_replies(self, status: Raw, context: Raw) -> None:
        said = status.value.get("replies_count")
        direct = sum(
            isinstance(item, dict) and item.get("in_reply_to_id") == status.value["id"]
            for item in context.listed("/descendants")
        )
        if isinstance(said, int) and said > direct:
            detail = f"the platform counts {said} direct replies and shows {direct}"
            self._visit.gap("context.replies-missing", context.path, detail)
