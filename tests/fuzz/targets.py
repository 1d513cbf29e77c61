"""One target per parser of hostile bytes: it may only ever raise what it says it raises.

A target takes bytes and returns; anything but the parser's own error gets out and is a find.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.errors import InputError, TimestampError
from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.core.receipt import read_receipt
from evidence_kit.core.terminal_text import harmless, harmless_json
from evidence_kit.jobs.verify_stamps import read_renewal_list
from evidence_kit.seal import der, ocsp, x509
from evidence_kit.seal.anchors import TrustAnchors, load_revocation_list
from evidence_kit.seal.atproto_car import read_car
from evidence_kit.seal.atproto_cbor import ProofError, decode, encode
from evidence_kit.seal.atproto_plc import check_log
from evidence_kit.seal.cades_check import check_signature
from evidence_kit.seal.cdxj import canonical_body
from evidence_kit.seal.container_structure import BrokenContainerError, check_structure
from evidence_kit.seal.custody import read_event, write_event
from evidence_kit.seal.dash import read_mpd
from evidence_kit.seal.dkim import check_dkim, find_signatures
from evidence_kit.seal.hls import read_master, read_media
from evidence_kit.seal.http_message import BadMessageError, parse_head
from evidence_kit.seal.http_message import decode as decode_body
from evidence_kit.seal.manifest import ManifestError, read_manifest
from evidence_kit.seal.netlog import NetLogReader
from evidence_kit.seal.netlog_lines import LineError, read_params, read_tail
from evidence_kit.seal.pkcs11_uri import Pkcs11UriError, parse_pkcs11_uri
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_websocket import redact_frames
from evidence_kit.seal.stream_parts import StreamError
from evidence_kit.seal.surt import index_key
from evidence_kit.seal.timestamp import check_token, normalise_token, parse_response
from evidence_kit.seal.tls_keys import KeyLog
from evidence_kit.seal.tls_records import TlsError, open_tls
from evidence_kit.seal.trusted_list_read import TrustedListError, read_trusted_list
from evidence_kit.seal.wacz_read import check_wacz, check_warc
from tests.netlog_made import HEADER
from tests.ocsp_tools import ca
from tests.tls_made import Made
from tests.tls_made_12 import MASTER_LINE, Gcm, connection
from tests.trusted_lists import operator

NOW = datetime(2026, 11, 23, 11, tzinfo=UTC)
OPERATOR = operator()
AUTHORITY = x509.load(ca().certificate)
DID = "did:plc:abcdefghijklmnopqrstuvwx"

SECRET = b"k2J9xQ7vLm4TzR8wPb3N"
"""Looks random, so it is masked wherever it stands."""

DKIM_KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
"""The example of RFC 8463 appendix A."""

TLS_KEYS = KeyLog.parse(Made().keys() + MASTER_LINE)

MAX_UNPACKED = 1 << 20
"""Bytes that the target lets a packed body grow to."""


def json(data: bytes) -> None:
    with contextlib.suppress(JsonError):
        value = loads(data)
        if loads(dumps(value)) != value:
            raise AssertionError("what is written is not what was read")


def strict_der(data: bytes) -> None:
    with contextlib.suppress(der.DerError):
        if der.parse(data).raw != data:
            raise AssertionError("bytes that are part of nothing")


def ber(data: bytes) -> None:
    with contextlib.suppress(der.DerError):
        der.require_der(der.to_der(data))


def certificate(data: bytes) -> None:
    with contextlib.suppress(x509.CertificateError):
        x509.display_name(x509.load(data))


def revocation_list(data: bytes) -> None:
    with contextlib.suppress(x509.CertificateError):
        load_revocation_list(data)


def ocsp_answer(data: bytes) -> None:
    with contextlib.suppress(x509.CertificateError):
        response = ocsp.load_response(data)
        if ocsp.answers_for(response, AUTHORITY):
            ocsp.answer_about(response, AUTHORITY, AUTHORITY)


def signature(data: bytes) -> None:
    check_signature(data, b"", anchors=TrustAnchors(), now=NOW)


def token(data: bytes) -> None:
    check_token(data, imprint=bytes(32), anchors=TrustAnchors(), now=NOW)


def response(data: bytes) -> None:
    with contextlib.suppress(TimestampError):
        normalise_token(parse_response(data, digest=bytes(32), algorithm="sha256", nonce=1))


def container(data: bytes) -> None:
    with contextlib.suppress(BrokenContainerError):
        check_structure(io.BytesIO(data), len(data))


def manifest(data: bytes) -> None:
    with contextlib.suppress(ManifestError):
        read_manifest(data)


def warc(data: bytes) -> None:
    list(check_warc(io.BytesIO(data), "x.warc"))


def wacz(data: bytes) -> None:
    list(check_wacz(io.BytesIO(data), len(data), "x.wacz"))


def receipt(data: bytes) -> None:
    with contextlib.suppress(InputError):
        read_receipt(data)


def renewal(data: bytes) -> None:
    read_renewal_list(data)


def cbor(data: bytes) -> None:
    with contextlib.suppress(ProofError):
        if encode(decode(data)) != data:
            raise AssertionError("another form than the canonical one was read")


def car(data: bytes) -> None:
    with contextlib.suppress(ProofError):
        read_car(data)


def plc(data: bytes) -> None:
    with contextlib.suppress(ProofError, JsonError):
        check_log(data, DID)


def http_head(data: bytes) -> None:
    with contextlib.suppress(BadMessageError):
        parse_head(data)


def gzip_body(data: bytes) -> None:
    with contextlib.suppress(BadMessageError):
        sum(map(len, decode_body([data], ("gzip",), MAX_UNPACKED)))


def trusted_list(data: bytes) -> None:
    with contextlib.suppress(TrustedListError):
        read_trusted_list(data, [OPERATOR])


def netlog(data: bytes) -> None:
    with contextlib.suppress(LineError):
        read_params(data)
    with contextlib.suppress(LineError):
        read_tail(data)


def recording(data: bytes) -> None:
    """A whole network log after its constants, and the redaction of what it tells."""
    with tempfile.TemporaryDirectory() as name:
        wire, out = Path(name, "wire"), Path(name, "out")
        wire.mkdir()
        out.mkdir()
        reader = NetLogReader(wire)
        for line in (HEADER, *data.splitlines(keepends=True)):
            reader.feed(line)
        found = reader.finish()
        redactor = Redactor()
        for exchange in (*found.exchanges, *found.failed):
            redactor.learn(exchange)
        for exchange in (*found.exchanges, *found.failed):
            redactor.redact_exchange(exchange, out)
        for frames in found.websockets:
            for path in (frames.sent, frames.received):
                redact_frames(path, "1", "ws-sent", out, redactor.mask)


def redaction(data: bytes) -> None:
    """Two messages of one exchange; what is known to be secret is left in no plain one."""
    request, _, response = data.partition(b"\0\0")
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "out")
        out.mkdir()
        first, second = Path(name, "0001.request"), Path(name, "0001.response")
        first.write_bytes(request)
        second.write_bytes(response)
        exchange = Exchange(
            number=1,
            url="https://a.example/?" + request[:80].decode("latin-1"),
            method="GET",
            started=NOW,
            request=first,
            response=second,
            representation=Representation.WIRE,
            source=Source.NETLOG,
        )
        redactor = Redactor()
        redactor.learn_value("header cookie: sid", SECRET)
        redactor.learn(exchange)
        done = redactor.redact_exchange(exchange, out)
        for path in (done.exchange.request, done.exchange.response):
            if path is not None and SECRET in path.read_bytes():
                raise AssertionError("a secret is left")
        masked, _ = redactor.redact_bytes(data, "x.txt")
        if SECRET in masked or len(masked) != len(data):
            raise AssertionError("a secret is left, or the length changed")
        redactor.redact_bytes(data, "x.mhtml")
        redact_frames(second, "1", "ws-received", out, redactor.mask)


def mail(data: bytes) -> None:
    for found in find_signatures(data):
        check_dkim(data, found, DKIM_KEY)


def event(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        if write_event(read_event(data)) != data:
            raise AssertionError("another form than the one was read")


def playlist(data: bytes) -> None:
    for read in (read_master, read_media, read_mpd):
        with contextlib.suppress(StreamError):
            read(data, "https://a.example/list")


def index_line(data: bytes) -> None:
    """A line of a CDXJ index, and the key of whatever address."""
    with contextlib.suppress(ValueError):
        index_key(data.decode("utf-8", "replace"), "POST", "a=b")
    canonical_body("application/json", data)
    canonical_body("multipart/form-data; boundary=x", data)


def text(data: bytes) -> None:
    shown = data.decode("utf-8", "surrogateescape")
    if any(ord(char) < 32 and char != "\t" for char in harmless(shown)):
        raise AssertionError("a control character is left")
    harmless_json(shown)


def tls(data: bytes) -> None:
    """What a client sent (its length stands before it), and what it received."""
    size = int.from_bytes(data[:2], "big")
    sent, received = data[2 : 2 + size], data[2 + size :]
    with contextlib.suppress(TlsError):
        found = open_tls(io.BytesIO(sent), io.BytesIO(received), TLS_KEYS)
        for way, direction in ((sent, found.sent()), (received, found.received())):
            with contextlib.suppress(TlsError):
                if sum(map(len, direction)) > len(way):
                    raise AssertionError("more came out than went in")


def tls_peer(data: bytes) -> None:
    """Records of a peer who has the keys: type, length and content of each."""
    records, rest = [], data
    while len(rest) >= 3:
        size = int.from_bytes(rest[1:3], "big")
        records.append((rest[0] or 1, rest[3 : 3 + size]))  # type 0 would be padding in TLS 1.3
        rest = rest[3 + size :]
    said = b"".join(content for kind, content in records if kind == 23)
    made, sealer = Made(), Gcm(0)
    client, _ = made.begin()
    sent, received = connection(sealer, Gcm(1), sealer.cipher)
    for kind, content in records:
        made.sent += client.seal(kind, content)
        sent += sealer.seal(kind, content)
    for one, other in ((made.sent, made.received), (sent, received)):
        got = b""
        with contextlib.suppress(TlsError):
            for part in open_tls(io.BytesIO(one), io.BytesIO(other), TLS_KEYS).sent():
                got += part
        if not said.startswith(got):
            raise AssertionError("other data than was said")


def pkcs11_uri(data: bytes) -> None:
    with contextlib.suppress(Pkcs11UriError):
        parse_pkcs11_uri("pkcs11:" + data.decode("latin-1"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (
        json,
        strict_der,
        ber,
        certificate,
        revocation_list,
        ocsp_answer,
        signature,
        token,
        response,
        container,
        manifest,
        warc,
        wacz,
        receipt,
        renewal,
        cbor,
        car,
        plc,
        http_head,
        gzip_body,
        netlog,
        recording,
        redaction,
        mail,
        event,
        playlist,
        index_line,
        text,
        trusted_list,
        tls,
        tls_peer,
        pkcs11_uri,
    )
}
