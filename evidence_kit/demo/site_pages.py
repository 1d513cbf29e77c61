"""The example site's HTML. Every text of a post or account is escaped."""

from __future__ import annotations

import html
import json
from typing import Any

from evidence_kit.demo.site_data import (
    ACCOUNTS,
    LABEL,
    NAME,
    NOTES,
    Account,
    Api,
    Note,
    text_html,
)

NOT_AVAILABLE = "Dit bericht is niet (meer) beschikbaar"
LOGIN_NEEDED = "Log in om dit bericht te bekijken"


def post_page(api: Api, note: Note, csrf: str) -> bytes:
    """A post on its own page; the replies below it are loaded by script."""
    account = ACCOUNTS[note.account]
    status = api.status(note)
    head = _post_head(api, note, status)
    above = ""
    if note.reply_to is not None:
        parent = NOTES[note.reply_to]
        path = f"/@{ACCOUNTS[parent.account].handle}/{parent.ident}"
        above = (
            f'<p class="meta">Reactie op <a href="{path}">'
            f"een bericht van {_text(ACCOUNTS[parent.account].name)}</a></p>"
        )
    body = (
        f"{above}{_article(api, note, 'main')}"
        f'<h2>Reacties</h2><div data-replies="{note.ident}"><p class="meta">Laden …</p></div>'
    )
    title = f"{account.name} op {NAME}: {note.current.text[:60]}"
    return _page(title, body, csrf=csrf, head=head)


def profile_page(api: Api, account: Account, csrf: str) -> bytes:
    """An account with its public posts, the newest first."""
    own = [n for n in NOTES.values() if n.account == account.ident and n.state == "public"]
    articles = "".join(_article(api, note, "") for note in reversed(own))
    body = (
        f'<section class="card"><h1>{_text(account.name)}</h1>'
        f'<p class="handle">@{account.handle}</p><p>{_text(account.about)}</p></section>{articles}'
    )
    return _page(f"{account.name} (@{account.handle})", body, csrf=csrf)


def home_page(api: Api, csrf: str) -> bytes:
    """All public posts, the newest first."""
    notes = [note for note in NOTES.values() if note.state == "public"]
    return _page(NAME, "".join(_article(api, n, "") for n in reversed(notes)), csrf=csrf)


def login_page(csrf: str) -> bytes:
    """What a visitor without an account sees in the place of a post for followers only."""
    body = (
        f'<section class="card"><h1>{LOGIN_NEEDED}</h1>'
        "<p>Dit bericht is alleen zichtbaar voor mensen met een account.</p>"
        '<form action="/login" method="post">'
        f'<input type="hidden" name="authenticity_token" value="{_text(csrf)}">'
        '<label>E-mailadres <input name="email" type="email" autocomplete="username"></label>'
        '<label>Wachtwoord <input name="password" type="password" '
        'autocomplete="current-password"></label>'
        "<button>Inloggen</button></form></section>"
    )
    return _page(f"Inloggen · {NAME}", body, csrf=csrf)


def unavailable_page(csrf: str) -> bytes:
    """What stands in the place of a deleted post."""
    body = (
        f'<section class="card"><h1>{NOT_AVAILABLE}</h1>'
        "<p>Misschien heeft de schrijver het verwijderd.</p></section>"
    )
    return _page(f"{NOT_AVAILABLE} · {NAME}", body, csrf=csrf)


def missing_page(csrf: str) -> bytes:
    """What an address shows that never existed."""
    body = '<section class="card"><h1>Pagina niet gevonden</h1><p>Fout 404.</p></section>'
    return _page(f"Niet gevonden · {NAME}", body, csrf=csrf)


def _post_head(api: Api, note: Note, status: dict[str, Any]) -> str:
    account = ACCOUNTS[note.account]
    linked: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "SocialMediaPosting",
        "@id": status["url"],
        "url": status["url"],
        "datePublished": status["created_at"],
        "inLanguage": status["language"],
        "articleBody": note.current.text,
        "author": {
            "@type": "Person",
            "name": account.name,
            "alternateName": f"@{account.handle}",
            "url": f"{api.base}/@{account.handle}",
        },
        "image": [item["url"] for item in status["media_attachments"]],
        "interactionStatistic": {
            "@type": "InteractionCounter",
            "interactionType": "https://schema.org/LikeAction",
            "userInteractionCount": note.likes,
        },
    }
    if status["edited_at"]:
        linked["dateModified"] = status["edited_at"]
    # "<" is written as an escape, so that no text of a post can end the script element.
    data = json.dumps(linked, ensure_ascii=False).replace("<", "\\u003c")
    graph = [
        ("og:site_name", NAME),
        ("og:type", "article"),
        ("og:title", f"{account.name} (@{account.handle})"),
        ("og:url", status["url"]),
        ("og:description", note.current.text),
        ("og:locale", "nl_NL"),
        ("article:published_time", status["created_at"]),
        *(("og:image", item["url"]) for item in status["media_attachments"]),
    ]
    return (
        f'<link rel="canonical" href="{_text(status["url"])}">'
        f'<link rel="alternate" type="application/activity+json" href="{_text(status["uri"])}">'
        + "".join(f'<meta property="{k}" content="{_text(v)}">' for k, v in graph)
        + f'<script type="application/ld+json">{data}</script>'
    )


def _article(api: Api, note: Note, kind: str) -> str:
    account, now = ACCOUNTS[note.account], note.current
    status = api.status(note)
    path = f"/@{account.handle}/{note.ident}"
    warning = f'<p class="warning">Let op: {_text(now.warning)}</p>' if now.warning else ""
    pictures = "".join(
        f'<a href="{_text(item["url"])}"><img src="{_text(item["url"])}" '
        f'alt="{_text(item["description"])}" width="960" height="600"></a>'
        for item in status["media_attachments"]
    )
    edited = f" · bewerkt {_when(now.created)}" if len(note.editions) > 1 else ""
    return (
        f'<article class="{kind}" id="bericht-{note.ident}"><header>'
        f'<img src="/avatars/{account.handle}.{account.picture}" alt="">'
        f'<div><a class="name" href="/@{account.handle}">{_text(account.name)}</a>'
        f'<span class="handle">@{account.handle}</span></div></header>'
        f'{warning}<div class="text">{text_html(now.text)}</div>'
        + (f'<div class="pictures">{pictures}</div>' if pictures else "")
        + f'<div class="meta"><a href="{path}"><time datetime="{note.editions[0].created}">'
        f"{_when(note.editions[0].created)}</time></a>{edited}</div>"
        f'<div class="counts"><span><i>&#xE002;</i>{status["replies_count"]} reacties</span>'
        f"<span><i>&#xE003;</i>{note.reposts} gedeeld</span>"
        f"<span><i>&#xE001;</i>{note.likes} vind-ik-leuks</span></div></article>"
    )


def _page(title: str, body: str, *, csrf: str, head: str = "") -> bytes:
    return (
        '<!doctype html><html lang="nl"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title>"
        f'<meta name="csrf-token" content="{_text(csrf)}">'
        '<link rel="icon" href="/static/header.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="/static/site.css">{head}</head><body>'
        f'<p class="label">{_text(LABEL)}</p>'
        f'<div class="top"><div><a class="brand" href="/">{NAME}</a>'
        f"<span>het plein van iedereen</span></div></div><main>{body}</main>"
        f"<footer>{NAME} · voorbeeldsite</footer>"
        '<script src="/static/site.js" defer></script></body></html>\n'
    ).encode()


def _when(created: str) -> str:
    return f"{created[8:10]}-{created[5:7]}-{created[:4]} {created[11:16]} UTC"


def _text(value: str) -> str:
    return html.escape(value, quote=True)
