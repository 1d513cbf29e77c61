"""What stands on the example site: accounts and posts that nobody wrote, in Mastodon's API shapes.

Persons, hospital and network are invented. The shapes follow Mastodon's public API documentation
(entities Status, StatusEdit, Account, MediaAttachment, Context, Instance).
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

NAME = "Pleinpraat"
VERSION = "4.3.0 (compatible; Pleinpraat 1.0)"
LABEL = "Voorbeeldsite van evidence-kit. Alle personen, berichten en organisaties zijn verzonnen."
LANGUAGE = "nl"


@dataclass(frozen=True)
class Account:
    """One invented account; ``colour`` is that of its picture."""

    ident: str
    handle: str
    name: str
    about: str
    colour: tuple[int, int, int]
    created: str
    picture: str = "svg"


@dataclass(frozen=True)
class Edition:
    """One version of a post: what it said from ``created`` on."""

    text: str
    created: str
    media: tuple[str, ...] = ()
    warning: str = ""


@dataclass(frozen=True)
class Note:
    """One post. ``state``: ``public``, ``login`` (behind a login), ``deleted`` or ``gone``."""

    ident: str
    account: str
    editions: tuple[Edition, ...]
    state: str = "public"
    reply_to: str | None = None
    likes: int = 0
    reposts: int = 0

    @property
    def current(self) -> Edition:
        """The version shown now."""
        return self.editions[-1]


@dataclass(frozen=True)
class Picture:
    """One picture of a post, with its alternative text."""

    ident: str
    file: str
    alt: str


ACCOUNTS = {
    account.ident: account
    for account in (
        Account(
            "109000000000000001",
            "boze_bezoeker",
            "Boze Bezoeker",
            "Ik zeg waar het op staat. Verzonnen account op een voorbeeldsite.",
            (150, 48, 52),
            "2024-02-11T00:00:00.000Z",
        ),
        Account(
            "109000000000000002",
            "lindeboom",
            "Ziekenhuis De Lindeboom",
            "Verzonnen ziekenhuis. Webcare op werkdagen van 9 tot 17 uur.",
            (30, 104, 92),
            "2022-05-03T00:00:00.000Z",
            "png",
        ),
        Account(
            "109000000000000003",
            "buurtgenoot",
            "Een Buurtgenoot",
            "Koffie, fietsen en het nieuws uit de wijk. Verzonnen account.",
            (54, 84, 150),
            "2023-09-19T00:00:00.000Z",
        ),
    )
}

PICTURES = {
    picture.ident: picture
    for picture in (
        Picture("113000000000000001", "ingang.png", "De ingang van een ziekenhuis in de avond"),
        Picture("113000000000000002", "parkeerplaats.png", "Een personeelsparkeerplaats"),
    )
}

_BOZE, _LINDEBOOM, _BUUR = tuple(ACCOUNTS)
_INGANG, _PARKEER = tuple(PICTURES)

NOTES = {
    note.ident: note
    for note in (
        Note(
            "115400000000000100",
            _LINDEBOOM,
            (
                Edition(
                    "Vanaf maandag gelden op afdeling B andere bezoektijden: 14.00 tot 16.00 uur "
                    "en 18.30 tot 19.30 uur. Dank voor uw begrip. #bezoektijden",
                    "2026-11-19T08:30:00.000Z",
                ),
            ),
            likes=12,
            reposts=3,
        ),
        Note(
            "115400000000000101",
            _BOZE,
            (
                Edition(
                    "Die zuster van afdeling B stuurt mij niet nog een keer weg. Ik weet hoe laat "
                    "haar dienst afloopt en waar ze parkeert. Morgenavond sta ik bij de ingang.\n\n"
                    "Ze zal nog aan mij denken, “regels” of geen regels.",
                    "2026-11-20T20:14:09.000Z",
                    (_INGANG, _PARKEER),
                ),
            ),
            reply_to="115400000000000100",
            likes=2,
            reposts=1,
        ),
        Note(
            "115400000000000102",
            _BUUR,
            (
                Edition(
                    "Dit kan echt niet. Laat die mensen hun werk doen.",
                    "2026-11-20T20:21:40.000Z",
                ),
            ),
            reply_to="115400000000000101",
            likes=31,
        ),
        Note(
            "115400000000000103",
            _LINDEBOOM,
            (
                Edition(
                    "Wij bespreken dit intern en doen bij bedreiging altijd aangifte.",
                    "2026-11-21T07:55:00.000Z",
                ),
            ),
            reply_to="115400000000000101",
            likes=18,
            reposts=4,
        ),
        Note(
            "115400000000000104",
            _BOZE,
            (
                Edition(
                    "Jullie doen maar. Ik kom toch.",
                    "2026-11-21T08:02:31.000Z",
                ),
            ),
            reply_to="115400000000000103",
        ),
        Note(
            "115400000000000110",
            _BOZE,
            (
                Edition(
                    "Wacht maar tot ik je tegenkom op die parkeerplaats.",
                    "2026-11-21T21:40:00.000Z",
                    (_PARKEER,),
                ),
                Edition(
                    "Wacht maar tot ik je tegenkom.",
                    "2026-11-21T21:52:30.000Z",
                ),
                Edition(
                    "Wacht maar tot ik je tegenkom. Grapje natuurlijk.",
                    "2026-11-22T06:10:05.000Z",
                    warning="humor",
                ),
            ),
            likes=1,
        ),
        Note(
            "115400000000000120",
            _BOZE,
            (Edition("Alleen voor volgers.", "2026-11-22T09:00:00.000Z"),),
            state="login",
        ),
        Note(
            "115400000000000121",
            _BOZE,
            (Edition("Verwijderd.", "2026-11-22T09:05:00.000Z"),),
            state="deleted",
        ),
        Note(
            "115400000000000122",
            _BOZE,
            (Edition("Verwijderd.", "2026-11-22T09:06:00.000Z"),),
            state="gone",
        ),
    )
}

MISSING_ID = "115400000000000999"
"""An id that no post ever had."""

SHORT_LINKS = {"kZ3q": "115400000000000101"}

POSTS = {
    "threat": "/@boze_bezoeker/115400000000000101",
    "announcement": "/@lindeboom/115400000000000100",
    "reply": "/@buurtgenoot/115400000000000102",
    "edited": "/@boze_bezoeker/115400000000000110",
    "login": "/@boze_bezoeker/115400000000000120",
    "deleted": "/@boze_bezoeker/115400000000000121",
    "gone": "/@boze_bezoeker/115400000000000122",
    "missing": f"/@boze_bezoeker/{MISSING_ID}",
    "short": "/s/kZ3q",
    "users-form": "/users/boze_bezoeker/statuses/115400000000000101",
    "profile": "/@boze_bezoeker",
    "home": "/",
}
"""Names of the pages a test or a newcomer may want, with their paths."""


def by_handle(handle: str) -> Account | None:
    """The account of that name."""
    return next((a for a in ACCOUNTS.values() if a.handle == handle), None)


def ancestors(note: Note) -> list[Note]:
    """Posts above it, the first of the thread first."""
    found: list[Note] = []
    while note.reply_to is not None:
        note = NOTES[note.reply_to]
        found.insert(0, note)
    return found


def descendants(note: Note) -> list[Note]:
    """Posts below it, depth first, oldest first, as Mastodon lists them."""
    found: list[Note] = []
    for other in NOTES.values():
        if other.reply_to == note.ident and other.state == "public":
            found += [other, *descendants(other)]
    return found


def text_html(text: str) -> str:
    """The post's text as the API gives it: paragraphs, line breaks, everything escaped."""
    paragraphs = html.escape(text, quote=False).split("\n\n")
    return "".join(f"<p>{p.replace(chr(10), '<br />')}</p>" for p in paragraphs)


@dataclass(frozen=True)
class Api:
    """The JSON answers for a site that is reached at ``base`` (no slash at its end)."""

    base: str

    def account(self, account: Account) -> dict[str, Any]:
        """Entity Account."""
        address = f"{self.base}/@{account.handle}"
        picture = f"{self.base}/avatars/{account.handle}.{account.picture}"
        own = [n for n in NOTES.values() if n.account == account.ident and n.state == "public"]
        return {
            "id": account.ident,
            "username": account.handle,
            "acct": account.handle,
            "display_name": account.name,
            "locked": False,
            "bot": False,
            "discoverable": True,
            "group": False,
            "created_at": account.created,
            "note": text_html(account.about),
            "url": address,
            "uri": f"{self.base}/users/{account.handle}",
            "avatar": picture,
            "avatar_static": picture,
            "header": f"{self.base}/static/header.svg",
            "header_static": f"{self.base}/static/header.svg",
            "followers_count": len(account.handle) * 7,
            "following_count": len(account.name),
            "statuses_count": len(own),
            "last_status_at": max(n.current.created for n in own)[:10],
            "emojis": [],
            "fields": [],
        }

    def attachment(self, ident: str) -> dict[str, Any]:
        """Entity MediaAttachment."""
        picture = PICTURES[ident]
        address = f"{self.base}/media/{picture.file}"
        size = {"width": 960, "height": 600, "size": "960x600", "aspect": 1.6}
        return {
            "id": ident,
            "type": "image",
            "url": address,
            "preview_url": address,
            "remote_url": None,
            "text_url": None,
            "meta": {"original": size, "small": size},
            "description": picture.alt,
            "blurhash": None,
        }

    def status(self, note: Note) -> dict[str, Any]:
        """Entity Status."""
        account, now = ACCOUNTS[note.account], note.current
        above = NOTES[note.reply_to] if note.reply_to else None
        edited = now.created if len(note.editions) > 1 else None
        return {
            "id": note.ident,
            "created_at": note.editions[0].created,
            "in_reply_to_id": note.reply_to,
            "in_reply_to_account_id": above.account if above else None,
            "sensitive": bool(now.warning),
            "spoiler_text": now.warning,
            "visibility": "public",
            "language": LANGUAGE,
            "uri": f"{self.base}/users/{account.handle}/statuses/{note.ident}",
            "url": f"{self.base}/@{account.handle}/{note.ident}",
            "replies_count": sum(
                n.reply_to == note.ident and n.state == "public" for n in NOTES.values()
            ),
            "reblogs_count": note.reposts,
            "favourites_count": note.likes,
            "edited_at": edited,
            "content": text_html(now.text),
            "reblog": None,
            "application": {"name": "Web", "website": None},
            "account": self.account(account),
            "media_attachments": [self.attachment(ident) for ident in now.media],
            "mentions": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
        }

    def context(self, note: Note) -> dict[str, Any]:
        """Entity Context."""
        return {
            "ancestors": [self.status(n) for n in ancestors(note)],
            "descendants": [self.status(n) for n in descendants(note)],
        }

    def history(self, note: Note) -> list[dict[str, Any]]:
        """Entities StatusEdit, the first version first."""
        return [
            {
                "content": text_html(edition.text),
                "spoiler_text": edition.warning,
                "sensitive": bool(edition.warning),
                "created_at": edition.created,
                "account": self.account(ACCOUNTS[note.account]),
                "media_attachments": [self.attachment(ident) for ident in edition.media],
                "emojis": [],
            }
            for edition in note.editions
        ]

    def activity(self, note: Note) -> dict[str, Any]:
        """The post as an ActivityPub object (ActivityStreams Note)."""
        status = self.status(note)
        actor = f"{self.base}/users/{ACCOUNTS[note.account].handle}"
        above = NOTES[note.reply_to] if note.reply_to else None
        return {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": status["uri"],
            "type": "Note",
            "attributedTo": actor,
            "url": status["url"],
            "published": status["created_at"].replace(".000Z", "Z"),
            "updated": status["edited_at"],
            "inReplyTo": self.status(above)["uri"] if above else None,
            "summary": note.current.warning or None,
            "content": status["content"],
            "contentMap": {LANGUAGE: status["content"]},
            "to": ["https://www.w3.org/ns/activitystreams#Public"],
            "cc": [f"{actor}/followers"],
            "attachment": [
                {
                    "type": "Document",
                    "mediaType": "image/png",
                    "url": item["url"],
                    "name": item["description"],
                }
                for item in status["media_attachments"]
            ],
        }

    def tombstone(self, note: Note) -> dict[str, Any]:
        """What stands in the place of a deleted ActivityPub object."""
        handle = ACCOUNTS[note.account].handle
        return {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": f"{self.base}/users/{handle}/statuses/{note.ident}",
            "type": "Tombstone",
        }

    def instance(self) -> dict[str, Any]:
        """Entity Instance, API version 2."""
        return {
            "domain": self.base.split("//", 1)[1],
            "title": NAME,
            "version": VERSION,
            "source_url": "https://github.com/evidence-kit/evidence-kit",
            "description": LABEL,
            "languages": [LANGUAGE],
            "registrations": {"enabled": False, "approval_required": False, "message": None},
            "rules": [{"id": "1", "text": "Praat met elkaar zoals op het plein."}],
        }
