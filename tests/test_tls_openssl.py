"""What Python's own peers cannot do, said between ``openssl s_client`` and ``s_server``."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_kit.seal.tls_records import TlsError
from tests.openssl_tls import Conversation, conversation, server
from tests.tls_peers import Recording

pytestmark = pytest.mark.outside

SUITES = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
}


def talk(both: Conversation) -> None:
    """Lines both ways, and new keys in between: on request and without, from either end."""
    both.say(b"first line\n")
    both.answer(b"first answer\n")
    for number, of in enumerate(("client", "server", "client", "server")):
        # With a large K it asks for new keys of the other end too.
        both.command(of, b"k" if number < 2 else b"K")
        both.say(b"line %d after new keys\n" % number)
        both.answer(b"answer %d after new keys\n" % number)


def assert_exact(recording: Recording) -> None:
    assert recording.read() == (recording.said, recording.answered)


@pytest.mark.parametrize("name", SUITES)
def test_suites_and_new_keys(name: str, tmp_path: Path) -> None:
    with (
        server(tmp_path, "-ciphersuites", name) as running,
        conversation(tmp_path, running) as both,
    ):
        talk(both)
        recording = both.recording(tmp_path / "keys.log")
    assert recording.open().cipher == SUITES[name]
    assert_exact(recording)


def test_padding_without_compatibility(tmp_path: Path) -> None:
    padding = ("-record_padding", "512", "-no_middlebox")
    with (
        server(tmp_path, *padding) as running,
        conversation(tmp_path, running, *padding) as both,
    ):
        talk(both)
        recording = both.recording(tmp_path / "keys.log")
    assert b"\x14\x03\x03\0\x01\x01" not in recording.sent + recording.received
    assert b"\x17\x03\x03\x02\x10" in recording.sent  # 512 bytes and the tag
    assert_exact(recording)


def _session(folder: Path, *options: str) -> Path:
    """A session with a ticket for early data, from a server that is gone then."""
    session = folder / "session.pem"
    with (
        server(folder, "-early_data") as running,
        conversation(folder, running, "-sess_out", str(session), *options) as both,
    ):
        both.say(b"hello\n")
        both.answer(b"well\n")
        both.recording(folder / "keys.log")
    assert session.read_bytes()
    return session


@pytest.mark.parametrize("suite", SUITES)
def test_early_data_accepted(suite: str, tmp_path: Path) -> None:
    session, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(b"said before anything else\n")
    with server(tmp_path, "-early_data", "-ciphersuites", suite) as running:
        with conversation(tmp_path, running, "-sess_out", str(session)) as first:
            first.say(b"hello\n")
            first.answer(b"well\n")
            first.client.finish()
        options = ("-sess_in", str(session), "-early_data", str(early))
        with conversation(tmp_path, running, *options) as both:
            both.server.wait(early.read_bytes())
            both.say(b"later\n")
            both.answer(b"answer\n")
            both.client.wait(b"Early data was accepted")
            both.early(early.read_bytes())
            recording = both.recording(tmp_path / "keys.log")
    assert_exact(recording)
    assert recording.said.startswith(b"said before")


@pytest.mark.parametrize("groups", ["X25519:P-384", "P-384"])
def test_early_data_refused(groups: str, tmp_path: Path) -> None:
    """By a server that does not know the ticket, also one that wants another group first."""
    session, early = _session(tmp_path), tmp_path / "early"
    early.write_bytes(b"said in vain\n")
    options = ("-sess_in", str(session), "-early_data", str(early))
    with (
        server(tmp_path, "-early_data", "-groups", groups) as running,
        conversation(tmp_path, running, *options) as both,
    ):
        both.say(b"later\n")
        both.answer(b"answer\n")
        both.client.wait(b"Early data was rejected")
        recording = both.recording(tmp_path / "keys.log")
    assert len(recording.sent) > 400
    assert_exact(recording)
    assert recording.said == b"later\n"


@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"])
def test_negotiated_anew(cipher: str, tmp_path: Path) -> None:
    with (
        server(tmp_path, "-tls1_2", "-client_renegotiation", "-cipher", cipher) as running,
        conversation(tmp_path, running, "-tls1_2") as both,
    ):
        both.say(b"first line\n")
        both.answer(b"first answer\n")
        both.command("client", b"R")
        both.say(b"second line\n")
        both.answer(b"second answer\n")
        recording = both.recording(tmp_path / "keys.log")
    connection = recording.open()
    for way, before in ((connection.sent(), b"first line\n"), (connection.received(), b"")):
        got = b""
        with pytest.raises(TlsError, match="negotiated anew"):
            for one in way:
                got += one
        assert got == (before or b"first answer\n")
