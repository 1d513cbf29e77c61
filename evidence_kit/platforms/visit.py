"""One adapter's questions about one post: ask, store, note what is missing, sum up.

What every adapter does the same way stands here once, so that an adapter is only its platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from evidence_kit.core.errors import InputError, NetworkError, RateLimitedError
from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post
from evidence_kit.gather.http import MAX_MEDIA_BYTES, MAX_MEDIA_SECONDS
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.base import (
    ApiFolder,
    Gap,
    Http,
    Media,
    PlatformResult,
    State,
    base_of,
)
from evidence_kit.platforms.reading import Raw, parse_answer

MEDIA_FILES = "media files"
"""Name of the bound that every visit has."""
MAX_MEDIA_FILES = 40
"""Files of one post with all its versions; Mastodon allows 4 a version, others some 20."""

Wanted = Mapping[str, tuple[str | None, str]]
"""Addresses of media with their alternative text and kind."""


class Visit:
    """The answers, gaps and bounds of one visit.

    Args:
        name: of the adapter.
        http: the recording session.
        out: gets the raw answers.
        log: gets the gaps.
        bounds: limits in force.
        token_would_add: what a token would add, empty where nothing or where one is used.
        token_used: whether a token takes part.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        out: ApiFolder,
        log: EventLog,
        *,
        bounds: Mapping[str, int] | None = None,
        token_would_add: str = "",
        token_used: bool = False,
    ) -> None:
        self.name = name
        self.http = http
        self.out = out
        self.log = log
        self.bounds = {**(bounds or {}), MEDIA_FILES: MAX_MEDIA_FILES}
        self.token_used = token_used
        self.token_would_add = "" if token_used else token_would_add
        self._gaps: list[Gap] = []
        self._reached: dict[str, None] = {}
        self._streams: dict[str, None] = {}

    def ask(self, what: str, url: str, headers: Mapping[str, str] | None = None) -> Raw:
        """Ask and store the answer, whatever its status.

        Raises:
            NetworkError: no answer.
            InputError: not a web address.
        """
        return self.store(what, self.http.get(url, headers=dict(headers or {})))

    def main(
        self, what: str, url: str, headers: Mapping[str, str] | None = None
    ) -> Raw | PlatformResult:
        """The question that the post stands or falls with; a result where no answer came."""
        try:
            return self.ask(what, url, headers)
        except RateLimitedError as error:
            self.gap(f"{what}.rate-limited", url, f"{error.message}: {error.hint}")
            return self.result(State.RATE_LIMITED)
        except (NetworkError, InputError) as error:
            self.gap(f"{what}.not-fetched", url, error.message)
            return self.result(State.UNKNOWN)

    def also(
        self,
        what: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        expected: Iterable[int] = (200,),
    ) -> Raw | None:
        """An answer that adds something but that the post does not stand or fall with."""
        try:
            raw = self.ask(what, url, headers)
        except (NetworkError, InputError) as error:
            detail = f"{error.message}: {error.hint}" if error.hint else error.message
            self.gap(f"{what}.not-fetched", url, detail)
            return None
        if raw.status not in tuple(expected):
            self.gap(f"{what}.not-fetched", url, f"HTTP {raw.status}")
            return None
        if raw.value is None:
            self.unreadable(what, raw)
            return None
        return raw

    def store(self, what: str, answer: Answer) -> Raw:
        """Store an answer byte for byte."""
        kind = answer.headers.get("content-type", "")
        path = self.out.write(
            what,
            answer.data,
            url=answer.url,
            content_type=kind,
            exchange=answer.exchange.number if answer.complete else None,
        )
        if answer.decoded:
            detail = f"the server sent it with {answer.decoded} coding; the file is without"
            self.gap("api.decoded", path, detail)
        return Raw(
            path,
            answer.status,
            parse_answer(answer),
            answer.complete,
            answer.url,
            answer.data,
            answer.headers,
        )

    def gap(self, code: str, subject: str, detail: str) -> None:
        """Note something that is missing."""
        self._gaps.append(Gap(code, subject, detail))
        self.log.log("platform.gap", code=code, subject=subject, detail=detail)

    def reach(self, name: str) -> None:
        """Note that one of the bounds cut something off, or may have."""
        if name not in self.bounds:
            raise ValueError(f"no bound of this visit: {name}")
        self._reached.setdefault(name)

    def bound(self, name: str, code: str, subject: str, detail: str) -> None:
        """The same, with what a reader must know of it."""
        self.reach(name)
        self.gap(code, subject, detail)

    def stream(self, url: str) -> None:
        """Note the list of a film that the platform serves in no whole file."""
        if base_of(url) is not None:
            self._streams.setdefault(url)

    def unreadable(self, what: str, raw: Raw) -> None:
        """Note an answer that cannot be used."""
        if not raw.complete:
            detail = "the answer is cut off"
        elif raw.status != 200:
            detail = f"HTTP {raw.status}, not a post"
        else:
            detail = "not JSON" if raw.value is None else "not in the documented form"
        self.gap(f"{what}.unreadable", raw.path, detail)

    def absent(self, what: str, raw: Raw, *, login: str = "", not_there: str = "") -> State:
        """What an answer without the post means, by its status alone.

        Args:
            what: the question.
            raw: the answer.
            login: words for 401 and 403.
            not_there: words for 404.
        """
        if raw.status == 410:
            self.gap(f"{what}.gone", raw.path, "the platform says that it was removed")
            return State.GONE
        if raw.status in (401, 403):
            words = login or "the platform shows it only to somebody with the right to see it"
            self.gap(f"{what}.login-needed", raw.path, words)
            return State.PRIVATE
        if raw.status == 404:
            words = not_there or "the platform does not say whether it was removed or never was"
            self.gap(f"{what}.not-there", raw.path, words)
            return State.NOT_THERE
        self.unreadable(what, raw)
        return State.ERROR

    def media(self, wanted: Wanted, subject: str) -> tuple[Media, ...]:
        """Fetch the files, at most :data:`MAX_MEDIA_FILES` of them."""
        if len(wanted) > MAX_MEDIA_FILES:
            self.bound(MEDIA_FILES, "media.bound", subject, f"{MAX_MEDIA_FILES} files are fetched")
        found = [
            self.download(url, alt, kind)
            for url, (alt, kind) in list(wanted.items())[:MAX_MEDIA_FILES]
        ]
        return tuple(item for item in found if item is not None)

    def download(
        self, url: str, alt: str | None, kind: str, headers: Mapping[str, str] | None = None
    ) -> Media | None:
        """One file, byte for byte as served; None and a gap where it cannot be had."""
        _, part = self.out.new_media(url)
        try:
            answer = self.http.get(
                url,
                headers=dict(headers or {}),
                max_bytes=MAX_MEDIA_BYTES,
                max_seconds=MAX_MEDIA_SECONDS,
                to=part,
            )
        except (NetworkError, InputError) as error:
            part.unlink(missing_ok=True)
            self.gap("media.not-fetched", url, error.message)
            return None
        if answer.body != part:
            self.gap("media.not-fetched", url, f"HTTP {answer.status}")
            return None
        if not answer.complete:
            self.gap("media.cut-off", url, str(answer.exchange.truncated))
        stored = self.out.finish_media(
            part,
            url,
            answer.headers.get("content-type", ""),
            answer.exchange.number if answer.complete else None,
        )
        return Media(stored.path, url, stored.digests.sha256, alt, kind, stored.original_name)

    def result(
        self,
        state: State,
        *,
        permalink: str | None = None,
        posts: Iterable[Post] = (),
        media: Iterable[Media] = (),
    ) -> PlatformResult:
        """What was found out."""
        return PlatformResult(
            self.name,
            state,
            permalink=permalink,
            posts=tuple(posts),
            media=tuple(media),
            gaps=tuple(self._gaps),
            bounds=self.bounds,
            token_used=self.token_used,
            token_would_add=self.token_would_add,
            streams=tuple(self._streams),
            reached=tuple(self._reached),
        )


def host_in(url: str, hosts: Iterable[str]) -> bool:
    """Whether a web address is on one of these hosts or, for ``.example.com``, below it."""
    if base_of(url) is None:
        return False
    parts = urlsplit(url)
    if parts.port not in (None, 80, 443):
        return any(parts.netloc.rpartition("@")[2].lower() == host for host in hosts)
    name = (parts.hostname or "").lower().rstrip(".")
    return any(
        name == host.lstrip(".") or (host.startswith(".") and name.endswith(host)) for host in hosts
    )
