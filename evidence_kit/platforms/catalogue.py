"""What is supported, in words: one row for each adapter, for people and for the documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One platform.

    Attributes:
        name: of the adapter.
        without: what is captured beside the page without a token.
        token: variables that hold a token; all of them are needed. Empty where there is none.
        adds: what they add.
        login: page where a person logs in; empty where a platform is many sites or needs none.
    """

    name: str
    title: str
    without: str
    token: tuple[str, ...] = ()
    adds: str = ""
    login: str = ""


_PAGE = "what the page says about itself"
_OWN = "posts of your own pages and accounts, with the comments below them"

ROWS = (
    Row(
        "x",
        "X",
        "text, author, time, media of one post (oEmbed, syndication)",
        ("X_BEARER_TOKEN",),
        "all fields, edits, polls, long posts in full; $0.005 for each post that is read, 8 at "
        "most; X_THREAD_POSTS=N reads up to N replies too",
        login="https://x.com/login",
    ),
    Row(
        "youtube",
        "YouTube",
        "title and channel (oEmbed)",
        ("YOUTUBE_API_KEY",),
        "description, times, counts, comments, replies; some of the key's 10,000 units a day",
        login="https://www.youtube.com/",
    ),
    Row(
        "reddit",
        "Reddit",
        _PAGE,
        ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"),
        "submission, comments, author, media",
        login="https://www.reddit.com/login",
    ),
    Row(
        "facebook",
        "Facebook",
        _PAGE,
        ("META_ACCESS_TOKEN",),
        _OWN,
        login="https://www.facebook.com/login",
    ),
    Row(
        "instagram",
        "Instagram",
        _PAGE,
        ("META_ACCESS_TOKEN",),
        _OWN,
        login="https://www.instagram.com/accounts/login/",
    ),
    Row(
        "threads",
        "Threads",
        _PAGE,
        ("THREADS_ACCESS_TOKEN",),
        _OWN,
        login="https://www.threads.com/login",
    ),
    Row("tiktok", "TikTok", "text and author (oEmbed)", login="https://www.tiktok.com/login"),
    Row("linkedin", "LinkedIn", _PAGE, login="https://www.linkedin.com/login"),
    Row("telegram", "Telegram", "text, time, views, poll, media"),
    Row(
        "matrix",
        "Matrix",
        _PAGE,
        ("MATRIX_ACCESS_TOKEN", "MATRIX_HOMESERVER"),
        "event, edits, what stands around it, media",
    ),
    Row(
        "mastodon",
        "Mastodon's API",
        "post, thread, edits, author, media, the home server's object",
        ("MASTODON_ACCESS_TOKEN", "MASTODON_INSTANCE"),
        "longer threads, posts that your account may see",
    ),
    Row(
        "bluesky",
        "Bluesky",
        "post, thread, author, media, and proof that the author's server signed the post",
        ("BLUESKY_IDENTIFIER", "BLUESKY_APP_PASSWORD"),
        "threads that are shown to logged-in readers only",
        login="https://bsky.app/",
    ),
    Row("discourse", "Discourse", "post, topic around it, latest change, author, pictures"),
    Row("nodebb", "NodeBB", "post, topic around it, author, pictures"),
    Row("wordpress", "WordPress", "post or page, comments, author, media"),
    Row("generic", "Generic", "JSON-LD, microformats, feed entry, OpenGraph, oEmbed"),
)
"""In the order in which the adapters are asked."""
