"""A login is found again however the name of its site is written (IDNA, UTS 46)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.errors import InputError
from evidence_kit.gather.addresses import normal_host
from evidence_kit.jobs.sessions import Site, drop_session, find_session, site_of
from tests.test_sessions import keep, ring

__all__ = ["ring"]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("köln.example", "xn--kln-sna.example"),
        ("KO\u0308LN.example", "xn--kln-sna.example"),  # the two dots as a character of their own
        ("faß.example", "xn--fa-hia.example"),  # RFC 3490 had another name here: fass.example
        ("i❤.example", "xn--i-7iq.example"),
        ("forum。例え.example", "forum.xn--r8jz45g.example"),
    ],
)
def test_a_session_is_found_however_the_name_is_written(
    own_home: Path, ring: Path, typed: str, sent: str
) -> None:
    for kept, other in ((typed, sent), (sent, typed)):
        site = site_of(kept)
        assert site == Site(sent, "", f"https://{sent}/")
        assert site_of(f"https://{kept}:8080/login").url == f"https://{sent}:8080/login"
        keep(own_home, site)
        head = find_session(own_home, other, f"https://{other}/1")
        assert head.name == sent
        assert find_session(own_home, kept, f"https://a.{other}/1") == head
        assert drop_session(own_home, head.name)
    with pytest.raises(InputError, match="not for"):
        keep(own_home, site_of("fass.example"))
        find_session(own_home, "fass.example", "https://faß.example/1")


@pytest.mark.parametrize(
    "bad",
    [
        "[köln].example",
        "kees@köln.example",
        "ö..example",
        "köln.example/pad",
        "https://köln.example@evil.example/",
        "https://köln.example:poort/",
    ],
)
def test_what_is_no_host_is_none_in_any_script(bad: str) -> None:
    with pytest.raises(InputError):
        site_of(bad)


@pytest.mark.parametrize("host", ["ö" * 70 + ".example", ".ö", "ö..a", "xn--ö"])
def test_a_name_that_has_no_such_form_is_compared_as_it_is(host: str) -> None:
    assert normal_host(host) == host


@given(st.text())
def test_any_text_has_a_form_that_stays(text: str) -> None:
    once = normal_host(text)
    assert normal_host(once) in (once, once.strip().strip("[]").rstrip(".").lower())
