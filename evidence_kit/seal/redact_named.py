"""Cookies that are too short or too plain to be searched for: found where they are named.

Eight digits are also a date or a telephone number, so such a value is a secret only beside the name
of its cookie. A page chooses names as well as values; so the name must be that of a credential, and
words are no such value: what else a page can make disappear is a number that it calls a session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from evidence_kit.seal.redact_fields import is_secret_param
from evidence_kit.seal.redact_looks import MAX_LENGTH, MIN_LENGTH, begins_random

MIN_NAMED = 8
"""Characters of such a value; of less, each can be tried."""

REACH = 300
"""Bytes before and behind a value in which its name is looked for: a tag of a form."""

_AROUND = 72
"""Bytes of quotes, blanks and signs between a name and its value, and before the name."""

_VALUE = re.compile(rb"[A-Za-z0-9_.~-]+")
_PREFIX = re.compile(rb"\A(?:__(?:host|secure)-|_+)")
"""RFC 6265bis section 4.1.3, and what frameworks put before their own."""
_GOES_ON = re.compile(rb"[A-Za-z0-9_~-]")
_SESSION = re.compile(rb"(?:[a-z0-9]+[_.-])*sess(?:id)?")
_QUOTE = rb"(?:\\{0,8}[\"']|&quot;|&#(?:34|39|x22|x27);|%22)"


@dataclass(frozen=True)
class Naming:
    """How a text names a value: ``before`` it, or by a tag around it.

    Attributes:
        name: of the cookie.
        before: ends where the value begins, with the name in it.
        value: the same of a field in a tag that has the name elsewhere.
        ahead: of such a tag that has the name before the field; ends where the value begins.
        behind: of one that has it behind; begins where the value ends.
    """

    name: bytes
    before: re.Pattern[bytes]
    value: re.Pattern[bytes]
    ahead: re.Pattern[bytes]
    behind: re.Pattern[bytes]

    def since(self, data: bytes, start: int, end: int) -> int | None:
        """Where that begins which names the value at ``start`` to ``end``; None where nothing."""
        if _GOES_ON.match(data, end):
            return None
        first = max(0, start - REACH)
        if data.find(self.name, first, end + REACH) < 0:
            return None  # so it is nearly always
        near = max(0, start - len(self.name) - _AROUND)
        found = self.before.search(data, near, start)
        if found is None:
            found = self.value.search(data, near, start)
            if found is not None and not self.behind.match(data, end, end + REACH):
                found = self.ahead.search(data, first, start)
        return found.start() if found is not None else None


def naming(name: bytes, value: bytes) -> Naming | None:
    """How a cookie is found; None where it may not be searched for at all.

    Args:
        name: of the cookie.
        value: of it, as it stands there.
    """
    if not is_session_name(name) or not MIN_NAMED <= len(value) <= MAX_LENGTH:
        return None
    short = len(value) < MIN_LENGTH and begins_random(value)
    if not _VALUE.fullmatch(value) or not (value.isdigit() or short):
        return None
    own = rb"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))" + re.escape(name)
    pairs = (
        own + rb"(?:=|%3[Dd])" + _QUOTE + rb"?",
        _QUOTE + re.escape(name) + _QUOTE + rb"\s{0,20}:\s{0,20}" + _QUOTE + rb"?",
        own + rb"\s{0,20}[:=]\s{0,20}" + _QUOTE,
    )
    said = rb"\b(?i:name)\s{0,20}=\s{0,20}" + _QUOTE + rb"?" + re.escape(name)
    given = rb"\b(?i:value)\s{0,20}=\s{0,20}" + _QUOTE + rb"?"
    return Naming(
        name=name,
        before=re.compile(rb"(?:%s)\Z" % b"|".join(pairs)),
        value=re.compile(given + rb"\Z"),
        ahead=re.compile(said + rb"(?![A-Za-z0-9_-])[^<>]{0,200}?" + given + rb"\Z"),
        behind=re.compile(rb"[^<>]{0,200}?" + said + rb"(?![A-Za-z0-9_-])"),
    )


def is_session_name(name: bytes) -> bool:
    """Whether a cookie's name says that it holds a credential."""
    plain = _PREFIX.sub(b"", name.lower())
    return is_secret_param(plain) or _SESSION.fullmatch(plain) is not None
