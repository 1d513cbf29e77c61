"""A recorded TLS connection and the keys its client wrote down → the application data, exactly.

What the client sent and received is read as ciphertext, record by record. Every record is
authenticated under keys of this very connection, with its place in the order, before a byte of
it is given on: what comes out is what the two ends meant, or nothing. TLS 1.3 (RFC 8446) and
TLS 1.2 (RFC 5246) with the suites of today's browsers; anything else is refused in words.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from evidence_kit.seal import tls_hello as hello
from evidence_kit.seal import tls_keys as keys_of
from evidence_kit.seal.tls_hello import ClientHello, Messages, ServerHello
from evidence_kit.seal.tls_keys import KeyLog, TlsError, TlsUnfinishedError
from evidence_kit.seal.tls_stream import (
    ALERT,
    CHANGE_CIPHER,
    DATA,
    HANDSHAKE,
    MAX_RECORD_12,
    MAX_RECORD_13,
    Record,
    Side,
)
from evidence_kit.seal.tls_suites import SUITES_12, SUITES_13, Opener, Opener13, openers_12

__all__ = ["TlsConnection", "TlsError", "TlsUnfinishedError", "open_tls"]

_WARNING, _CLOSE_NOTIFY, _USER_CANCELED = 1, 0, 90


@dataclass(frozen=True)
class TlsConnection:
    """A connection whose keys are at hand. Both directions can be read apart, and again.

    Attributes:
        version: "TLS 1.3" or "TLS 1.2".
        cipher: number of the cipher suite, as IANA lists it.
        client_random: the random value of the ClientHello, by which the key log knows it.
    """

    version: str
    cipher: int
    client_random: bytes
    _sent: Side = field(repr=False)
    _received: Side = field(repr=False)
    _keys: KeyLog = field(repr=False)
    _client: ClientHello = field(repr=False)
    _server: ServerHello = field(repr=False)
    _retried: bool = field(repr=False)

    def __post_init__(self) -> None:
        # Those of the data itself come later in a connection and are asked for where they begin.
        if self._server.version == hello.TLS_12:
            self._openers_12()
        else:
            self._opener_13(keys_of.CLIENT_HANDSHAKE)
            self._opener_13(keys_of.SERVER_HANDSHAKE)

    def sent(self) -> Iterator[bytes]:
        """Application data of the client in order, as the server took it; record by record.

        Early data is in it where the server accepted it, and left out where not: the client sends
        it again then (RFC 8446 section 4.2.10). A recording that ends inside a record ends here
        before that record.

        Raises:
            TlsError: a record does not authenticate, keys are missing, or the connection does
                what is not read here; everything before was yielded.
        """
        if self._server.version == hello.TLS_12:
            return _data_12(self._sent, self._openers_12()[0])
        return self._sent_13()

    def received(self) -> Iterator[bytes]:
        """Application data of the server in order; as :meth:`sent`.

        What a server sends to a client that breaks off the handshake is left out: the client
        never had the keys to read it.
        """
        if self._server.version == hello.TLS_12:
            return _data_12(self._received, self._openers_12()[1])
        opener = self._opener_13(keys_of.SERVER_HANDSHAKE)
        return self._traffic_13(
            self._received.records(MAX_RECORD_13), opener, keys_of.SERVER_TRAFFIC
        )

    def _secret(self, label: str) -> bytes:
        secret = self._keys.secret(label, self.client_random)
        if secret is None:
            raise TlsError("no keys for this connection")
        return secret

    def _openers_12(self) -> tuple[Opener, Opener]:
        master = self._secret(keys_of.MASTER)
        if len(master) != keys_of.MASTER_BYTES:
            raise TlsError("keys that do not fit the cipher of this connection")
        return openers_12(
            SUITES_12[self.cipher],
            master,
            self._server.random + self.client_random,
            encrypt_first=self._server.encrypt_then_mac,
        )

    def _opener_13(self, label: str) -> Opener13:
        return Opener13(SUITES_13[self.cipher], self._secret(label))

    def _sent_13(self) -> Iterator[bytes]:
        records = self._sent.records(MAX_RECORD_13)
        opener = self._opener_13(keys_of.CLIENT_HANDSHAKE)
        if self._client.early_data:
            if self._early_data_accepted():
                if (yield from self._early_13(records)):
                    return
            else:
                records = self._without_early(records)
        yield from self._traffic_13(records, opener, keys_of.CLIENT_TRAFFIC)

    def _early_data_accepted(self) -> bool:
        """What the server answered to the offer of early data, authenticated; no answer is no."""
        if self._retried:
            return False  # RFC 8446 section 4.2.10: a second hello does without
        opener = self._opener_13(keys_of.SERVER_HANDSHAKE)
        messages = Messages()
        for header, body in self._received.records(MAX_RECORD_13):
            if header[0] != DATA:
                continue
            kind, content = opener.open(header, body)
            if kind != HANDSHAKE:
                break
            for number, message in messages.feed(content):
                if number != hello.ENCRYPTED_EXTENSIONS:
                    raise TlsError("a handshake that is not in order")
                return hello.accepts_early_data(message)
        return False

    def _early_13(self, records: Iterator[Record]) -> Generator[bytes, None, bool]:
        """The early data that was accepted, up to its end; True: nothing comes after it."""
        opener = self._opener_13(keys_of.CLIENT_EARLY)
        messages = Messages()
        for header, body in records:
            if header[0] != DATA:
                if _clear_ends(header, body):
                    return True
                continue
            kind, content = opener.open(header, body)
            if kind == DATA and messages.between:
                if content:
                    yield content
            elif kind == HANDSHAKE:
                found = [number for number, _ in messages.feed(content)]
                if found == [hello.END_OF_EARLY_DATA] and messages.between:
                    return False
                if found:
                    raise TlsError("a handshake that is not in order")
            elif kind == ALERT and messages.between:
                if _ends_13(content):
                    return True
            else:
                raise TlsError("a handshake that is not in order")
        return True

    def _finished_13(self) -> bool:
        """Did the client finish its handshake? It has the keys for data from then on."""
        opener = self._opener_13(keys_of.CLIENT_HANDSHAKE)
        messages = Messages()
        for header, body in self._without_early(self._sent.records(MAX_RECORD_13)):
            if header[0] == DATA:
                kind, content = opener.open(header, body)
                found = messages.feed(content) if kind == HANDSHAKE else []
                if hello.FINISHED in [number for number, _ in found]:
                    return True
        return False

    def _without_early(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records without early data that was refused.

        What is left out must open under the keys of early data: nothing vanishes unseen. Their
        suite was that of an earlier connection; the length of the secret tells which it may be.
        """
        secret = self._keys.secret(keys_of.CLIENT_EARLY, self.client_random) or b""
        openers = [
            Opener13(suite, secret)
            for suite in SUITES_13.values()
            if suite.digest.digest_size == len(secret)
        ]
        early = True
        for header, body in records:
            if early and header[0] == DATA:
                early = any(_opens(one, header, body) for one in openers)
                if early:
                    continue
            yield header, body

    def _traffic_13(
        self, records: Iterator[Record], handshake: Opener13, label: str
    ) -> Iterator[bytes]:
        """The data of a direction that goes on under the keys of its handshake."""
        opener: Opener13 | None = handshake
        messages = Messages()
        begun = finished = False
        for header, body in records:
            if header[0] != DATA:
                if finished or (begun and header[0] != CHANGE_CIPHER):
                    raise TlsError("a record in the clear among protected ones")
                if _clear_ends(header, body):
                    return
                continue
            begun = True
            if opener is None:
                if not self._keys.secret(label, self.client_random) and not self._finished_13():
                    return
                opener = self._opener_13(label)
            kind, content = opener.open(header, body)
            if kind == DATA and finished and messages.between:
                if content:
                    yield content
            elif kind == HANDSHAKE:
                found = [number for number, _ in messages.feed(content)]
                turn = hello.KEY_UPDATE if finished else hello.FINISHED
                if turn not in found:
                    continue
                # RFC 8446 section 5.1: such a message ends its record.
                if found.index(turn) != len(found) - 1 or not messages.between:
                    raise TlsError("a handshake that is not in order")
                if finished:
                    opener = opener.next()
                else:
                    opener, finished = None, True
            elif kind == ALERT and messages.between:
                if _ends_13(content):
                    return
            else:
                raise TlsError("a handshake that is not in order")


def _opens(opener: Opener13, header: memoryview, body: memoryview) -> bool:
    try:
        opener.open(header, body)
    except TlsError:
        return False
    return True


def _clear_ends(header: memoryview, body: memoryview) -> bool:
    """Look at a record in the clear; True: it ends the connection (RFC 8446 section 5)."""
    if header[0] == ALERT:
        return _ends(bytes(body))
    if header[0] == CHANGE_CIPHER and bytes(body) != b"\x01":
        raise TlsError("a change of cipher that is none")
    if header[0] not in (CHANGE_CIPHER, HANDSHAKE):
        raise TlsError("a record of an unknown kind")
    return False


def _ends_13(content: bytes) -> bool:
    """Does this alert end the direction (RFC 8446 section 6)? All but one do."""
    if len(content) != 2:
        raise TlsError("an alert that is none")
    return content[1] != _USER_CANCELED


def _ends(content: bytes) -> bool:
    """Does this alert end the direction (RFC 5246 section 7.2)? Warnings do not."""
    if len(content) != 2:
        raise TlsError("an alert that is none")
    return content[0] != _WARNING or content[1] == _CLOSE_NOTIFY


def _data_12(side: Side, opener: Opener) -> Iterator[bytes]:
    """The data of a direction of TLS 1.2, whose keys count from ChangeCipherSpec on."""
    messages = Messages()
    protected = False
    for header, body in side.records(MAX_RECORD_12):
        kind = header[0]
        if not protected:
            if kind == CHANGE_CIPHER:
                protected = True
            elif kind == DATA:
                raise TlsError("application data before there are keys")
            if _clear_ends(header, body):
                return
            continue
        kind, content = opener.open(header, body)
        if kind == DATA:
            if content:
                yield content
        elif kind == HANDSHAKE:
            for number, _ in messages.feed(content):
                if number in (hello.CLIENT_HELLO, hello.SERVER_HELLO):
                    raise TlsError("a connection that was negotiated anew, which is not read")
        elif kind == ALERT:
            if _ends(content):
                return
        else:
            raise TlsError("a handshake that is not in order")


def _hellos(side: Side, number: int) -> Iterator[bytes]:
    """The bodies of messages of this type, which nothing else may stand before."""
    messages = Messages()
    for header, body in side.records(MAX_RECORD_12):
        if header[0] == HANDSHAKE:
            for found, message in messages.feed(body):
                if found != number:
                    return
                yield message
        elif header[0] == DATA or _clear_ends(header, body):
            return


def _has(side: Side, *kinds: int) -> bool:
    """Is there a record of one of these types?"""
    return any(header[0] in kinds for header, _ in side.records(MAX_RECORD_12))


def _not_read(server: ServerHello) -> str:
    """Why a connection of this version and suite cannot be read; empty if it can."""
    suites = {hello.TLS_12: SUITES_12, hello.TLS_13: SUITES_13}.get(server.version)
    if suites is None:
        return f"version {server.version:#06x} of TLS, which is not read"
    if server.cipher not in suites:
        return f"cipher suite {server.cipher:#06x}, which is not read"
    return ""


def _server_hello(side: Side) -> tuple[ServerHello | None, bool]:
    """The server's choice, and whether it asked for a second ClientHello first."""
    retried = False
    for body in _hellos(side, hello.SERVER_HELLO):
        found = hello.read_server_hello(body)
        if not found.retry:
            return found, retried
        if retried:
            break
        retried = True
    return None, retried


def open_tls(sent: BinaryIO, received: BinaryIO, keys: KeyLog) -> TlsConnection:
    """Read the hellos of a recorded connection and find its keys.

    Args:
        sent: what the client sent; seekable, at its first byte of TLS.
        received: what the server sent; the same.
        keys: the client's key log.

    Raises:
        TlsError: no whole ClientHello or ServerHello, a version or suite that is not read here,
            or no keys for this connection.
        TlsUnfinishedError: the same, where the client went no further and no data can be missing.
    """
    here, there = Side(sent, sent.tell()), Side(received, received.tell())
    first = next(_hellos(here, hello.CLIENT_HELLO), None)
    if first is None:
        silent = next(here.records(MAX_RECORD_12), None) is None
        raise (TlsUnfinishedError if silent else TlsError)("no whole ClientHello")
    client = hello.read_client_hello(first)
    server, retried = _server_hello(there)
    if server is None:
        raise (TlsError if _has(here, DATA) else TlsUnfinishedError)("no whole ServerHello")
    fault = _not_read(server)
    if fault:
        raise (TlsError if _has(here, DATA, CHANGE_CIPHER) else TlsUnfinishedError)(fault)
    labels, begins = {
        hello.TLS_12: ((keys_of.MASTER,), CHANGE_CIPHER),
        hello.TLS_13: ((keys_of.CLIENT_HANDSHAKE, keys_of.SERVER_HANDSHAKE), DATA),
    }[server.version]
    if not all(keys.secret(label, client.random) for label in labels) and not _has(here, begins):
        raise TlsUnfinishedError("the client broke off the handshake")
    return TlsConnection(
        version="TLS 1.3" if server.version == hello.TLS_13 else "TLS 1.2",
        cipher=server.cipher,
        client_random=client.random,
        _sent=here,
        _received=there,
        _keys=keys,
        _client=client,
        _server=server,
        _retried=retried,
    )
