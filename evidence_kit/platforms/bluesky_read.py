"""Reading Bluesky's views and records: which fields stand where, and walking a thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evidence_kit.core.post import Post, Sourced
from evidence_kit.platforms.base import State
from evidence_kit.platforms.reading import Raw, at, read_fields, text_at

MAX_THREAD_POSTS = 500
"""Posts of one conversation that are read into ``post.json``; the raw answer holds all."""

Table = dict[str, str | tuple[str, ...]]
"""Fields of a post and their places."""

_AUTHOR = {
    "author_id": "author/did",
    "author_handle": "author/handle",
    "author_name": "author/displayName",
}
_COUNTS = {"replies": "replyCount", "reposts": "repostCount", "likes": "likeCount"}

VIEW: Table = {
    "id": "uri",
    **_AUTHOR,
    **_COUNTS,
    "text": "record/text",
    "language": "record/langs/0",
    "created": "record/createdAt",
    "reply_to": "record/reply/parent/uri",
    "conversation": "record/reply/root/uri",
    "media": ("embed/images", "embed/media/images", "embed"),
}
"""Fields of ``app.bsky.feed.defs#postView``."""

QUOTED: Table = {
    "id": "uri",
    **_AUTHOR,
    **_COUNTS,
    "text": "value/text",
    "language": "value/langs/0",
    "created": "value/createdAt",
    "reply_to": "value/reply/parent/uri",
    "conversation": "value/reply/root/uri",
}
"""Fields of ``app.bsky.embed.record#viewRecord``."""

RECORD: Table = {
    "id": "uri",
    "text": "value/text",
    "language": "value/langs/0",
    "created": "value/createdAt",
    "reply_to": "value/reply/parent/uri",
    "conversation": "value/reply/root/uri",
    "media": "value/embed",
}
"""Fields of ``com.atproto.repo.getRecord``: what the author's own server holds, and signs."""

PROFILE: Table = {"author_id": "did", "author_handle": "handle", "author_name": "displayName"}


MEANING = {
    "AccountTakedown": (
        State.GONE,
        "taken-down",
        "the server says that the account was taken down",
    ),
    "RepoTakendown": (State.GONE, "taken-down", "the server says that the account was taken down"),
    "RepoDeleted": (State.GONE, "deleted", "the server says that the account was deleted"),
    "RepoDeactivated": (State.NOT_THERE, "deactivated", "the account is deactivated at its server"),
    "AccountDeactivated": (
        *(State.NOT_THERE, "deactivated"),
        "the account is deactivated at its server",
    ),
    "RepoSuspended": (State.NOT_THERE, "suspended", "the account is suspended at its server"),
    "RepoNotFound": (State.NOT_THERE, "not-here", "the server does not hold this account"),
    "RecordNotFound": (
        *(State.NOT_THERE, "not-there"),
        "the server holds no such record; it does not say whether there was one",
    ),
    "NotFound": (
        *(State.NOT_THERE, "not-shown"),
        "the public service shows no such post; it does not say why",
    ),
}
"""What the names of errors mean, as far as the platform tells them apart."""


@dataclass(frozen=True)
class BlobNamed:
    """A picture or video that a record names; ``alt`` as the author wrote it."""

    cid: str
    kind: str
    alt: str | None


def main_post(record: Raw | None, thread: Raw | None, profile: Raw | None) -> Post:
    """The post itself: the author's server first, then the public service's view of it."""
    fields: dict[str, Sourced] = {}
    if profile is not None:
        fields |= read_fields(profile, "", PROFILE)
    if thread is not None:
        fields |= read_fields(thread, "/thread/post", VIEW)
    if record is not None:
        # An absent field in the record is absent, whatever a view of it shows.
        kept = {name: found for name, found in fields.items() if name not in RECORD}
        fields = {**kept, **read_fields(record, "", RECORD)}
    return Post("post", fields)


def others(thread: Raw) -> tuple[list[Post], bool]:
    """Ancestors from the top down, quoted posts, then replies; and whether the bound applied."""
    posts = [
        Post("ancestor", read_fields(thread, f"{place}/post", VIEW))
        for place in reversed(list(_parents(thread)))
    ]
    posts += [
        Post("quoted", read_fields(thread, place, QUOTED))
        for place in ("/thread/post/embed/record", "/thread/post/embed/record/record")
        if text_at(thread.value, f"{place}/uri") and thread.get(f"{place}/value") is not None
    ]
    replies = list(_replies(thread))
    room = max(MAX_THREAD_POSTS - len(posts), 0)
    posts += [Post("reply", read_fields(thread, f"{place}/post", VIEW)) for place in replies[:room]]
    return posts[:MAX_THREAD_POSTS], len(replies) > room


def hidden(thread: Raw) -> list[str]:
    """Kinds of the places of a thread that show no post: ``notFoundPost``, ``blockedPost``."""
    nodes = [thread.get("/thread")]
    found = []
    while nodes:
        node = nodes.pop()
        if not isinstance(node, dict):
            continue
        kind = str(node.get("$type", "")).rpartition("#")[2]
        if kind in ("notFoundPost", "blockedPost"):
            found.append(kind)
        replies = node.get("replies")
        nodes += [node.get("parent"), *(replies if isinstance(replies, list) else ())]
    return found


def is_thread(raw: Raw | None, uri: str) -> bool:
    """Whether an answer of ``app.bsky.feed.getPostThread`` shows this post."""
    return (
        raw is not None
        and raw.usable
        and text_at(raw.value, "/thread/post/uri") == uri
        and isinstance(raw.get("/thread/post/record"), dict)
    )


def is_record(raw: Raw | None, uri: str) -> bool:
    """Whether an answer of ``com.atproto.repo.getRecord`` holds this record."""
    return (
        raw is not None
        and raw.usable
        and text_at(raw.value, "/uri") == uri
        and isinstance(raw.get("/value"), dict)
    )


def blobs_of(record: Raw) -> list[BlobNamed]:
    """Pictures and videos of a post: images, video with its captions, thumbnail of a link."""
    embed = record.get("/value/embed")
    parts = [embed, at(embed, "/media")]
    found: dict[str, BlobNamed] = {}
    for part in parts:
        images = at(part, "/images")
        for image in images if isinstance(images, list) else ():
            _add(found, at(image, "/image"), "image", at(image, "/alt"))
        _add(found, at(part, "/video"), "video", at(part, "/alt"))
        captions = at(part, "/captions")
        for caption in captions if isinstance(captions, list) else ():
            _add(found, at(caption, "/file"), "captions", None)
        _add(found, at(part, "/external/thumb"), "thumbnail", None)
    return list(found.values())


def shown_images(thread: Raw) -> dict[str, tuple[str | None, str]]:
    """Addresses of the pictures as the public service shows them, made again by it."""
    found: dict[str, tuple[str | None, str]] = {}
    for place in ("/thread/post/embed/images", "/thread/post/embed/media/images"):
        for image in thread.listed(place):
            alt, url = at(image, "/alt"), text_at(image, "/fullsize")
            if url:
                found[url] = (alt if isinstance(alt, str) else None, "image")
    return found


def shown_video(thread: Raw) -> str:
    """Address of the list of the video as the public service shows it, empty without one."""
    for place in ("/thread/post/embed/playlist", "/thread/post/embed/media/playlist"):
        found = text_at(thread.value, place)
        if found:
            return found
    return ""


def depths(thread: Raw) -> tuple[int, int]:
    """How many posts a thread shows above the post, and how many levels below it."""
    levels = [place.count("/replies/") for place in _replies(thread)]
    return len(list(_parents(thread))), max(levels, default=0)


def _add(found: dict[str, BlobNamed], blob: object, kind: str, alt: object) -> None:
    cid = text_at(blob, "/ref/$link")
    if cid:
        found.setdefault(cid, BlobNamed(cid, kind, alt if isinstance(alt, str) else None))


def _parents(thread: Raw) -> Iterator[str]:
    """Places of the posts above, the nearest first."""
    place = "/thread/parent"
    while isinstance(thread.get(f"{place}/post"), dict):
        yield place
        place += "/parent"


def _replies(thread: Raw) -> Iterator[str]:
    """Places of the posts below, each before its own replies."""
    places = ["/thread"]
    while places:
        place = places.pop()
        if place != "/thread" and isinstance(thread.get(f"{place}/post"), dict):
            yield place
        count = len(thread.listed(f"{place}/replies"))
        places += [f"{place}/replies/{number}" for number in reversed(range(count))]
