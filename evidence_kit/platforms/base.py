"""What every platform adapter is, gets and gives back.

An adapter recognises a URL, asks the platform's own API about the post, stores every raw answer
and reads a normalised post out of them. It invents nothing: a field that the platform did not
give stays null, and what could not be fetched is a :class:`Gap`.

Paths of files are always those inside the bundle, from its root: ``data/api/0001-status.json``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.digests import Digests, digest_file
from evidence_kit.core.errors import StorageError
from evidence_kit.core.events import EventLog
from evidence_kit.core.post import SCHEMA, Place, Post, Sourced
from evidence_kit.core.when_free import when_free
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.inert_names import inert_name

MAX_WHAT = 40
"""Characters of the name in ``NNNN-<what>``; the folder stays readable."""

CAR_TYPE = "application/vnd.ipld.car"
"""Blocks of a repository (IPLD); no program opens such a file by itself."""


class State(StrEnum):
    """What the platform itself says about the post; told apart only where it tells them apart."""

    FOUND = "found"
    GONE = "gone"
    """It existed and was removed: the platform says so (410, a tombstone)."""
    PRIVATE = "private"
    """The platform says that this post asks for a login or a right (401, 403)."""
    NOT_THERE = "not-there"
    """Not found, without saying whether it is deleted, private or never was."""
    RATE_LIMITED = "rate-limited"
    ERROR = "error"
    """The platform answered, but not with anything that can be read."""
    UNKNOWN = "unknown"
    """The platform could not be asked."""


@dataclass(frozen=True)
class Target:
    """A post as far as its URL tells.

    Attributes:
        url: as the user gave it, tracking parameters and all.
        base: scheme and authority, without a slash at the end.
        ident: the platform's id of the post; empty where the URL has none.
        author: account name in the URL, empty where it has none.
    """

    platform: str
    url: str
    base: str
    ident: str = ""
    author: str = ""


@dataclass(frozen=True)
class Page:
    """The main document as the browser received it, body decoded.

    Attributes:
        url: final address after redirects.
        html: bytes of the body, without content coding.
        charset: from the Content-Type header, empty where it gave none.
    """

    url: str
    html: bytes
    charset: str = ""


@dataclass(frozen=True)
class Gap:
    """Something that could not be had, or a bound that applied; goes into ``capture.json``."""

    code: str
    subject: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """The form of a note in the capture record."""
        return {"code": self.code, "subject": self.subject, "detail": self.detail}


@dataclass(frozen=True)
class Stored:
    """A file written by an adapter, with the digests taken as it was written.

    ``exchange`` is the number of the one whose answer it is, of our own session; None for what is
    no whole answer.
    """

    path: str
    digests: Digests
    url: str = ""
    content_type: str = ""
    original_name: str = ""
    exchange: int | None = None


@dataclass(frozen=True)
class Media:
    """One picture, video or sound of the post, byte for byte as served."""

    path: str
    url: str
    sha256: str
    alt: str | None
    kind: str = ""
    original_name: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form in the capture record."""
        return {
            "path": self.path,
            "url": self.url,
            "sha256": self.sha256,
            "alt": self.alt,
            "kind": self.kind,
            "original_name": self.original_name,
        }


@dataclass(frozen=True)
class KeptProof:
    """Files with which ``verify`` can check offline what the platform itself signed.

    Attributes:
        kind: what to check it with, ``atproto-record/1`` for instance.
        file: description of the proof, a JSON document.
        files: everything that takes part, the description included. They answer questions that
            carried no credential; what they hold is public and is not masked anywhere, since one
            masked byte would break the proof.
    """

    kind: str
    file: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class PlatformResult:
    """What an adapter found out.

    Attributes:
        adapter: its name.
        state: what the platform says about the post.
        permalink: the canonical address, None where the platform gave none.
        posts: the post first, then its versions, the thread above it, the replies below it.
        gaps: what is missing and why, bounds that applied.
        bounds: limits that were in force, as numbers.
        reached: names of those that cut something off, or may have.
        token_used: whether a token of the user took part.
        token_would_add: what a token would add, empty where nothing.
        proof: what the platform itself signed, None where nothing.
        streams: addresses of HLS or DASH lists of films that it serves in no whole file.
    """

    adapter: str
    state: State
    permalink: str | None = None
    posts: tuple[Post, ...] = ()
    media: tuple[Media, ...] = ()
    gaps: tuple[Gap, ...] = ()
    bounds: Mapping[str, int] = field(default_factory=dict)
    token_used: bool = False
    token_would_add: str = ""
    proof: KeptProof | None = None
    streams: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The ``platform`` part of the capture record."""
        return {
            "adapter": self.adapter,
            "state": str(self.state),
            "token_used": self.token_used,
            "token_would_add": self.token_would_add,
            "gaps": [gap.to_json() for gap in self.gaps],
            "proof": {"kind": self.proof.kind, "file": self.proof.file} if self.proof else None,
        }


class Http(Protocol):
    """The part of the recording session that adapters use."""

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = ...,
        max_seconds: float = ...,
        to: Path | None = None,
    ) -> Answer:
        """See :meth:`evidence_kit.gather.http.RecordingSession.get`."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = ...,
        max_seconds: float = ...,
        to: Path | None = None,
    ) -> Answer:
        """See :meth:`evidence_kit.gather.http.RecordingSession.send`."""


class NotThisPlatformError(Exception):
    """The candidate is not confirmed: the next adapter's turn. Never reaches the user."""


class Adapter(Protocol):
    """One platform."""

    @property
    def name(self) -> str:
        """As in ``capture.json``, for example ``mastodon``."""

    def recognise(self, url: str) -> Target | None:
        """The target where the URL may be one of this platform's posts; no contact is made."""

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """Ask the platform everything that adds evidence.

        What goes wrong is in the result; only a failure to write is raised.

        Raises:
            NotThisPlatformError: the site turns out to be another kind.
            StorageError: a file could not be written.
        """


class ApiFolder:
    """Where adapters put raw answers and media: ``data/api`` and ``data/media`` of a bag.

    Args:
        bag: the bag's root folder; the folders below it are made when needed.
        on_stored: told each file once it is whole.
    """

    def __init__(self, bag: Path, on_stored: Callable[[Stored], None] | None = None) -> None:
        self._bag = bag
        self._on_stored = on_stored
        self._stored: list[Stored] = []
        self._reserved = 0
        self._count = 0

    @property
    def stored(self) -> tuple[Stored, ...]:
        """Every file written so far, in order."""
        return tuple(self._stored)

    def write(
        self,
        what: str,
        body: bytes,
        *,
        url: str = "",
        content_type: str = "",
        exchange: int | None = None,
    ) -> str:
        """Store a raw answer as ``data/api/NNNN-<what>.json`` and give that path.

        A body that is not JSON, an error page for instance, gets ``.txt`` (or ``.bin`` where it
        is not text): nothing in a bundle acts when opened.

        Raises:
            StorageError: it cannot be written, or would replace a file.
        """
        self._count += 1
        name = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-")[:MAX_WHAT] or "answer"
        path = f"data/api/{self._count:04d}-{name}{_api_suffix(body, content_type)}"
        file = self._place(path)
        with _writing(path):
            with file.open("xb") as stream:
                stream.write(body)
            self._keep(Stored(path, digest_file(file), url, content_type, exchange=exchange))
        return path

    def write_document(self, what: str, document: Any) -> str:
        """Store an extraction of our own in the project's one form of JSON."""
        return self.write(what, dumps(document))

    def new_media(self, url: str) -> tuple[str, Path]:
        """The name that the URL gives a media file, and the file to stream it to.

        The suffix is settled by :meth:`finish_media`, when the content type is known.
        """
        self._reserved += 1
        return _last_segment(url), self._place(f"data/media/{self._reserved:04d}.part")

    def finish_media(
        self, part: Path, url: str, content_type: str, exchange: int | None = None
    ) -> Stored:
        """Give a streamed file its final, inert name and take its digests."""
        original = _last_segment(url)
        path = f"data/media/{part.stem}-{inert_name(original, content_type)}"
        final = self._bag / path
        with _writing(path):
            when_free(lambda: part.rename(final))
            stored = Stored(path, digest_file(final), url, content_type, original, exchange)
        self._keep(stored)
        return stored

    def adopt(self, source: Path, path: str, *, url: str = "", original_name: str = "") -> Stored:
        """Move a finished file of another program to its final path below ``data/``.

        Raises:
            StorageError: it cannot be moved, or would replace a file.
        """
        target = self._place(path)
        with _writing(path):
            if target.exists():
                raise FileExistsError(errno.EEXIST, "it exists")
            when_free(lambda: source.rename(target))
            stored = Stored(path, digest_file(target), url, "", original_name)
        self._keep(stored)
        return stored

    def _keep(self, stored: Stored) -> None:
        self._stored.append(stored)
        if self._on_stored is not None:
            self._on_stored(stored)

    def _place(self, path: str) -> Path:
        file = self._bag / path
        with _writing(path):
            file.parent.mkdir(parents=True, exist_ok=True)
        return file


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise StorageError(
            f"{path} cannot be written: {reason}", hint="check the free space of the work folder"
        ) from error


def post_document(posts: Sequence[Post]) -> dict[str, Any]:
    """The document of ``data/post.json``."""
    return {"schema": SCHEMA, "posts": [post.to_json() for post in posts]}


def read_field(document: Any, file: str, pointer: str, *, precision: str = "") -> Sourced | None:
    """The value at a pointer with its place, None where the document has none or null there."""
    value = document
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return None if value is None else Sourced(value, Place(file, pointer), precision)


def precision_of(moment: object) -> str:
    """How exactly a time is given: ``millisecond``, ``second``, ``minute``, ``day``.

    Times without a zone get ``-no-zone`` behind it. What is not a full date and time in ISO 8601
    form, ``2 h`` for instance, is ``relative-or-unreadable``: it is kept as it is and never turned
    into a guess.
    """
    found = re.fullmatch(
        r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?",
        moment if isinstance(moment, str) else "",
    )
    if found is None:
        return "relative-or-unreadable"
    if len(found[0]) == 10:
        return "day"
    seconds, fraction, zone = found.groups()
    unit = "millisecond" if fraction else "second" if seconds else "minute"
    return unit if zone else f"{unit}-no-zone"


def base_of(url: str) -> str | None:
    """Scheme and authority of a web address without user name, None for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def _last_segment(url: str) -> str:
    try:
        return urlsplit(url).path.rsplit("/", 1)[-1][:200]
    except ValueError:
        return ""


def _api_suffix(body: bytes, content_type: str) -> str:
    if content_type.split(";")[0].strip().lower() == CAR_TYPE:
        return ".car"
    try:
        loads(body)
    except JsonError:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            return ".bin"
        return ".txt"
    return ".json"
