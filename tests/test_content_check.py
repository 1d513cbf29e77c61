"""Is the post there? Judged on page texts in Dutch and English, with care for false alarms."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.gather.content_check import ContentFacts, ContentState, judge

URL = "https://social.example/@kees/1234"
THREAT = "Ik weet waar je woont en waar je kinderen naar school gaan."


def facts(text: str = "", **more: object) -> ContentFacts:
    values: dict[str, object] = {
        "requested_url": URL,
        "final_url": URL,
        "status": 200,
        "visible_text": text,
        "images": 1,
        "password_fields": 0,
        **more,
    }
    return ContentFacts(**values)  # type: ignore[arg-type]


NAMED = {401: "login-wall", 429: "bot-block", 451: "geo-block"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 451, 500, 503])
def test_an_http_error_is_never_present(status: int) -> None:
    found = judge(facts(THREAT * 50, status=status, known_text=THREAT))
    assert str(found.state) == NAMED.get(status, "http-error")
    assert not found.there
    assert f"http:{status}" in found.signals


def test_a_network_failure_comes_first() -> None:
    found = judge(facts(status=None, failure="ERR_NAME_NOT_RESOLVED"))
    assert (found.state, found.there) == (ContentState.NETWORK_ERROR, False)


@pytest.mark.parametrize(
    "page",
    [
        facts("Welkom", final_url="https://social.example/login?next=/1234"),
        facts("Welkom", final_url="https://social.example/i/flow/login"),
        facts("Log in to continue\nEmail\nPassword", password_fields=1),
        facts("Log in om dit bericht te zien\nInloggen\nRegistreren"),
        facts("Happening now\nLog in\nSign up", title="Log in to X"),
        facts("U moet ingelogd zijn om deze pagina te bekijken", password_fields=1),
    ],
)
def test_login_walls(page: ContentFacts) -> None:
    found = judge(page)
    assert (found.state, found.there) == (ContentState.LOGIN_WALL, False)
    assert found.signals


@pytest.mark.parametrize(
    "page",
    [
        facts("Deze pagina is niet beschikbaar\nDe link is misschien verlopen"),
        facts("Sorry, this page isn't available.\nThe link may be broken"),
        facts("This Post was deleted by its author. Learn more"),
        facts("Dit bericht is verwijderd"),
        facts("Oeps", title="Pagina niet gevonden | Voorbeeld"),
        facts(THREAT, platform_state="gone"),
        facts(THREAT, platform_state="not-there"),
    ],
)
def test_posts_that_are_not_available(page: ContentFacts) -> None:
    found = judge(page)
    assert (found.state, found.there) == (ContentState.NOT_AVAILABLE, False)


@pytest.mark.parametrize(
    "page",
    [
        facts(THREAT),
        facts("Ik kan niet meer inloggen, log in om te stemmen zeggen ze dan.\n" + THREAT),
        facts("Kees\nLog in om dit te zien, haha\n2 reacties"),
        facts("Log in\nSign up\nKees\n" + THREAT),
        facts("Gisteren kreeg ik: deze pagina is niet beschikbaar. Wat een site."),
        facts(
            "Deze post is niet beschikbaar\nInloggen\nRegistreren",
            known_text="Deze post is niet beschikbaar",
        ),
        facts("Page not found\n" + "een lange discussie over foutmeldingen " * 80),
        facts("Wachtwoord\nLogin\n" + THREAT, password_fields=1, known_text=THREAT),
        facts(
            THREAT,
            requested_url="https://x.example/login/1",
            final_url="https://x.example/login/1",
        ),
    ],
)
def test_posts_that_only_talk_about_it_are_present(page: ContentFacts) -> None:
    assert judge(page).state is ContentState.PRESENT


def test_an_empty_page() -> None:
    assert judge(facts(" \n", images=0)).state is ContentState.EMPTY
    assert judge(facts("", images=1)).state is ContentState.PRESENT


def test_what_was_not_seen_is_unknown() -> None:
    assert judge(facts("", images=None)).state is ContentState.UNKNOWN
    assert judge(facts(THREAT, status=None)).state is ContentState.UNKNOWN


DATA = Path(__file__).parent / "data"
PAGES = tomllib.loads((DATA / "page_texts.toml").read_text("utf-8"))["page"]


@pytest.mark.parametrize("page", PAGES, ids=[f"{p['expect']}-{p['title'][:20]}" for p in PAGES])
def test_realistic_pages(page: dict[str, Any]) -> None:
    found = judge(
        facts(
            page["text"].strip(),
            title=page["title"],
            final_url=page.get("final", URL),
            status=page.get("status", 200),
            images=page.get("images", 1),
            password_fields=page.get("password_fields", 0),
        )
    )
    assert found.there == (page["expect"] == "present")
    assert str(found.state) == page["expect"], found


POSTS = tomllib.loads((DATA / "page_texts_walls_in_posts.toml").read_text("utf-8"))["page"]


@pytest.mark.parametrize("page", POSTS, ids=[page["title"] for page in POSTS])
def test_posts_in_the_words_of_walls(page: dict[str, Any]) -> None:
    found = judge(facts(page["text"], title=page["title"], password_fields=page["password_fields"]))
    assert found.there, found


def test_a_firewall_that_says_so_in_a_header() -> None:
    said = {"cf-mitigated": "challenge"}
    assert judge(facts(THREAT, headers=said)).state is ContentState.BOT_BLOCK
    found = judge(facts(THREAT, headers=said, status=403))
    assert (found.state, found.signals[:2]) == (
        ContentState.BOT_BLOCK,
        ("http:403", "header:cf-mitigated"),
    )
    assert judge(facts(THREAT, headers={"cf-mitigated": "none"})).there


@pytest.mark.parametrize(
    ("final", "text", "state"),
    [
        ("https://login.social.example/start", "Welkom", "login-wall"),
        ("https://consent.social.example/m", "We use cookies and data\nAccept", "consent-wall"),
        ("https://consent.social.example/m", "Kees\nNa regen komt zonneschijn", "present"),
        ("https://social.example/sorry/", "Are you real", "bot-block"),
        ("https://login.other.example", "Welkom", "login-wall"),
    ],
)
def test_where_the_visit_ended_counts(final: str, text: str, state: str) -> None:
    asked = "https://social.example/@kees/"
    assert str(judge(facts(text, requested_url=asked, final_url=final)).state) == state


def test_a_known_consent_frame_counts() -> None:
    frame = "[frame https://cdn.privacy-mgmt.com/index.html]\n"
    text = "Dagblad\n" + frame + "Jouw privacy\nKies welke cookies je toestaat"
    assert judge(facts(text)).state is ContentState.CONSENT_WALL
    assert judge(facts(THREAT + "\n" + frame + "Jouw privacy")).state is ContentState.PRESENT


@pytest.mark.parametrize(
    "text",
    [
        "'" * 200_000,
        "“" * 200_000,
        "sorry " * 249,
        "a" * 500_000,
        "not " * 240 + "bot",
        "{" * 9_999,
    ],
)
def test_hostile_texts_cost_no_time(text: str) -> None:
    started = time.process_time()
    judge(facts(text))
    judge(facts("\n".join([text] * 3), status=403))
    assert time.process_time() - started < 5


def test_enough_pages_of_every_kind_are_tried() -> None:
    assert len(PAGES) >= 40
    named = {page["expect"] for page in PAGES}
    assert named >= {str(state) for state in ContentState} - {"network-error", "unknown"}


@pytest.mark.parametrize(
    "text",
    [
        "Just a moment and I will be at your door.",
        "Access denied? I break your windows.",
        "Toegang geweigerd, dacht je? Ik kom toch.",
        "Too many requests, you say. I say: answer me or else.",
        "Je bent geblokkeerd",
        "Withheld in your file: everything you did to my mother.",
    ],
)
def test_words_of_a_block_in_a_post_that_the_platform_confirms(text: str) -> None:
    assert judge(facts(text, known_text=text)).state is ContentState.PRESENT
    if len(text.split()) > 4:
        assert judge(facts(text)).state is ContentState.PRESENT


@pytest.mark.parametrize("host", ["[half", "[::1", "a]b", "[no-address]"])
def test_an_address_whose_host_cannot_be_read_is_judged_by_its_path(host: str) -> None:
    """A page's script writes addresses that no reader of addresses takes."""
    gone = judge(facts("Welkom", final_url=f"https://{host}/login?next=/1234#x"))
    assert gone.state is ContentState.LOGIN_WALL
    same = judge(
        facts(THREAT, requested_url=f"https://{host}/a/1", final_url=f"https://{host}/a/1")
    )
    assert same.state is ContentState.PRESENT
    other = judge(facts(THREAT, final_url=f"https://{host}"))
    assert other.signals == ("address:less-than-was-asked-for",)
