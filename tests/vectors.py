"""For every finding code something that brings it about: the proof that the check can fail.

``VECTORS`` maps each code to a function that gets an empty folder and gives back the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import iso
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.core.receipt import CustodyMark
from evidence_kit.core.verdict import Verdict
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades import signature_value
from tests import pki
from tests.atproto_bundle import FILES, MEDIA, Change, add_proof
from tests.atproto_repo import ROTATION, Key, account, state
from tests.bundles import (
    NONCE,
    NOW,
    WHEN,
    Case,
    example,
    make_signer,
    rebagged,
    relisted,
    signer,
    token,
    unpack,
)
from tests.custody_tools import LATER as _AFTER_EVENTS
from tests.custody_tools import (
    beside,
    both,
    custody_restored,
    fork,
    record,
    remove,
    stranger,
    too_large,
)
from tests.custody_tools import misplaced as custody_misplaced
from tests.custody_tools import vector as custody_vector
from tests.stream_tools import add_stream
from tests.supplied_tools import supplied_case
from tests.test_wacz_read import files as wacz_files
from tests.test_wacz_read import keep, package, warc
from tests.vector_tools import (
    Vector,
    attributes,
    each,
    judged,
    of_bytes,
    of_case,
    of_forgery,
    of_record,
    put,
    with_receipt,
    with_sidecar,
)
from tests.vectors_later import (
    older_than_its_content,
    renewed_in_time,
    renewed_then_changed,
    second_stamp,
    stamped_later,
)
from tests.vectors_signature import (
    broken_path,
    by_list,
    flip_last,
    qualified,
    revoked,
    signature_file,
    stamped_with,
    with_sha1,
    with_stray,
)
from tests.vectors_twice import TWICE
from tests.zip_forge import Forged, build, good_entries, with_last


def _file(name: str, data: bytes) -> Callable[[Case], None]:
    return lambda case: case.files.__setitem__(name, data)


def _post(change: Callable[[dict[str, Any]], object]) -> Callable[[Case], None]:
    def edit(case: Case) -> None:
        document = loads(case.files["data/post.json"])
        change(document["posts"][0])
        case.files["data/post.json"] = dumps(document)

    return edit


def _other_warc(case: Case) -> None:
    case.files["data/api/exchanges.warc"] = warc().replace(b"waar je woont", b"niet wie je b")


def _swap_signature(files: dict[str, bytes]) -> None:
    """The signature of another bundle by the same signer."""
    other = example()
    other.files["data/web/text.txt"] = b"iets anders"
    files[SIGNATURE] = unpack(other.seal())[SIGNATURE]


def _started_after_the_seal(case: Case) -> None:
    late = case.signed + timedelta(hours=1)
    start = token(NONCE, when=late, tsa=case.tsa)
    case.files["data/start-token.tst"] = start
    case.record["start_token"].update(sha256=sha256(start).hexdigest(), time=iso(late))


def _custody_not_a_file(folder: Path) -> Verdict:
    path = example().write(folder)
    (path.with_name(path.stem + ".custody") / "0001-sealed.tsr").mkdir(parents=True)
    return judged(path)


def _missing_file(folder: Path) -> Verdict:
    return judged(folder / "not-there.asice")


def _supplied(**options: Any) -> Vector:
    """A bundle of a mail that was handed in."""

    def vector(folder: Path) -> Verdict:
        return judged(supplied_case(**options).write(folder))

    return vector


_GOOD: Vector = of_bytes(lambda: example().seal())
_ONLY_SIGNER = TrustAnchors(signers=(signer().certificate,))
_FUTURE = WHEN + timedelta(days=400)


def _later_stamp(**values: Any) -> Vector:
    return of_case(attributes(**values), now=WHEN + timedelta(days=3))


def _proof(**how: Any) -> Vector:
    """A bundle with a post of AT Protocol and the proof of its author's server."""
    return of_case(lambda case: add_proof(case, **how))


def _proof_told(change: Change) -> Vector:
    return _proof(change=change)


def _key_replaced() -> Vector:
    log = account(Key(60)).add(ROTATION, after=timedelta(1), **state([ROTATION], Key(61)))
    return _proof(signing=Key(60), log=log)


VECTORS: dict[str, Vector] = {
    # Container
    "container.ok": _GOOD,
    "container.not-canonical": of_bytes(lambda: with_last(method=8)),
    "container.bad-name": of_bytes(lambda: build(good_entries(Forged(b"data/../x")))),
    "container.duplicate-name": of_bytes(lambda: build(good_entries(Forged(b"data/a.txt")))),
    "container.crc": of_bytes(
        lambda: example().seal().replace(b"Lees mij\n", b"Lees hem\n", 1),
    ),
    "container.truncated": of_bytes(b"PK\3\4 and no end"),
    "container.too-many-entries": of_bytes(
        lambda: build(good_entries(*(Forged(b"data/%05d" % n) for n in range(1000))))
    ),
    "container.trailing-data": of_bytes(lambda: example().seal() + b"\0"),
    "container.gap": of_bytes(lambda: b"MZ" + example().seal()),
    "container.time": of_case(attributes(entry_time=WHEN + timedelta(days=1))),
    "container.mimetype": of_bytes(lambda: build(good_entries()[1:])),
    "container.unreadable": _missing_file,
    # Signed list and bag
    "manifest.ok": _GOOD,
    "manifest.missing": of_forgery(lambda files: files.pop(MANIFEST)),
    "manifest.malformed": of_forgery(put(MANIFEST, b"<x/>")),
    "manifest.not-checked": of_bytes(b"not a bundle"),
    "file.changed": of_forgery(put("data/web/text.txt", b"Ik weet niets")),
    "file.missing": of_forgery(lambda files: files.pop("data/web/text.txt")),
    "file.unlisted": of_forgery(put("data/extra.txt", b"x")),
    "bag.ok": _GOOD,
    "bag.malformed": of_case(attributes(edit_sealed=put("bagit.txt", b"BagIt-Version: 0.97\n"))),
    "bag.disagrees": of_case(attributes(edit_sealed=put("data/web/text.txt", b"anders"))),
    "bag.not-checked": of_bytes(b"not a bundle"),
    # Signature
    "signature.ok": _GOOD,
    "signature.missing": of_forgery(lambda files: files.pop(SIGNATURE)),
    "signature.malformed": of_forgery(put(SIGNATURE, b"0\0")),
    "signature.wrong-digest": of_forgery(each(put("data/web/text.txt", b"anders"), relisted)),
    "signature.invalid": signature_file(
        lambda p7s: p7s.replace(signature_value(p7s), flip_last(signature_value(p7s)))
    ),
    "signature.weak": signature_file(with_sha1),
    "signature.unused-material": signature_file(with_stray),
    "signature.not-checked": of_bytes(b"not a bundle"),
    "receipt.ok": with_receipt(),
    "receipt.differs": with_receipt(sha512="0" * 128),
    # Signer and trust
    "signer.valid": _GOOD,
    "signer.trusted": _GOOD,
    "signer.unknown": of_bytes(lambda: example().seal(), anchors=TrustAnchors()),
    "signer.not-checked": of_bytes(b"not a bundle"),
    "signer.expired": of_case(attributes(stamp=None), now=_FUTURE),
    "signer.expired-since": of_bytes(lambda: example().seal(), now=_FUTURE),
    "signer.not-yet-valid": of_case(
        attributes(sign_with=make_signer(start=WHEN + timedelta(days=9)), stamp=None)
    ),
    "signer.wrong-usage": of_case(attributes(sign_with=make_signer(usages=("key_agreement",)))),
    "signer.revoked": revoked(timedelta(days=-2)),
    "signer.not-revoked": revoked(timedelta(days=-2), others=True),
    "signer.revoked-since": revoked(timedelta(days=2)),
    "signer.path-invalid": broken_path(),
    # Time
    "timestamp.malformed": stamped_with(lambda token: b"\x30\x00"),
    "timestamp.wrong-imprint": stamped_with(
        lambda token: pki.token_over(sha256(b"something else").digest())
    ),
    "timestamp.invalid": stamped_with(flip_last),
    "timestamp.weak": stamped_with(with_sha1),
    "timestamp.unused-material": stamped_with(with_stray),
    "timestamp.ok": _GOOD,
    "timestamp.qualification-unknown": _GOOD,
    "timestamp.qualified": by_list(qualified()),
    "timestamp.not-qualified": by_list(qualified(until=WHEN)),
    "timestamp.not-listed": by_list(),
    "timestamp.list-outdated": by_list(next_update=WHEN - timedelta(days=1)),
    "timestamp.later": stamped_later,
    "timestamp.stamps-contradict": older_than_its_content,
    "timestamp.renewed": renewed_in_time,
    "start-token.contradicts": of_case(_started_after_the_seal, now=WHEN + timedelta(days=1)),
    "timestamp.missing": of_case(attributes(stamp=None)),
    "timestamp.untrusted": of_bytes(lambda: example().seal(), anchors=_ONLY_SIGNER),
    "timestamp.not-checked": of_bytes(b"not a bundle"),
    "timestamp.claimed-future": of_case(
        attributes(stamp=None, signed=WHEN + timedelta(days=400)),
        accept=frozenset({"no-timestamp"}),
    ),
    "timestamp.future": of_case(attributes(stamp=NOW + timedelta(days=2))),
    "timestamp.before-claimed-time": _later_stamp(stamp=WHEN - timedelta(hours=1)),
    "timestamp.long-after-claimed-time": _later_stamp(stamp=WHEN + timedelta(hours=3)),
    "timestamp.renew": of_bytes(lambda: example().seal(), now=WHEN + timedelta(days=4000)),
    "start-token.ok": _GOOD,
    "start-token.none": of_record(
        lambda record: (
            record["artefacts"].pop(
                next(n for n, a in enumerate(record["artefacts"]) if a["file"].endswith(".tst"))
            ),
            record["start_token"].update(file=None, nonce="", time=None, sha256=None),
        )
    ),
    "start-token.untrusted": of_bytes(lambda: example().seal(), anchors=_ONLY_SIGNER),
    "start-token.differs": of_record(
        lambda record: record["start_token"].update(nonce=bytes(32).hex())
    ),
    "start-token.not-checked": of_record(
        lambda record: record["start_token"].update(file="data/other.tst")
    ),
    # Content
    "capture.ok": _GOOD,
    "capture.missing": of_case(
        attributes(edit_sealed=each(lambda files: files.pop("data/capture.json"), rebagged))
    ),
    "capture.malformed": of_record(lambda record: record.update(state="excellent")),
    "capture.other-signer": of_record(
        lambda record: record["operator"].update(certificate_sha256="0" * 64)
    ),
    "artefact.missing": of_record(
        lambda record: record["artefacts"].append(
            {**record["artefacts"][0], "file": "data/web/page.pdf"}
        )
    ),
    "artefact.differs": of_record(lambda record: record["artefacts"][0].update(sha256="0" * 64)),
    "data.unmentioned": of_record(lambda record: record["artefacts"].pop()),
    "post.ok": _GOOD,
    "post.malformed": of_case(_file("data/post.json", b'{"schema": 1, "schema": 2}')),
    "post.source-missing": of_case(
        _post(lambda post: post["id"]["source"].update(pointer="/nowhere"))
    ),
    "post.source-differs": of_case(_post(lambda post: post["text_html"].update(value="anders"))),
    "warc.ok": _GOOD,
    "warc.malformed": of_case(_file("data/api/exchanges.warc", warc()[:-2])),
    "warc.digest-differs": of_case(_other_warc),
    "wacz.ok": _GOOD,
    "wacz.malformed": of_case(_file("data/web/page.wacz", b"PK")),
    "wacz.hash-differs": of_case(
        _file("data/web/page.wacz", package(wacz_files(), put("pages/pages.jsonl", b"{}\n")))
    ),
    "wacz.index-differs": of_case(
        _file("data/web/page.wacz", package(wacz_files(None, url="http://127.0.0.1:1/x"), keep))
    ),
    "tls.ok": _GOOD,
    "stream.ok": of_case(add_stream),
    "stream.malformed": of_case(lambda case: add_stream(case, index=b"{}")),
    "stream.differs": of_case(lambda case: add_stream(case, forge=True)),
    "tls.malformed": of_case(_file("data/tls/127.0.0.1.pem", b"not a certificate")),
    "content.not-checked": of_bytes(b"not a bundle"),
    "content.complete": _GOOD,
    "content.partial": of_record(lambda record: record.update(state="partial")),
    "content.not-there": of_record(lambda record: record.update(state="not-there")),
    "capture.missing-part": of_record(
        lambda record: record["missing"].append({"what": "pdf", "why": "time limit"})
    ),
    "capture.warning": of_record(
        lambda record: record["warnings"].append(
            {"code": "clock.unknown", "subject": "", "detail": "no time source answered"}
        )
    ),
    "capture.limit-reached": of_record(
        lambda record: record["limits"].append(
            {"name": "page height", "value": "60000 px", "reached": True}
        )
    ),
    "capture.fallback-recorder": of_record(
        lambda record: record["recording"].update(method="chromium-cdp")
    ),
    "capture.redacted": of_record(
        lambda record: record["redactions"].append(
            {
                "record": "1",
                "side": "request",
                "field": "Cookie",
                "marker": "REDACTED#1",
                "length": 20,
                "ranges": [],
            }
        )
    ),
    "capture.logged-in": of_record(
        lambda record: record["account"].update(
            logged_in=True,
            name="@gemeente_x",
            source="operator",
            site="x",
            stored="2026-11-20T08:00:00Z",
            on_page=None,
        )
    ),
    "post.page-agrees": _GOOD,
    "post.page-differs": of_case(_file("data/web/text.txt", b"Iets heel anders")),
    "post.id-in-address": of_record(
        lambda record: record["page"].update(final_url="http://127.0.0.1/@boos/1")
    ),
    "post.id-not-in-address": of_record(
        lambda record: record["page"].update(final_url="http://127.0.0.1/@boos/")
    ),
    # Supplied by a person
    "supplied.ok": _supplied(),
    "supplied.not-captured": _supplied(),
    "supplied.malformed": _supplied(edit=lambda record: record.pop("supplier")),
    "supplied.dkim-ok": _supplied(),
    "supplied.dkim-fails": _supplied(mail=lambda mail: mail.replace(b"ingang", b"uitgang")),
    "supplied.dkim-not-checked": _supplied(
        edit=lambda record: [one.update(key=None) for one in record["dkim"]]
    ),
    # Custody
    # What a platform itself signed
    "atproto.proof-ok": _proof(),
    "atproto.absence-ok": _proof(present=False),
    "atproto.media-ok": _proof(),
    "atproto.proof-broken": _proof_told(lambda told, files: told.update(claim="absent")),
    "atproto.media-differs": _proof_told(lambda told, files: files.update({MEDIA: b"other"})),
    "atproto.not-checked": _proof_told(lambda told, files: files.pop(FILES["log"])),
    "atproto.not-proven": _proof_told(
        lambda told, files: told.update(claim="not-proven", why="the CAR file is cut off")
    ),
    "atproto.proof-without-log": _proof(did="did:web:jan.test"),
    "atproto.absence-without-log": _proof(did="did:web:jan.test", present=False),
    "atproto.key-of-web-site": _proof(did="did:web:jan.test"),
    "atproto.key-superseded": _key_replaced(),
    "atproto.key-not-in-log": _proof(signing=Key(62)),
    **TWICE,
    "custody.none": _GOOD,
    "custody.stamp-ok": with_sidecar("0001-sealed.tsr", second_stamp),
    "custody.stamp-invalid": with_sidecar("0001-sealed.tsr", lambda _: second_stamp(b"other")),
    "custody.stamp-untrusted": with_sidecar("0001-sealed.tsr", second_stamp, anchors=_ONLY_SIGNER),
    "custody.renewed-differs": renewed_then_changed,
    "custody.unknown-file": with_sidecar("notes.txt", lambda _: b"by a stranger"),
    "custody.not-checked": _custody_not_a_file,
    "custody.behind-receipt": with_receipt(custody=CustodyMark(1, "0001-sealed.tsr", "0" * 128)),
    "custody.event-ok": custody_vector(lambda _: None),
    "custody.event-own-clock": custody_vector(lambda path: record(path, "note", stamped=False)),
    "custody.event-unknown-signer": custody_vector(lambda path: record(path, by=stranger())),
    "custody.event-edited": custody_vector(
        lambda path: beside(path, "0003-*.json").write_bytes(b"{}\n")
    ),
    "custody.event-incomplete": custody_vector(lambda path: beside(path, "0003-*.p7s").unlink()),
    "custody.event-other-bundle": custody_vector(lambda path: example().write(path.parent)),
    "custody.event-misplaced": custody_vector(custody_misplaced),
    "custody.event-times": custody_vector(lambda path: record(path, "note", minutes=1)),
    "custody.limit-reached": custody_vector(too_large),
    "custody.fork": lambda folder: judged(fork(folder), anchors=both(), now=_AFTER_EVENTS),
    "custody.gap": custody_vector(lambda path: remove(path, 3)),
    "custody.destroyed": custody_vector(custody_restored),
}
