"""TXT records from the system's own DNS resolver: keys of mail signatures, accounts of handles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evidence_kit.core.errors import NetworkError

TIMEOUT = 10.0
"""Seconds for all attempts together; resolvers answer within one."""

MAX_TEXT = 8 << 10
"""Bytes of a record; a key of 4096 bits takes less than one KiB."""
MAX_RECORDS = 50
"""Records of one name; busy domains have some twenty."""

TxtLookup = Callable[[str], str | None]
"""From a DNS name to its TXT record; None where there is none; raises NetworkError."""


@dataclass(frozen=True)
class TxtRecords:
    """What a resolver said.

    Attributes:
        texts: each record with its parts joined; none where there are none.
        server: address of the resolver, empty where the name does not exist.
        authenticated: the resolver says that it checked DNSSEC signatures; nobody else does.
    """

    name: str
    texts: tuple[str, ...] = ()
    server: str = ""
    authenticated: bool = False


TxtQuery = Callable[[str], TxtRecords]
"""From a DNS name to all of its TXT records; raises NetworkError."""


def txt_records(name: str) -> TxtRecords:
    """The TXT records of ``name``, as the system's resolver gives them.

    Raises:
        NetworkError: no resolver answered.
    """
    from dns import exception, flags, resolver

    try:
        answer = resolver.resolve(name, "TXT", lifetime=TIMEOUT)
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return TxtRecords(name)
    except (exception.DNSException, OSError, UnicodeError) as error:
        raise NetworkError(
            f"DNS gave no answer about {name}: {type(error).__name__}",
            hint="a network that only a proxy leads out of may have no DNS for names outside",
        ) from error
    texts = (b"".join(record.strings) for record in answer)
    return TxtRecords(
        name,
        tuple(text.decode("utf-8", "replace") for text in texts if len(text) <= MAX_TEXT)[
            :MAX_RECORDS
        ],
        str(answer.nameserver or ""),
        bool(answer.response.flags & flags.AD),
    )


def lookup_txt(name: str) -> str | None:
    """The TXT record of ``name`` that holds a DKIM key.

    Raises:
        NetworkError: no resolver answered.
    """
    return next((text for text in txt_records(name).texts if "p=" in text), None)
