"""Bluesky and other services on AT Protocol, with the proof from the author's own repository.

The public service (AppView) gives what a reader sees: thread, profile, counts. The author's own
server (PDS), found through the DID document, gives the record and a signed proof of it, or of its
absence. The account's DID log, from the directory, names the key. All of it stays in the bundle.
Source: AT Protocol's specifications (identity, repository, sync) and the lexicons ``com.atproto``
and ``app.bsky``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from evidence_kit.core.errors import InputError, NetworkError, RateLimitedError
from evidence_kit.core.events import EventLog
from evidence_kit.gather.dns_txt import TxtQuery
from evidence_kit.platforms.base import (
    ApiFolder,
    Http,
    Media,
    NotThisPlatformError,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
)
from evidence_kit.platforms.bluesky_address import is_known, read_address
from evidence_kit.platforms.bluesky_handle import resolve_handle
from evidence_kit.platforms.bluesky_proof import Proven, make_proof
from evidence_kit.platforms.bluesky_read import (
    MAX_THREAD_POSTS,
    MEANING,
    blobs_of,
    depths,
    hidden,
    is_record,
    is_thread,
    main_post,
    others,
    shown_images,
    shown_video,
)
from evidence_kit.platforms.bluesky_session import AppPassword, close_session, open_session
from evidence_kit.platforms.reading import Raw, text_at
from evidence_kit.platforms.visit import MAX_MEDIA_FILES, MEDIA_FILES, Visit
from evidence_kit.seal.atproto_cbor import Cid, ProofError
from evidence_kit.seal.atproto_did import DidDocument, is_did, is_plc, read_document, web_host

PUBLIC_API = "https://public.api.bsky.app"
"""Bluesky's public service for readers without an account; ``BSKY_PUBLIC_API`` names another."""
PLC_DIRECTORY = "https://plc.directory"
"""The directory of ``did:plc`` accounts; ``ATPROTO_PLC_DIRECTORY`` names another."""
COLLECTION = "app.bsky.feed.post"
BOUNDS = {"replies-depth": 10, "ancestors": 80, "posts-read": MAX_THREAD_POSTS}
"""Of the thread: what is asked for (the service's own bounds are 1000 and 1000) and read."""

_LOGIN_WOULD_ADD = (
    "with BLUESKY_IDENTIFIER and BLUESKY_APP_PASSWORD: threads of accounts that are shown to "
    "logged-in readers only"
)


@dataclass(frozen=True)
class BlueskyAdapter:
    """AT Protocol's posts.

    Args:
        api: the public service.
        plc: the directory of accounts.
        txt: asks DNS; None where there is none for names outside.
        account: logs in where visitors are shown less, None for never.
    """

    api: str = PUBLIC_API
    plc: str = PLC_DIRECTORY
    txt: TxtQuery | None = None
    account: AppPassword | None = None
    name: str = "bluesky"

    def recognise(self, url: str) -> Target | None:
        """A post's page on any site of this kind, or its ``at://`` address."""
        found = read_address(url)
        if found is None:
            return None
        return Target(self.name, url, found.base, found.rkey, found.actor)

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        return _Questions(self, target, http, out, log).run()


class _Questions:
    """The questions about one post, in their order."""

    def __init__(
        self, adapter: BlueskyAdapter, target: Target, http: Http, out: ApiFolder, log: EventLog
    ) -> None:
        self._target = target
        self._adapter = adapter
        self._api, self._plc = adapter.api.rstrip("/"), adapter.plc.rstrip("/")
        self._out = out
        self._visit = Visit(
            adapter.name, http, out, log, bounds=BOUNDS, token_would_add=_LOGIN_WOULD_ADD
        )
        self._states: list[State] = []
        for base, usual in ((self._api, PUBLIC_API), (self._plc, PLC_DIRECTORY)):
            if base != usual:
                self._visit.gap("endpoint.configured", base, f"asked instead of {usual}")

    def run(self) -> PlatformResult:
        visit = self._visit
        did = self._resolve()
        if did is None:
            return visit.result(self._unresolved())
        document, raw_document = self._document(did)
        if document is None and not is_known(self._target.base):
            raise NotThisPlatformError
        log = self._log(did)
        uri = f"at://{did}/{COLLECTION}/{self._target.ident}"
        pds = base_of(document.service) if document is not None else None
        record = car = None
        if pds is not None:
            record, car = self._from_author(pds, did)
        elif document is not None:
            visit.gap("server.unknown", did, "the DID document names no server of the account")
        thread, profile = self._from_service(did, uri)
        here = record if is_record(record, uri) else None
        seen = thread if is_thread(thread, uri) else None
        media, blobs = self._media(pds, did, here, seen, profile)
        proof = None
        if car is not None:
            proof = make_proof(
                self._out,
                did=did,
                collection=COLLECTION,
                rkey=self._target.ident,
                car=car,
                log=log,
                document=raw_document,
                record=here,
                blobs=blobs,
            )
            self._remark(proof, did)
        result = self._found(here, seen, did, profile) if here or seen else self._absent(proof)
        return replace(result, media=media, proof=proof.kept if proof is not None else None)

    # Who is it?

    def _resolve(self) -> str | None:
        """The account's DID; a handle is asked about at the service and at its own domain."""
        actor = self._target.author
        if actor.startswith("did:"):
            if is_did(actor):
                return actor
            self._visit.gap("account.unknown-kind", actor, "this kind of DID is not used here")
            return None
        return resolve_handle(
            self._visit,
            actor,
            lambda: self._xrpc(
                "handle", self._api, "com.atproto.identity.resolveHandle", handle=actor
            ),
            self._adapter.txt,
        )

    def _unresolved(self) -> State:
        if not is_known(self._target.base):
            raise NotThisPlatformError
        if not self._states:
            self._visit.gap(
                "account.not-found", self._target.author, "nobody says which account this is"
            )
            return State.UNKNOWN
        return self._states[-1]

    def _document(self, did: str) -> tuple[DidDocument | None, Raw | None]:
        host = web_host(did)
        url = f"https://{host}/.well-known/did.json" if host else f"{self._plc}/{did}"
        raw = self._visit.also("did-document", url, expected=(200, 404, 410))
        if raw is None:
            return None, None
        if raw.status != 200:
            gone = raw.status == 410
            self._states.append(State.GONE if gone else State.NOT_THERE)
            words = "the account was closed" if gone else "the directory does not know the account"
            self._visit.gap("account.closed" if gone else "account.unknown", did, words)
            return None, None
        try:
            document = read_document(raw.body, did)
        except ProofError as error:
            self._visit.gap("did-document.unreadable", raw.path, str(error))
            return None, None
        actor = self._target.author.lower()
        if not actor.startswith("did:") and actor not in map(str.lower, document.handles):
            detail = "the account's DID document does not name this handle"
            self._visit.gap("handle.not-confirmed", actor, detail)
        return document, raw

    def _log(self, did: str) -> Raw | None:
        if not is_plc(did):
            self._visit.gap("did-log.none", did, "for this kind of account there is no log of keys")
            return None
        return self._visit.also("did-log", f"{self._plc}/{did}/log/audit")

    # The author's own server

    def _from_author(self, pds: str, did: str) -> tuple[Raw | None, Raw | None]:
        place = {"collection": COLLECTION, "rkey": self._target.ident}
        record = self._xrpc("record", pds, "com.atproto.repo.getRecord", repo=did, **place)
        car = self._xrpc("record-proof", pds, "com.atproto.sync.getRecord", did=did, **place)
        self._xrpc("repo-status", pds, "com.atproto.sync.getRepoStatus", did=did)
        self._xrpc("latest-commit", pds, "com.atproto.sync.getLatestCommit", did=did)
        return record, car if car is not None and car.status == 200 and car.complete else None

    def _from_service(self, did: str, uri: str) -> tuple[Raw | None, Raw | None]:
        asked = {
            "uri": uri,
            "depth": str(BOUNDS["replies-depth"]),
            "parentHeight": str(BOUNDS["ancestors"]),
        }
        thread = self._xrpc("thread", self._api, "app.bsky.feed.getPostThread", **asked)
        if not is_thread(thread, uri) or (thread is not None and hidden(thread)):
            thread = self._as_account(uri, asked) or thread
        self._xrpc("posts", self._api, "app.bsky.feed.getPosts", uris=uri)
        profile = self._xrpc("profile", self._api, "app.bsky.actor.getProfile", actor=did)
        if profile is None or not profile.usable or text_at(profile.value, "/did") != did:
            profile = None
        return thread, profile

    def _as_account(self, uri: str, asked: dict[str, str]) -> Raw | None:
        """The thread as an account of the user sees it; None where that shows no more."""
        visit, account = self._visit, self._adapter.account
        session = open_session(visit, account) if account is not None else None
        if session is None:
            return None
        visit.token_used, visit.token_would_add = True, ""
        detail = "visitors are shown less, so the thread was asked for as this account too"
        visit.gap("session.used", session.did, detail)
        what = "thread-as-account"
        method = "app.bsky.feed.getPostThread"
        try:
            thread = self._ask(what, session.base, method, asked, session.bearer)
        finally:
            close_session(visit, session)
        return thread if is_thread(thread, uri) else None

    def _xrpc(self, what: str, base: str, method: str, **params: str) -> Raw | None:
        """One question that anybody may ask."""
        return self._ask(what, base, method, params)

    def _ask(
        self,
        what: str,
        base: str,
        method: str,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Raw | None:
        """One question; errors are told by their name, as the protocol has it."""
        visit = self._visit
        url = f"{base}/xrpc/{method}?{urlencode(params, safe=':')}"
        try:
            raw = visit.ask(what, url, headers)
        except RateLimitedError as error:
            self._states.append(State.RATE_LIMITED)
            visit.gap(f"{what}.rate-limited", url, f"{error.message}: {error.hint}")
            return None
        except (NetworkError, InputError) as error:
            self._states.append(State.UNKNOWN)
            visit.gap(f"{what}.not-fetched", url, error.message)
            return None
        if raw.status == 200 and (raw.value is not None or what == "record-proof"):
            return raw
        name = text_at(raw.value, "/error")
        if name in MEANING and raw.status in (400, 403, 404):
            state, word, detail = MEANING[name]
            self._states.append(state)
            visit.gap(f"{what}.{word}", raw.path, f"{name}: {detail}")
        elif what == "handle" and raw.status == 400 and name == "InvalidRequest":
            self._states.append(State.NOT_THERE)
            visit.gap("handle.not-found", raw.path, "the service knows no account of this name")
        elif raw.status in (401, 403):
            self._states.append(State.PRIVATE)
            visit.gap(f"{what}.login-needed", raw.path, "the platform asks for a login")
        else:
            self._states.append(State.ERROR)
            visit.unreadable(what, raw)
        return raw

    def _media(
        self,
        pds: str | None,
        did: str,
        record: Raw | None,
        thread: Raw | None,
        profile: Raw | None,
    ) -> tuple[tuple[Media, ...], dict[str, str]]:
        """Files of the post from the author's server, and which blob each of them is.

        What that server does not give is fetched as the public service shows it.
        """
        media: list[Media] = []
        blobs: dict[str, str] = {}
        named = blobs_of(record) if record is not None and pds is not None else []
        if len(named) > MAX_MEDIA_FILES:
            detail = f"{MAX_MEDIA_FILES} files are fetched"
            self._visit.bound(MEDIA_FILES, "media.bound", self._target.url, detail)
        for blob in named[:MAX_MEDIA_FILES]:
            query = urlencode({"did": did, "cid": blob.cid}, safe=":")
            url = f"{pds}/xrpc/com.atproto.sync.getBlob?{query}"
            found = self._visit.download(url, blob.alt, blob.kind)
            if found is None:
                continue
            media.append(found)
            if _is_blob(blob.cid, found.sha256):
                blobs[blob.cid] = found.path
            else:
                detail = "the file is not the one that the record names"
                self._visit.gap("media.other-content", found.path, detail)
        if thread is not None and len(blobs) < max(len(named), 1):
            media += self._visit.media(shown_images(thread), thread.path)
            self._visit.stream(shown_video(thread))
        avatar = text_at(profile.value, "/avatar") if profile is not None else ""
        if base_of(avatar) is not None:
            picture = self._visit.download(avatar, None, "avatar")
            media += [picture] if picture is not None else []
        return tuple(media), blobs

    # What came of it

    def _remark(self, proof: Proven, did: str) -> None:
        """What a reader of the gaps must know about the proof."""
        if proof.claim == "not-proven":
            self._visit.gap("proof.not-proven", proof.kept.file, proof.why)
        elif proof.claim == "absent":
            detail = f"at revision {proof.revision} the repository of {did} did not hold it"
            self._visit.gap("record.absent", proof.kept.file, detail)
            if not self._target.author.startswith("did:"):
                detail = "the handle leads to this account now; it may have led to another before"
                self._visit.gap("handle.may-have-moved", self._target.author, detail)

    def _found(
        self, record: Raw | None, thread: Raw | None, did: str, profile: Raw | None
    ) -> PlatformResult:
        visit = self._visit
        posts = [main_post(record, thread, profile)]
        if thread is not None:
            more, bounded = others(thread)
            posts += more
            if bounded:
                detail = "the thread is longer than what is read of it"
                visit.bound("posts-read", "thread.bound", thread.path, detail)
            above, below = depths(thread)
            if above >= BOUNDS["ancestors"]:
                visit.reach("ancestors")
            if below >= BOUNDS["replies-depth"]:
                visit.reach("replies-depth")
            kinds = hidden(thread)
            for kind in sorted(set(kinds)):
                detail = f"the service does not show {kinds.count(kind)} posts ({kind})"
                visit.gap("thread.hidden", thread.path, detail)
            self._compare(record, thread)
        permalink = f"{self._target.base}/profile/{did}/post/{self._target.ident}"
        return visit.result(State.FOUND, permalink=permalink, posts=posts)

    def _compare(self, record: Raw | None, thread: Raw) -> None:
        """Service and author's server, each by itself: they should tell the same."""
        if record is None:
            return
        if record.get("/value") != thread.get("/thread/post/record"):
            detail = "the public service shows another content than the author's server holds"
            self._visit.gap("record.differs", thread.path, detail)

    def _absent(self, proof: Proven | None) -> PlatformResult:
        states = self._states
        if proof is not None and proof.claim == "absent":
            return self._visit.result(State.GONE if State.GONE in states else State.NOT_THERE)
        for state in (State.GONE, State.PRIVATE, State.NOT_THERE, State.RATE_LIMITED, State.ERROR):
            if state in states:
                return self._visit.result(state)
        if not states:
            self._visit.gap("post.unreadable", self._target.url, "no answer holds the post")
            return self._visit.result(State.ERROR)
        return self._visit.result(State.UNKNOWN)


def _is_blob(cid: str, sha256: str) -> bool:
    """Whether a file is the blob of this name: the name holds its SHA-256."""
    try:
        return Cid.from_text(cid).digest.hex() == sha256
    except ProofError:
        return False
