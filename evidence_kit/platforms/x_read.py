"""Reading what X answers: API v2 in both namings of its fields, and the syndication endpoint.

Since August 2026 the API's description says ``post`` where it said ``tweet``; answers of both
kinds are read. Source: X API v2 reference (data dictionary), with the syndication answer as seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from evidence_kit.core.post import Place, Post, Sourced
from evidence_kit.platforms.reading import Raw, at, read_fields, text_at
from evidence_kit.platforms.visit import Wanted

FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "author_id": "author_id",
    # A long post's "text" is cut off; the whole stands in the note.
    "text": ("note_post/text", "note_tweet/text", "text"),
    "language": "lang",
    "created": "created_at",
    "conversation": "conversation_id",
    "replies": "public_metrics/reply_count",
    "reposts": ("public_metrics/repost_count", "public_metrics/retweet_count"),
    "likes": "public_metrics/like_count",
    "views": "public_metrics/impression_count",
    "media": "attachments/media_keys",
}
_USER = {"author_handle": "username", "author_name": "name"}
SYNDICATION_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id_str",
    "author_id": "user/id_str",
    "author_handle": "user/screen_name",
    "author_name": "user/name",
    "text": "text",
    "language": "lang",
    "created": "created_at",
    "reply_to": "in_reply_to_status_id_str",
    "replies": "conversation_count",
    "likes": "favorite_count",
    "media": "mediaDetails",
}
MAX_TOKEN_DIGITS = 24
"""Digits; a double has no more than 53 bits, which is eleven of them and those before the point."""
_ROLES = {"replied_to": "ancestor", "quoted": "quoted", "retweeted": "quoted", "reposted": "quoted"}


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def embed_token(ident: str) -> str:
    """The parameter that X's own embeds send to the syndication endpoint; it is no secret.

    A number made from the post's, written to the base 36 as browsers write it (the shortest digits
    that name the same double), without its zeros and its point. Without it answers can be empty.
    """
    value = float(ident) / 1e15 * math.pi
    whole, fraction = int(value), value - int(value)
    near = (math.nextafter(value, math.inf) - value) / 2
    digits = ""
    while whole:
        whole, rest = divmod(whole, 36)
        digits = _DIGITS[rest] + digits
    while fraction >= near and len(digits) < MAX_TOKEN_DIGITS:
        fraction, near = fraction * 36, near * 36
        digit = int(fraction)
        fraction -= digit
        if fraction > 0.5 and fraction + near > 1:
            digits += _DIGITS[min(digit + 1, 35)]
            break
        digits += _DIGITS[digit]
    return digits.replace("0", "") or "0"


def included_posts(raw: Raw) -> str:
    """Pointer of the further posts in an answer."""
    return "/includes/posts" if raw.listed("/includes/posts") else "/includes/tweets"


def edit_ids(value: Any) -> list[str]:
    """Ids of all versions of a post, oldest first."""
    for name in ("edit_history_post_ids", "edit_history_tweet_ids"):
        found = at(value, f"/{name}")
        if isinstance(found, list):
            return [item for item in found if isinstance(item, str)]
    return []


def _references(value: Any) -> Iterator[tuple[str, str, str]]:
    """Kind, id and pointer of what a post refers to."""
    for name in ("referenced_posts", "referenced_tweets"):
        found = at(value, f"/{name}")
        for i, item in enumerate(found if isinstance(found, list) else ()):
            yield text_at(item, "/type"), text_at(item, "/id"), f"/{name}/{i}/id"


def read_post(role: str, raw: Raw, place: str) -> Post:
    """A post of API v2, with its author from the answer's ``includes``."""
    value = raw.get(place) if place else raw.value
    fields = read_fields(raw, place, FIELDS)
    for i, user in enumerate(raw.listed("/includes/users")):
        if text_at(user, "/id") and at(user, "/id") == at(value, "/author_id"):
            fields |= read_fields(raw, f"/includes/users/{i}", _USER)
            break
    for kind, ident, pointer in _references(value):
        if kind == "replied_to" and ident:
            fields["reply_to"] = Sourced(ident, Place(raw.path, place + pointer))
    wanted = at(value, "/attachments/poll_ids")
    for i, poll in enumerate(raw.listed("/includes/polls")):
        if isinstance(wanted, list) and at(poll, "/id") in wanted:
            fields["poll"] = Sourced(poll, Place(raw.path, f"/includes/polls/{i}"))
            break
    return Post(role, fields)


def read_all(raw: Raw) -> list[Post]:
    """The post, its versions, and what it answers or quotes, from one answer."""
    data = raw.get("/data")
    posts = [read_post("post", raw, "/data")]
    versions = edit_ids(data)
    roles = {ident: _ROLES.get(kind, "quoted") for kind, ident, _ in _references(data)}
    base = included_posts(raw)
    for i, item in enumerate(raw.listed(base)):
        ident = text_at(item, "/id")
        if len(versions) > 1 and ident in versions:
            posts.append(read_post("edit", raw, f"{base}/{i}"))
        elif ident in roles:
            posts.append(read_post(roles[ident], raw, f"{base}/{i}"))
    return posts


def media_urls(raw: Raw) -> Wanted:
    """Largest form of each picture and video of an answer of API v2, and the author's picture."""
    wanted: dict[str, tuple[str | None, str]] = {}
    for item in raw.listed("/includes/media"):
        kind = text_at(item, "/type")
        alt = text_at(item, "/alt_text") or None
        url = text_at(item, "/url") or _largest(at(item, "/variants"), "bit_rate")
        for address in (url, text_at(item, "/preview_image_url")):
            if address:
                wanted.setdefault(address, (alt, kind))
    author = raw.get("/data/author_id")
    for user in raw.listed("/includes/users"):
        picture = text_at(user, "/profile_image_url")
        if picture and at(user, "/id") == author:
            wanted.setdefault(picture, (None, "avatar"))
    return wanted


def syndication_media_urls(raw: Raw) -> Wanted:
    """The same of a syndication answer."""
    wanted: dict[str, tuple[str | None, str]] = {}
    for item in raw.listed("/mediaDetails"):
        alt = text_at(item, "/ext_alt_text") or None
        kind = text_at(item, "/type")
        video = _largest(at(item, "/video_info/variants"), "bitrate")
        for address in (video, text_at(item, "/media_url_https")):
            if address:
                wanted.setdefault(address, (alt, kind))
    picture = text_at(raw.value, "/user/profile_image_url_https")
    if picture:
        wanted.setdefault(picture, (None, "avatar"))
    return wanted


def stream_urls(raw: Raw) -> list[str]:
    """Lists of the streams of those videos that an answer names no MP4 of."""
    items = [(at(item, "/variants"), "bit_rate") for item in raw.listed("/includes/media")]
    details = raw.listed("/mediaDetails")
    items += [(at(item, "/video_info/variants"), "bitrate") for item in details]
    return [
        text_at(variant, "/url")
        for variants, rate in items
        if isinstance(variants, list) and not _largest(variants, rate)
        for variant in variants
        if text_at(variant, "/content_type").lower() == "application/x-mpegurl"
    ]


def _largest(variants: Any, rate: str) -> str:
    """Address of the MP4 with the highest rate, empty where there is none."""
    best, found = -1, ""
    for item in variants if isinstance(variants, list) else ():
        bits = at(item, f"/{rate}")
        bits = bits if isinstance(bits, int) else 0
        if text_at(item, "/content_type") == "video/mp4" and bits > best:
            best, found = bits, text_at(item, "/url")
    return found
