"""Stored sessions: who can open them, for which site they are, and that no secret lies about."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring

from evidence_kit.core.errors import InputError, KeyUnavailableError, LoginError, StorageError
from evidence_kit.gather.session_state import (
    SessionState,
    from_browser,
    from_bytes,
    logged_in,
    of_site,
)
from evidence_kit.gather.tokens import Tokens
from evidence_kit.jobs import sessions as job
from evidence_kit.jobs.identity import create_identity
from evidence_kit.jobs.login import checked_account, forget, keep_tokens
from evidence_kit.jobs.sessions import (
    Site,
    account_of,
    find_session,
    keep_secrets,
    keep_session,
    load_session,
    new_key,
    secrets_kept,
    sessions,
    site_of,
)
from evidence_kit.platforms.catalogue import ROWS
from evidence_kit.seal.session_file import (
    BadSessionError,
    SessionHead,
    open_session,
    read_head,
    seal_session,
)
from tests.keyring_file import VARIABLE, FileKeyring
from tests.login_site import ACCOUNT, REFRESH, SECRETS, SESSION, TOKEN, LoginSite

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PASSPHRASE = b"een lange wachtzin"
FORUM = Site("forum.example", "", "https://forum.example/login")
URL = "https://forum.example/post/1"


def clock() -> datetime:
    return NOW


def state(**more: object) -> SessionState:
    """A session of the forum."""
    (first, second) = LoginSite(port=443).state().cookies
    items = LoginSite(port=443).state().storage["http://127.0.0.1:443"]
    return SessionState(
        (
            {**first, "domain": "forum.example", "secure": True, **more},
            {**second, "domain": ".forum.example", "secure": True, **more},
        ),
        {"https://forum.example": items},
    )


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working keyring; the file that it writes."""
    path = tmp_path / "ring.json"
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setattr(keyring.core, "_keyring_backend", FileKeyring())  # type: ignore[no-untyped-call]
    return path


@pytest.fixture
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", NoKeyring())  # type: ignore[no-untyped-call]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not 128 MiB for each of many keys; one test uses the real ones."""
    monkeypatch.setattr("evidence_kit.seal.session_file._SCRYPT_COST", 1 << 10)


def never() -> bytes:
    raise AssertionError("a passphrase was asked for")


def keep(home: Path, site: Site = FORUM, kept: SessionState | None = None) -> SessionHead:
    key = new_key(home, "default", lambda: PASSPHRASE, os.urandom)
    return keep_session(home, site, ACCOUNT, kept or state(), key, clock=clock, random=os.urandom)


def identity(home: Path) -> None:
    create_identity(home, "default", organisation="O", passphrase=PASSPHRASE, now=NOW)


def lies_about(folder: Path) -> list[str]:
    """Files in which a secret stands, plainly or in base64."""
    found = []
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for secret in SECRETS:
            inner = base64.b64encode(secret.encode())[:-4]
            if secret.encode() in data or inner in data:
                found.append(f"{path.name}: {secret}")
    return found


def test_with_a_keyring_nobody_is_asked(own_home: Path, ring: Path) -> None:
    key = new_key(own_home, "default", never, os.urandom)
    head = keep_session(own_home, FORUM, ACCOUNT, state(), key, clock=clock, random=os.urandom)
    assert (head.key, head.identity, head.account) == ("keyring", "", ACCOUNT)
    found = find_session(own_home, "forum.example", URL)
    assert found == head
    assert load_session(own_home, found, lambda _: never(), NOW).state == state()
    assert len(ring.read_text()) < 300  # a key, whatever the session's size
    assert not lies_about(own_home)
    assert not lies_about(ring.parent)
    assert account_of(found).stored == NOW


def test_a_large_session_is_no_matter_for_a_small_keyring(own_home: Path, ring: Path) -> None:
    large = SessionState(state().cookies, {"https://forum.example": {"cache": "x" * 1_000_000}})
    keep(own_home, kept=large)
    found = find_session(own_home, "forum.example", URL)
    assert load_session(own_home, found, lambda _: never(), NOW).state == large


@pytest.mark.usefixtures("no_ring")
def test_without_a_keyring_the_passphrase_of_the_identity_opens_it(own_home: Path) -> None:
    identity(own_home)
    head = keep(own_home)
    assert (head.key, head.identity) == ("passphrase", "default")
    asked: list[str] = []

    def ask(name: str) -> bytes:
        asked.append(name)
        return PASSPHRASE

    found = find_session(own_home, "forum.example", URL)
    assert load_session(own_home, found, ask, NOW).state == state()
    assert asked == ["default"]
    assert not lies_about(own_home)
    (file,) = (own_home / "sessions").iterdir()
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(KeyUnavailableError, match="cannot be opened"):
        load_session(own_home, found, lambda _: b"een andere wachtzin", NOW)


def test_a_keyring_that_forgets_is_none(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, cheap: None
) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", NullKeyring())  # type: ignore[no-untyped-call]
    identity(own_home)
    assert keep(own_home).key == "passphrase"


@pytest.mark.usefixtures("no_ring", "cheap")
def test_a_mistyped_passphrase_is_refused_before_anybody_logs_in(own_home: Path) -> None:
    identity(own_home)
    with pytest.raises(KeyUnavailableError, match="wrong passphrase"):
        new_key(own_home, "default", lambda: b"niet deze wachtzin", os.urandom)
    with pytest.raises(KeyUnavailableError, match="no identity named other"):
        new_key(own_home, "other", never, os.urandom)
    (own_home / "identity" / "default" / "key.pem").unlink()
    with pytest.raises(KeyUnavailableError, match="a PIN protects no file"):
        new_key(own_home, "default", never, os.urandom)


def test_a_lost_key_of_the_keyring_is_said(own_home: Path, ring: Path) -> None:
    head = keep(own_home)
    ring.write_text("{}")
    with pytest.raises(KeyUnavailableError, match="keyring does not give"):
        load_session(own_home, head, lambda _: never(), NOW)


def test_a_new_login_replaces_the_old_and_its_key(own_home: Path, ring: Path) -> None:
    first = keep(own_home)
    second = keep(own_home, kept=SessionState(state().cookies[:1]))
    assert first.id != second.id
    assert [item.id for item in sessions(own_home)] == [second.id]
    assert list(json.loads(ring.read_text())) == [f"evidence-kit/session:{second.id}"]
    assert len(list((own_home / "sessions").iterdir())) == 1


def test_every_field_of_the_head_is_bound_to_the_content() -> None:
    key = b"k" * 32
    head = SessionHead("00", "x", "x", "https://x.com/", "@a", NOW, "keyring", "", b"", b"n" * 12)
    data = seal_session(head, b"inhoud", key)
    assert read_head(data) == head
    assert open_session(data, key) == b"inhoud"
    document = json.loads(data)
    for name, value in document.items():
        other = "2026-11-24T10:00:00Z" if name == "stored" else "AAAA" + value[4:]
        changed = json.dumps({**document, name: other}).encode()
        with pytest.raises(BadSessionError):
            open_session(changed, key)
    for cut in range(0, len(data), 7):
        with pytest.raises(BadSessionError):
            open_session(data[:cut], key)
    for bad in (b"[]", b"{}", json.dumps({**document, "more": "x"}).encode()):
        with pytest.raises(BadSessionError):
            read_head(bad)
    with pytest.raises(BadSessionError):
        open_session(data, b"l" * 32)


def test_a_changed_file_is_refused_and_a_strange_one_left_out(own_home: Path, ring: Path) -> None:
    head = keep(own_home)
    (file,) = (own_home / "sessions").iterdir()
    good = file.read_bytes()
    file.write_bytes(good.replace(b'"account": "@gemeente_x"', b'"account": "@iemand_ande"'))
    with pytest.raises(KeyUnavailableError, match="was changed"):
        load_session(own_home, read_head(file.read_bytes()), lambda _: never(), NOW)
    file.write_bytes(b"{}")
    assert sessions(own_home) == []
    with pytest.raises(InputError, match="nobody is logged in"):
        find_session(own_home, head.name, URL)


def test_a_session_that_ran_out_is_said_before_the_capture(own_home: Path, ring: Path) -> None:
    soon = state(expires=(NOW + timedelta(hours=1)).timestamp())
    keep(own_home, kept=replace(soon, storage={}))
    head = find_session(own_home, "forum.example", URL)
    assert load_session(own_home, head, lambda _: never(), NOW)
    with pytest.raises(LoginError, match="has run out"):
        load_session(own_home, head, lambda _: never(), NOW + timedelta(hours=2))


@pytest.mark.parametrize(
    ("host", "site", "own"),
    [
        ("x.com", "x.com", True),
        ("www.reddit.com", "www.reddit.com", True),
        ("old.reddit.com", "www.reddit.com", True),
        ("reddit.com", "www.reddit.com", True),
        ("m.facebook.com", "www.facebook.com", True),
        ("evilx.com", "x.com", False),
        ("x.com.evil.example", "x.com", False),
        ("example.com", "forum.example.com", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", False),
    ],
)
def test_which_hosts_a_session_is_for(host: str, site: str, own: bool) -> None:
    assert of_site(host, site) is own


def test_a_session_goes_to_its_own_site_only(own_home: Path, ring: Path) -> None:
    keep(own_home)
    assert find_session(own_home, "forum.example", "https://a.forum.example/1")
    for url in ("https://example.org/1", "https://forum.example.org/", "https://xforum.example/"):
        with pytest.raises(InputError, match=r"is for forum\.example, not for"):
            find_session(own_home, "forum.example", url)


def test_a_session_made_over_tls_never_goes_in_plain(own_home: Path, ring: Path) -> None:
    head = keep(own_home, kept=state(secure=False))
    with pytest.raises(InputError, match="not sent over plain http"):
        find_session(own_home, "forum.example", "http://forum.example/1")
    opened = load_session(own_home, head, lambda _: never(), NOW)
    assert all(item["secure"] for item in opened.state.cookies)


def test_what_other_sites_set_during_a_login_is_not_kept() -> None:
    def cookie(domain: str) -> dict[str, object]:
        base = dict(state().cookies[0])
        return {**base, "domain": domain, "extra": "not kept"}

    taken = from_browser(
        [cookie(name) for name in (".example.org", "www.example.org", "accounts.idp.example")]
        + [cookie("login.example.org"), cookie("example.org"), cookie("xexample.org")],
        {
            "https://www.example.org": {"a": "\ud800b"},
            "https://idp.example": {"token": TOKEN},
            "https://api.example.org": {},
        },
    ).of_site("www.example.org")
    assert [item["domain"] for item in taken.cookies] == [
        ".example.org",
        "www.example.org",
        "login.example.org",
        "example.org",
    ]
    assert taken.storage == {"https://www.example.org": {"a": "?b"}}
    assert "extra" not in taken.cookies[0]
    assert from_bytes(taken.to_bytes()) == taken
    below = from_browser([cookie(".example.org"), cookie("example.org")], {})
    assert [item["domain"] for item in below.of_site("forum.example.org").cookies] == [
        ".example.org"
    ]
    for bad in (b"", b"{}", b'{"cookies": [{}], "storage": {}}'):
        with pytest.raises(ValueError, match=r"."):
            from_bytes(bad)


def test_the_secrets_of_a_session_are_named_and_never_shown() -> None:
    found = {value.decode() for _, value in state().secrets()}
    assert found == {SESSION, "geheim7", TOKEN, REFRESH}  # settings are no secret
    assert not [secret for secret in SECRETS if secret in repr(state())]
    assert SESSION not in repr(job.SessionKey("id", "keyring", SESSION.encode()))


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ('"q8Zt3Lm0Xc7Vb2Nn5Kp9"', "q8Zt3Lm0Xc7Vb2Nn5Kp9"),
        ("q8Zt3%2FLm0Xc7Vb2%3D", "q8Zt3/Lm0Xc7Vb2="),
        ("s%3Aq8Zt3Lm0Xc7Vb2Nn5Kp9.Hh3", "q8Zt3Lm0Xc7Vb2Nn5Kp9.Hh3"),
        ("%7B%22id%22%3A%22q8Zt3Lm0Xc7Vb2Nn5Kp9%22%7D", "q8Zt3Lm0Xc7Vb2Nn5Kp9"),
    ],
)
def test_a_cookie_is_known_as_pages_repeat_it(kept: str, shown: str) -> None:
    one = replace(state(), cookies=({**state().cookies[0], "value": kept},))
    login = logged_in(one, os.urandom)
    for form in (kept, shown):
        assert form not in login.text(f'<meta content="{form}">')


def test_what_a_user_may_mean() -> None:
    assert site_of("X") == Site("x", "x", "https://x.com/login")
    assert site_of("Forum.Example") == Site("forum.example", "", "https://forum.example/")
    address = "http://127.0.0.1:8080/login"
    assert site_of(address) == Site("127.0.0.1:8080", "", address)
    for row in ROWS:
        if row.login:
            assert site_of(row.name).platform == row.name
        else:
            with pytest.raises(InputError, match="no login page of its own"):
                site_of(row.name)
    for bad in (
        "",
        "een naam",
        "https://",
        "https://a:b@example.org/",
        "../../etc",
        "a/b c",
        "http://[::1",
    ):
        with pytest.raises(InputError):
            site_of(bad)


def test_the_name_of_an_account() -> None:
    assert checked_account(" @gemeente_x ") == "@gemeente_x"
    for bad in ("", "  ", "a\nb", "a" * 201, "\x1b[2J"):
        with pytest.raises(InputError, match="account"):
            checked_account(bad)


def test_tokens_go_where_captures_look_and_are_forgotten(own_home: Path, ring: Path) -> None:
    keep_tokens({"REDDIT_CLIENT_ID": "app", "REDDIT_CLIENT_SECRET": f" {TOKEN}\n"})
    assert Tokens({})["REDDIT_CLIENT_SECRET"] == TOKEN
    gone = forget(own_home, "reddit")
    assert (gone.session, gone.tokens) == (False, ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"))
    assert Tokens({}).get("REDDIT_CLIENT_SECRET") is None
    assert not forget(own_home, "reddit")
    for bad in ("", "a b\nc", "a" * 3_000):
        with pytest.raises(InputError, match="YOUTUBE_API_KEY"):
            keep_tokens({"YOUTUBE_API_KEY": bad})


@pytest.mark.usefixtures("no_ring")
def test_tokens_need_a_keyring() -> None:
    with pytest.raises(StorageError, match="no keyring") as caught:
        keep_tokens({"YOUTUBE_API_KEY": TOKEN})
    assert "environment variable YOUTUBE_API_KEY" in caught.value.hint
    assert TOKEN not in str(caught.value)


def test_a_logout_removes_file_and_key(own_home: Path, ring: Path) -> None:
    keep(own_home)
    keep_tokens({"X_BEARER_TOKEN": TOKEN})
    assert forget(own_home, "forum.example").session
    assert not list((own_home / "sessions").iterdir())
    assert list(json.loads(ring.read_text())) == ["evidence-kit/X_BEARER_TOKEN"]


def test_what_a_recovery_must_mask_opens_with_the_sessions_key_only(
    own_home: Path, ring: Path, tmp_path: Path
) -> None:
    keep(own_home)
    session = load_session(
        own_home, find_session(own_home, "forum.example", URL), lambda _: never(), NOW
    )
    login = logged_in(session.state, os.urandom)
    path = tmp_path / "session.sealed"
    assert secrets_kept(path, lambda _: never()) is None
    keep_secrets(path, session, login.standins, os.urandom)
    first = path.read_bytes()
    login.standins.message(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=later\r\n\r\n")
    keep_secrets(path, session, login.standins, os.urandom)
    assert read_head(first).nonce != read_head(path.read_bytes()).nonce  # never twice with a key
    assert not lies_about(tmp_path)
    found = secrets_kept(path, lambda _: never())
    assert found is not None
    assert found.standins.made == login.standins.made
    assert b"later" in found.standins.made
    path.write_bytes(first.replace(b'"site": "https://', b'"site": "http://'))
    with pytest.raises(KeyUnavailableError, match="cannot be opened"):
        secrets_kept(path, lambda _: never())
    path.write_bytes(first)
    forget(own_home, "forum.example")
    with pytest.raises(KeyUnavailableError, match="keyring does not give"):
        secrets_kept(path, lambda _: never())
