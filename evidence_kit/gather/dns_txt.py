"""One TXT record from the system's own DNS resolver: the key of a mail's signature."""

from __future__ import annotations

from collections.abc import Callable

from evidence_kit.core.errors import NetworkError
from evidence_kit.gather.http_answer import cause_in_words

TIMEOUT = 10.0
"""Seconds for all attempts together; resolvers answer within one."""

MAX_TEXT = 8 << 10
"""Bytes of a record; a key of 4096 bits takes less than one KiB."""

TxtLookup = Callable[[str], str | None]
"""From a DNS name to its TXT record; None where there is none; raises NetworkError."""


def lookup_txt(name: str) -> str | None:
    """The TXT record of ``name`` that holds a DKIM key, its parts joined.

    Raises:
        NetworkError: no resolver answered.
    """
    from dns import exception, resolver

    try:
        answer = resolver.resolve(name, "TXT", lifetime=TIMEOUT)
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return None
    except (exception.DNSException, OSError) as error:
        raise NetworkError(
            f"the key of the mail's signature could not be fetched: {cause_in_words(error)}",
            hint="the mail can be imported without: the signature then stays unchecked",
        ) from error
    texts = [b"".join(record.strings) for record in answer]
    for text in texts:
        if b"p=" in text and len(text) <= MAX_TEXT:
            return text.decode("utf-8", "replace")
    return None
