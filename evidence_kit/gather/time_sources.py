"""How far this computer's clock is off, by sources that do not depend on it (requirement C9).

The sources are asked in the caller's order and the first that answers counts: NTP (milliseconds),
then a server's ``Date`` header (about a second), then the time in a time-stamping authority's
token. Offset means: independent source minus this computer's clock, in seconds. None of them is
authenticated but the last; the time stamp on the seal is what proves a time, this is a cross-check.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import EvidenceError, NetworkError
from evidence_kit.gather.http_answer import Answer
from evidence_kit.gather.http_exchange import Resolve

NTP_PORT = 123
NTP_SECONDS = 3.0
"""Silence after which a time server counts as not reachable; real ones answer in 0.1 s."""
NTP_PACKET = 48
"""Bytes of an NTP header (RFC 5905 section 7.3)."""
MAX_NTP_ANSWER = 1024
"""Bytes read of an answer; extension fields behind the header are not used."""
MAX_NTP_STRAYS = 5
"""Packets that are not the answer to our question before we give up."""
MAX_ROOT_DISTANCE = 1.0
"""Seconds that a server may itself be off its source (MAXDIST of RFC 5905 appendix A.1.1)."""
HTTP_DATE_HALF = 0.5
"""Half the step of a Date header: it is cut off to whole seconds (RFC 9110 section 5.6.7)."""
TSA_UNKNOWN_ACCURACY = 1.0
"""Seconds, where a token states no accuracy (RFC 3161 section 2.4.2 leaves it open then)."""
MAX_DATE_BYTES = 64 << 10
"""Bytes read of an answer of which only the header matters."""

_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_ERA = 1 << 32


def system_clock() -> datetime:
    """This computer's own clock, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Reading:
    """What one source says: ``offset`` and ``uncertainty`` in seconds."""

    offset: float
    uncertainty: float


@dataclass(frozen=True)
class ClockCheck:
    """The result for the capture record.

    Attributes:
        offset: seconds, independent source minus this clock; None where no source answered.
        uncertainty: seconds to either side; None likewise.
        source: name of the one that answered, empty where none did.
        tried: every source asked and what came of it, in order.
    """

    offset: float | None = None
    uncertainty: float | None = None
    source: str = ""
    tried: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The ``clock`` part of the capture record."""
        return {
            "offset_seconds": self.offset,
            "uncertainty_seconds": self.uncertainty,
            "source": self.source or None,
            "tried": [{"source": name, "result": result} for name, result in self.tried],
        }


class TimeSource(Protocol):
    """One independent source of time."""

    @property
    def name(self) -> str:
        """Kind and address, as in ``ntp:time.example.org``."""

    def measure(self, clock: Clock) -> Reading:
        """Compare with the clock.

        Raises:
            EvidenceError: no usable answer.
        """


class HeadSession(Protocol):
    """The part of the recording session that is needed here."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = ...,
    ) -> Answer:
        """See :meth:`evidence_kit.gather.http.RecordingSession.send`."""


def measure_offset(sources: Sequence[TimeSource], clock: Clock) -> ClockCheck:
    """Ask the sources in order until one answers; none answering is a result too."""
    tried: list[tuple[str, str]] = []
    for source in sources:
        try:
            reading = source.measure(clock)
        except EvidenceError as error:
            tried.append((source.name, error.message))
            continue
        tried.append((source.name, "answered"))
        offset, uncertainty = round(reading.offset, 6), round(reading.uncertainty, 6)
        return ClockCheck(offset, uncertainty, source.name, tuple(tried))
    return ClockCheck(tried=tuple(tried))


@dataclass(frozen=True)
class NtpSource:
    """A time server, asked once over SNTP (RFC 5905 section 14).

    Args:
        host: name or address.
        resolve: decides which address may be asked.
        nonce: 8 random bytes that the answer must echo, so that nobody can answer blindly.
    """

    host: str
    resolve: Resolve
    port: int = NTP_PORT
    timeout: float = NTP_SECONDS
    nonce: Callable[[], bytes] = field(default=lambda: secrets.token_bytes(8), repr=False)

    @property
    def name(self) -> str:
        """``ntp:`` and the host."""
        return f"ntp:{self.host}"

    def measure(self, clock: Clock) -> Reading:
        """One question, one answer; see :class:`TimeSource`."""
        try:
            address = self.resolve(self.host, self.port)
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that IDNA cannot encode
            raise NetworkError(
                f"the time server {self.host} cannot be found", hint="check the name, or the DNS"
            ) from error
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        nonce = self.nonce()
        question = struct.pack("!B39x", 4 << 3 | 3) + nonce
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(self.timeout)
                # Connected: the system drops what comes from any other address.
                sock.connect((address, self.port))
                sent = clock()
                sock.send(question)
                for _ in range(MAX_NTP_STRAYS):
                    data = sock.recv(MAX_NTP_ANSWER)
                    received = clock()
                    if data[24:32] == nonce:
                        return read_ntp(data, sent, received)
        except OSError as error:
            raise NetworkError(
                f"the time server {self.host} does not answer",
                hint="many networks allow no NTP to the outside",
            ) from error
        raise NetworkError(f"the time server {self.host} answers something else")


def read_ntp(data: bytes, sent: datetime, received: datetime) -> Reading:
    """Offset and uncertainty from a server's answer (RFC 5905 section 8).

    The uncertainty is half the round trip plus what the server says about itself (root delay and
    dispersion).

    Raises:
        NetworkError: not an answer, or one of a server that has no time to give.
    """
    if len(data) < NTP_PACKET:
        raise NetworkError("the time server's answer is too short")
    first, stratum = data[0], data[1]
    leap, version, mode = first >> 6, first >> 3 & 7, first & 7
    if mode != 4 or version not in (3, 4):
        raise NetworkError("the time server's answer is not one of a server")
    if stratum == 0:
        code = "".join(chr(b) for b in data[12:16] if 0x41 <= b <= 0x5A)
        raise NetworkError(f"the time server refuses: {code or 'no reason given'}")
    if leap == 3 or stratum > 15:
        raise NetworkError("the time server has no time of its own")
    root_delay, root_dispersion = (value / 65536 for value in struct.unpack("!II", data[4:12]))
    distance = root_delay / 2 + root_dispersion
    if distance > MAX_ROOT_DISTANCE:
        raise NetworkError("the time server is too uncertain of its time")
    arrived, left = (_ntp_time(data[at : at + 8]) for at in (32, 40))
    if arrived is None or left is None or left < arrived:
        raise NetworkError("the time server's answer contradicts itself")
    offset = ((arrived - sent) + (left - received)) / 2
    travel = ((received - sent) - (left - arrived)).total_seconds()
    return Reading(offset.total_seconds(), max(travel, 0.0) / 2 + distance)


def _ntp_time(data: bytes) -> datetime | None:
    """64 bits: seconds since 1900 and a fraction; small values are those after 7 February 2036."""
    seconds, fraction = struct.unpack("!II", data)
    if seconds == 0 and fraction == 0:
        return None
    if seconds < _ERA // 2:
        seconds += _ERA
    return _NTP_EPOCH + timedelta(seconds=seconds, microseconds=fraction * 1_000_000 // _ERA)


@dataclass(frozen=True)
class HttpDateSource:
    """The ``Date`` header of a server's answer to HEAD (RFC 9110 section 6.6.1)."""

    url: str
    session: HeadSession

    @property
    def name(self) -> str:
        """``http-date:`` and the address without its query."""
        return f"http-date:{self.url.split('?')[0].split('#')[0]}"

    def measure(self, clock: Clock) -> Reading:
        """One HEAD request; see :class:`TimeSource`."""
        sent = clock()
        answer = self.session.send("HEAD", self.url, max_bytes=MAX_DATE_BYTES)
        received = clock()
        if answer.headers.get("age", "0").strip() != "0":
            raise NetworkError("the Date header is that of a stored copy")
        try:
            moment = parsedate_to_datetime(answer.headers.get("date", ""))
        except (TypeError, ValueError) as error:
            raise NetworkError("the answer has no Date header that can be read") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        travel = max((received - sent).total_seconds(), 0.0)
        middle = moment + timedelta(seconds=HTTP_DATE_HALF)
        offset = (middle - (sent + (received - sent) / 2)).total_seconds()
        return Reading(offset, HTTP_DATE_HALF + travel / 2)


@dataclass(frozen=True)
class TsaMoment:
    """The time in a token, and when it was asked for and received by this computer's clock.

    Attributes:
        accuracy: seconds as the token states them, None where it states none.
    """

    gen_time: datetime
    accuracy: float | None
    sent: datetime
    received: datetime


@dataclass(frozen=True)
class TsaSource:
    """The time in a token of a time-stamping authority (RFC 3161, ``genTime``).

    Args:
        authority: its address or name.
        ask: gives the moment of a token, a fresh one or that of the start token; raises
            EvidenceError where there is none.
    """

    authority: str
    ask: Callable[[], TsaMoment]

    @property
    def name(self) -> str:
        """``tsa:`` and the authority."""
        return f"tsa:{self.authority}"

    def measure(self, clock: Clock) -> Reading:
        """One token; see :class:`TimeSource`."""
        found = self.ask()
        travel = max((found.received - found.sent).total_seconds(), 0.0)
        middle = found.sent + (found.received - found.sent) / 2
        accuracy = TSA_UNKNOWN_ACCURACY if found.accuracy is None else found.accuracy
        if found.gen_time.microsecond == 0:  # most likely cut off to the second
            accuracy = max(accuracy, TSA_UNKNOWN_ACCURACY)
        return Reading((found.gen_time - middle).total_seconds(), accuracy + travel / 2)
