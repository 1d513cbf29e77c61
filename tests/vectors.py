"""For every finding code something that brings it about: the proof that the check can fail.

``VECTORS`` maps each code to a function that gets an empty folder and gives back the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.core.receipt import CustodyMark, Receipt
from evidence_kit.core.verdict import Verdict
from evidence_kit.jobs.verify import verify_many
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import (
    CAPTURE_ID,
    NAME,
    NOW,
    WHEN,
    Case,
    authority,
    example,
    forged,
    make_signer,
    rebagged,
    relisted,
    response,
    signer,
    trusted,
)
from tests.test_wacz_read import files as wacz_files
from tests.test_wacz_read import keep, package, warc
from tests.zip_forge import Forged, build, good_entries, with_last

Vector = Callable[[Path], Verdict]


def judged(path: Path, **options: Any) -> Verdict:
    """The verdict on one file, by default with the trust that makes a good bundle PASSED."""
    options = {"anchors": trusted(), "now": NOW, **options}
    return next(verify_many([path], **options))


def of_bytes(data: bytes | Callable[[], bytes], **options: Any) -> Vector:
    """A vector that is one file."""

    def vector(folder: Path) -> Verdict:
        path = folder / NAME
        path.write_bytes(data if isinstance(data, bytes) else data())
        return judged(path, **options)

    return vector


def of_case(change: Callable[[Case], object], **options: Any) -> Vector:
    """A vector made by the signer's own hand: the example, changed before it was sealed."""

    def sealed() -> bytes:
        case = example()
        change(case)
        return case.seal()

    return of_bytes(sealed, **options)


def of_forgery(change: Callable[[dict[str, bytes]], object], **options: Any) -> Vector:
    """A vector made by somebody without the key: opened, changed, packed again."""
    return of_bytes(lambda: forged(example().seal(), change), **options)


def of_record(change: Callable[[dict[str, Any]], object], **options: Any) -> Vector:
    """A vector whose signed capture record says something else."""

    def edit(case: Case) -> None:
        case.edit_record = lambda record: (change(record), None)[1]

    return of_case(edit, **options)


def _set(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.__setitem__(name, data)


def _then(*changes: Callable[[dict[str, bytes]], object]) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        for one in changes:
            one(files)

    return change


def _file(name: str, data: bytes) -> Callable[[Case], None]:
    return lambda case: case.files.__setitem__(name, data)


def _attributes(**values: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case, name, value)

    return change


def _post(change: Callable[[dict[str, Any]], object]) -> Callable[[Case], None]:
    def edit(case: Case) -> None:
        document = loads(case.files["data/post.json"])
        change(document["posts"][0])
        case.files["data/post.json"] = dumps(document)

    return edit


def _flip(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def _other_warc(case: Case) -> None:
    case.files["data/api/exchanges.warc"] = warc().replace(b"waar je woont", b"niet wie je b")


def _swap_signature(files: dict[str, bytes]) -> None:
    """The signature of another bundle by the same signer."""
    other = example()
    other.files["data/web/text.txt"] = b"iets anders"
    from tests.bundles import unpack

    files[SIGNATURE] = unpack(other.seal())[SIGNATURE]


def _receipt(path: Path, **change: Any) -> Receipt:
    digests = digest_bytes(path.read_bytes())
    return replace(
        Receipt(
            bundle=path.name,
            id=CAPTURE_ID,
            sealed=WHEN,
            sha256=digests.sha256,
            sha512=digests.sha512,
            size=digests.size,
            made_by="evidence-kit tests",
        ),
        **change,
    )


def with_receipt(**change: Any) -> Vector:
    """The good bundle and a receipt of which some fields are changed."""

    def vector(folder: Path) -> Verdict:
        path = example().write(folder)
        return judged(path, receipt=_receipt(path, **change))

    return vector


def with_sidecar(name: str, make: Callable[[bytes], bytes], **options: Any) -> Vector:
    """The good bundle with one file in its custody folder, made from the bundle's bytes."""

    def vector(folder: Path) -> Verdict:
        path = example().write(folder)
        beside = path.with_name(path.stem + ".custody")
        beside.mkdir()
        (beside / name).write_bytes(make(path.read_bytes()))
        return judged(path, **options)

    return vector


def _second_stamp(data: bytes) -> bytes:
    return response(data, when=WHEN + timedelta(minutes=5), tsa=authority())


def _custody_not_a_file(folder: Path) -> Verdict:
    path = example().write(folder)
    (path.with_name(path.stem + ".custody") / "0001-sealed.tsr").mkdir(parents=True)
    return judged(path)


def _missing_file(folder: Path) -> Verdict:
    return judged(folder / "not-there.asice")


_GOOD: Vector = of_bytes(lambda: example().seal())
_ONLY_SIGNER = TrustAnchors(signers=(signer().certificate,))
_FUTURE = WHEN + timedelta(days=400)


def _later_stamp(**values: Any) -> Vector:
    return of_case(_attributes(**values), now=WHEN + timedelta(days=3))


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
    "container.time": of_case(_attributes(entry_time=WHEN + timedelta(days=1))),
    "container.mimetype": of_bytes(lambda: build(good_entries()[1:])),
    "container.unreadable": _missing_file,
    # Signed list and bag
    "manifest.ok": _GOOD,
    "manifest.missing": of_forgery(lambda files: files.pop(MANIFEST)),
    "manifest.malformed": of_forgery(_set(MANIFEST, b"<x/>")),
    "manifest.not-checked": of_bytes(b"not a bundle"),
    "file.changed": of_forgery(_set("data/web/text.txt", b"Ik weet niets")),
    "file.missing": of_forgery(lambda files: files.pop("data/web/text.txt")),
    "file.unlisted": of_forgery(_set("data/extra.txt", b"x")),
    "bag.ok": _GOOD,
    "bag.malformed": of_case(_attributes(edit_sealed=_set("bagit.txt", b"BagIt-Version: 0.97\n"))),
    "bag.disagrees": of_case(_attributes(edit_sealed=_set("data/web/text.txt", b"anders"))),
    "bag.not-checked": of_bytes(b"not a bundle"),
    # Signature
    "signature.ok": _GOOD,
    "signature.missing": of_forgery(lambda files: files.pop(SIGNATURE)),
    "signature.malformed": of_forgery(_set(SIGNATURE, b"0\0")),
    "signature.wrong-digest": of_forgery(_then(_set("data/web/text.txt", b"anders"), relisted)),
    "signature.not-checked": of_bytes(b"not a bundle"),
    "receipt.ok": with_receipt(),
    "receipt.differs": with_receipt(sha512="0" * 128),
    # Signer and trust
    "signer.valid": _GOOD,
    "signer.trusted": _GOOD,
    "signer.unknown": of_bytes(lambda: example().seal(), anchors=TrustAnchors()),
    "signer.not-checked": of_bytes(b"not a bundle"),
    "signer.expired": of_case(_attributes(stamp=None), now=_FUTURE),
    "signer.expired-since": of_bytes(lambda: example().seal(), now=_FUTURE),
    "signer.not-yet-valid": of_case(
        _attributes(sign_with=make_signer(start=WHEN + timedelta(days=9)), stamp=None)
    ),
    "signer.wrong-usage": of_case(_attributes(sign_with=make_signer(usages=("key_agreement",)))),
    # Time
    "timestamp.ok": _GOOD,
    "timestamp.qualification-unknown": _GOOD,
    "timestamp.missing": of_case(_attributes(stamp=None)),
    "timestamp.untrusted": of_bytes(lambda: example().seal(), anchors=_ONLY_SIGNER),
    "timestamp.not-checked": of_bytes(b"not a bundle"),
    "timestamp.future": of_case(_attributes(stamp=NOW + timedelta(days=2))),
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
        _attributes(edit_sealed=_then(lambda files: files.pop("data/capture.json"), rebagged))
    ),
    "capture.malformed": of_record(lambda record: record.update(state="excellent")),
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
        _file("data/web/page.wacz", package(wacz_files(), _set("pages/pages.jsonl", b"{}\n")))
    ),
    "wacz.index-differs": of_case(
        _file("data/web/page.wacz", package(wacz_files(None, url="http://127.0.0.1:1/x"), keep))
    ),
    "tls.ok": _GOOD,
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
    # Custody
    "custody.none": _GOOD,
    "custody.stamp-ok": with_sidecar("0001-sealed.tsr", _second_stamp),
    "custody.stamp-invalid": with_sidecar("0001-sealed.tsr", lambda _: _second_stamp(b"other")),
    "custody.stamp-untrusted": with_sidecar("0001-sealed.tsr", _second_stamp, anchors=_ONLY_SIGNER),
    "custody.unknown-file": with_sidecar("notes.txt", lambda _: b"by a stranger"),
    "custody.not-checked": _custody_not_a_file,
    "custody.behind-receipt": with_receipt(custody=CustodyMark(1, "0001-sealed.tsr", "0" * 128)),
}
