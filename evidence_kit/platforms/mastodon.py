"""Mastodon's API, which many other servers speak too: Pleroma, GoToSocial, Pixelfed, Hollo.

Source: Mastodon's public API documentation (methods statuses, accounts, instance) and the
ActivityPub recommendation for the object itself. Instances cannot be told by their host: a URL of
the right form is a candidate, and the site is asked what it is before anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from evidence_kit.core.errors import EvidenceError, InputError, NetworkError, RateLimitedError
from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post
from evidence_kit.gather.http import MAX_MEDIA_BYTES, MAX_MEDIA_SECONDS
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.base import (
    ApiFolder,
    Gap,
    Http,
    Media,
    NotThisPlatformError,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
)
from evidence_kit.platforms.mastodon_read import (
    MAX_HISTORY,
    Raw,
    derive_texts,
    is_instance,
    is_status,
    media_urls,
    parse_answer,
    read_post,
)

ANONYMOUS_BOUNDS = {"ancestors": 40, "descendants": 60, "depth": 20}
"""What Mastodon shows of a thread to a visitor without a token (method statuses/context)."""
TOKEN_BOUNDS = {"ancestors": 4096, "descendants": 4096}
"""The same with a token."""
MAX_MEDIA_FILES = 40
"""Pictures of one post with all its versions; Mastodon allows 4 a version, others some 20."""

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
        rf"/(?:web/)?statuses/{_ID}/?",
    )
)
_NODEINFO_NAMES = frozenset(
    {"mastodon", "hometown", "glitchcafe", "pleroma", "akkoma", "gotosocial", "pixelfed"}
    | {"hollo", "friendica", "takahe", "mitra", "iceshrimp", "sharkey", "firefish"}
)
_ACTIVITY = {"Accept": 'application/activity+json, application/ld+json; q="0.9"'}
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
        visit = _Visit(self, target, http, out, log)
        visit.confirm()
        return visit.run()

    def bearer(self, base: str) -> dict[str, str]:
        """The header that carries the token, for its own host over TLS only."""
        parts = urlsplit(base)
        if self.token and parts.scheme == "https" and parts.netloc == self.token_host:
            return {"Authorization": f"Bearer {self.token}"}
        return {}


class _Visit:
    """The questions about one post, in their order."""

    def __init__(
        self, adapter: MastodonAdapter, target: Target, http: Http, out: ApiFolder, log: EventLog
    ) -> None:
        self._target = target
        self._http = http
        self._out = out
        self._log = log
        self._bearer = adapter.bearer(target.base)
        self._gaps: list[Gap] = []
        if adapter.token and not self._bearer:
            self._gap("token.not-sent", target.base, "the token belongs to another host")
        self._bounds = dict(TOKEN_BOUNDS if self._bearer else ANONYMOUS_BOUNDS)

    def confirm(self) -> None:
        """Ask the site whether it speaks this API.

        Raises:
            NotThisPlatformError: it does not, or could not be asked.
        """
        try:
            for version in ("v2", "v1"):
                answer = self._http.get(f"{self._target.base}/api/{version}/instance")
                value = parse_answer(answer)
                if answer.status == 200 and is_instance(value):
                    self._store("instance", answer)
                    return
            if self._nodeinfo():
                return
        except EvidenceError as error:
            self._log.log("platform.not-confirmed", adapter="mastodon", reason=error.message)
            raise NotThisPlatformError from error
        raise NotThisPlatformError

    def _nodeinfo(self) -> bool:
        """Servers that hide the instance answer may still say what they run (NodeInfo 2.x)."""
        index = self._http.get(f"{self._target.base}/.well-known/nodeinfo")
        listed = parse_answer(index)
        links = listed.get("links") if isinstance(listed, dict) else None
        for link in links[:5] if isinstance(links, list) else ():
            href = link.get("href") if isinstance(link, dict) else None
            if not isinstance(href, str) or base_of(href) != self._target.base:
                continue
            answer = self._http.get(href)
            value = parse_answer(answer)
            software = value.get("software") if isinstance(value, dict) else None
            name = software.get("name") if isinstance(software, dict) else None
            if isinstance(name, str) and name.lower() in _NODEINFO_NAMES:
                self._store("nodeinfo", answer)
                return True
        return False

    def run(self) -> PlatformResult:
        ident = quote(self._target.ident, safe="")
        address = f"{self._target.base}/api/v1/statuses/{ident}"
        try:
            status = self._ask("status", address)
        except RateLimitedError as error:
            self._gap("status.rate-limited", address, f"{error.message}: {error.hint}")
            return self._result(State.RATE_LIMITED)
        except (NetworkError, InputError) as error:
            self._gap("status.not-fetched", address, error.message)
            return self._result(State.UNKNOWN)
        if not status.usable or not is_status(status.value):
            return self._result(self._absent(status))
        if status.value["id"] != self._target.ident:
            self._gap("status.other-id", address, "the answer is about another post")
            return self._result(State.ERROR)
        self._check_author(status)
        context = self._try("context", f"{address}/context")
        history = self._try("history", f"{address}/history")
        account = status.value.get("account")
        account_id = account.get("id") if isinstance(account, dict) else None
        if isinstance(account_id, str):
            quoted = quote(account_id, safe="")
            self._try("account", f"{self._target.base}/api/v1/accounts/{quoted}")
        uri = status.value.get("uri")
        if isinstance(uri, str) and base_of(uri) is not None:
            self._try("activitypub", uri, headers=_ACTIVITY)
        return self._found(status, context, history)

    def _found(self, status: Raw, context: Raw | None, history: Raw | None) -> PlatformResult:
        places = [("post", status, "")]
        if history is not None and isinstance(history.value, list):
            if len(history.value) > MAX_HISTORY:
                self._gap("history.bound", history.path, f"{MAX_HISTORY} versions are read")
            # One version is the post itself: there is an edit only where there are two.
            if len(history.value) > 1:
                edits = history.value[:MAX_HISTORY]
                places += [("edit", history, f"/{i}") for i in range(len(edits))]
        if context is not None and isinstance(context.value, dict):
            for key, role in (("ancestors", "ancestor"), ("descendants", "reply")):
                listed = context.value.get(key)
                count = len(listed) if isinstance(listed, list) else 0
                places += [(role, context, f"/{key}/{i}") for i in range(count)]
                if count >= self._bounds[key]:
                    detail = f"the server shows at most {self._bounds[key]} of them"
                    self._gap(f"context.{key}-bound", context.path, detail)
            self._check_replies(status, context)
        texts = derive_texts(self._out, [(raw, at) for _, raw, at in places])
        posts = [read_post(role, raw, at, texts) for role, raw, at in places]
        permalink = status.value.get("url") or status.value.get("uri")
        return self._result(
            State.FOUND,
            permalink=permalink if isinstance(permalink, str) else None,
            posts=tuple(posts),
            media=tuple(self._media(status, history)),
        )

    def _absent(self, status: Raw) -> State:
        """What an answer other than the post means."""
        if status.status == 410:
            return State.GONE
        if status.status in (401, 403):
            detail = "the platform shows it only to somebody who is logged in"
            self._gap("status.login-needed", status.path, detail)
            return State.PRIVATE
        if status.status == 404:
            if self._is_tombstone():
                return State.GONE
            detail = "the platform answers the same for deleted, private and unknown posts"
            self._gap("status.not-there", status.path, detail)
            return State.NOT_THERE
        detail = f"HTTP {status.status}, not a post" if status.complete else "the answer is cut off"
        self._gap("status.unreadable", status.path, detail)
        return State.ERROR

    def _is_tombstone(self) -> bool:
        """Whether the ActivityPub object says that it was deleted (ActivityStreams Tombstone)."""
        address = self._target.base + urlsplit(self._target.url).path
        raw = self._try("activitypub", address, headers=_ACTIVITY, expected=(200, 404, 410))
        if raw is None or not isinstance(raw.value, dict):
            return False
        return raw.value.get("type") == "Tombstone"

    def _check_author(self, status: Raw) -> None:
        account = status.value.get("account")
        acct = account.get("acct") if isinstance(account, dict) else None
        asked = self._target.author
        if asked and isinstance(acct, str) and acct.lower() != asked.lower():
            host = urlsplit(self._target.base).hostname or ""
            if f"{acct}@{host}".lower() != asked.lower():
                self._gap("status.other-author", status.path, "the URL names another account")

    def _check_replies(self, status: Raw, context: Raw) -> None:
        listed = context.value.get("descendants")
        said = status.value.get("replies_count")
        direct = sum(
            isinstance(item, dict) and item.get("in_reply_to_id") == status.value["id"]
            for item in (listed if isinstance(listed, list) else ())
        )
        if isinstance(said, int) and said > direct:
            detail = f"the platform counts {said} direct replies and shows {direct}"
            self._gap("context.replies-missing", context.path, detail)

    def _media(self, status: Raw, history: Raw | None) -> Iterator[Media]:
        """The post's files, those of earlier versions, and the author's picture."""
        wanted = media_urls(status, history)
        account = status.value.get("account")
        avatar = account.get("avatar") if isinstance(account, dict) else None
        if len(wanted) > MAX_MEDIA_FILES:
            self._gap("media.bound", status.path, f"{MAX_MEDIA_FILES} files are fetched")
            wanted = dict(list(wanted.items())[:MAX_MEDIA_FILES])
        if isinstance(avatar, str):
            wanted.setdefault(avatar, (None, "avatar"))
        for url, (alt, kind) in wanted.items():
            found = self._download(url, alt, kind)
            if found is not None:
                yield found

    def _download(self, url: str, alt: str | None, kind: str) -> Media | None:
        _, part = self._out.new_media(url)
        try:
            answer = self._http.get(
                url, max_bytes=MAX_MEDIA_BYTES, max_seconds=MAX_MEDIA_SECONDS, to=part
            )
        except (NetworkError, InputError) as error:
            part.unlink(missing_ok=True)
            self._gap("media.not-fetched", url, error.message)
            return None
        if answer.body != part:
            self._gap("media.not-fetched", url, f"HTTP {answer.status}")
            return None
        if not answer.complete:
            self._gap("media.cut-off", url, str(answer.exchange.truncated))
        stored = self._out.finish_media(part, url, answer.headers.get("content-type", ""))
        return Media(stored.path, url, stored.digests.sha256, alt, kind, stored.original_name)

    def _ask(self, what: str, url: str, headers: dict[str, str] | None = None) -> Raw:
        given = dict(headers or {})
        if base_of(url) == self._target.base:
            given |= self._bearer
        answer = self._http.get(url, headers=given)
        return self._store(what, answer)

    def _try(
        self,
        what: str,
        url: str,
        headers: dict[str, str] | None = None,
        expected: tuple[int, ...] = (200,),
    ) -> Raw | None:
        """An answer that adds something but that the post does not stand or fall with."""
        try:
            raw = self._ask(what, url, headers)
        except (NetworkError, InputError) as error:
            detail = f"{error.message}: {error.hint}" if error.hint else error.message
            self._gap(f"{what}.not-fetched", url, detail)
            return None
        if raw.status not in expected:
            self._gap(f"{what}.not-fetched", url, f"HTTP {raw.status}")
            return None
        if raw.value is None:
            detail = "not JSON" if raw.complete else "the answer is cut off"
            self._gap(f"{what}.unreadable", raw.path, detail)
            return None
        return raw

    def _store(self, what: str, answer: Answer) -> Raw:
        kind = answer.headers.get("content-type", "")
        path = self._out.write(what, answer.data, url=answer.url, content_type=kind)
        if answer.decoded:
            detail = f"the server sent it with {answer.decoded} coding; the file is without"
            self._gap("api.decoded", path, detail)
        return Raw(path, answer.status, parse_answer(answer), answer.complete)

    def _gap(self, code: str, subject: str, detail: str) -> None:
        self._gaps.append(Gap(code, subject, detail))
        self._log.log("platform.gap", code=code, subject=subject, detail=detail)

    def _result(
        self,
        state: State,
        *,
        permalink: str | None = None,
        posts: tuple[Post, ...] = (),
        media: tuple[Media, ...] = (),
    ) -> PlatformResult:
        return PlatformResult(
            "mastodon",
            state,
            permalink=permalink,
            posts=posts,
            media=media,
            gaps=tuple(self._gaps),
            bounds=self._bounds,
            token_used=bool(self._bearer),
            token_would_add="" if self._bearer else _LOGIN_WOULD_ADD,
        )
