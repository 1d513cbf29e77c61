"""Files that are answers, against the answers in the archive; and which files are called so."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import brotli
import pytest

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.core.findings import Finding, Status
from evidence_kit.jobs import answers as answers_job
from evidence_kit.jobs import verify_answers
from evidence_kit.jobs.answers import named_answers
from evidence_kit.jobs.workfolder import WorkFolder
from evidence_kit.platforms.base import Stored
from evidence_kit.seal.answer_match import answer_matches
from evidence_kit.seal.http_message import measure_stream
from tests.bundles import POSTED, STATUS, WHEN, Case, example
from tests.vector_tools import judged
from tests.vectors_twice import CHUNKED, MASK, STATUS_FILE, answers, named

BODY = dumps(STATUS)
HEAD = b"HTTP/1.1 200 OK\r\n"


def told(case: Case, folder: Path) -> list[Finding]:
    found = judged(case.write(folder)).findings
    return [one for one in found if one.code.startswith("answer.")]


def codes(case: Case, folder: Path) -> list[str]:
    return [one.code for one in told(case, folder)]


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


CODED = b"Content-Encoding: gzip\r\n"


@pytest.mark.parametrize(
    ("body", "heads"),
    [
        (BODY, b""),
        (BODY, b"Content-Length: %d\r\n" % len(BODY)),
        (chunked(BODY), CHUNKED),
        (gzip.compress(BODY), CODED),
        (chunked(gzip.compress(BODY)), CODED + CHUNKED),
        (brotli.compress(BODY), b"Content-Encoding: br\r\n"),
        (BODY + b"surplus", b"Content-Length: %d\r\n" % len(BODY)),
        (BODY, b"Content-Encoding: zstd\r\n"),
    ],
)
def test_an_answer_is_found_in_every_framing_and_coding(
    body: bytes, heads: bytes, tmp_path: Path
) -> None:
    case = example()
    named(STATUS_FILE, data=answers(body, heads=heads))(case)
    assert codes(case, tmp_path) == ["answer.ok"]


@pytest.mark.parametrize(
    ("body", "heads"),
    [
        (BODY[:-1], b""),
        (BODY + b"x", b""),
        (chunked(BODY)[:-4], CHUNKED),
        (chunked(BODY + b" "), CHUNKED),
        (gzip.compress(BODY)[:-4], CODED),
        (gzip.compress(bytes(1 << 26)), CODED),
        (b"not gzip at all", CODED),
    ],
)
def test_another_body_differs(body: bytes, heads: bytes, tmp_path: Path) -> None:
    case = example()
    named(STATUS_FILE, data=answers(body, heads=heads))(case)
    assert codes(case, tmp_path) == ["answer.differs"]
    assert judged(case.write(tmp_path)).status is Status.FAILED


def test_a_file_kept_with_its_coding_is_the_coded_answer(tmp_path: Path) -> None:
    case = example()
    packed = brotli.compress(BODY)
    case.files["data/api/0002-coded.bin"] = packed
    body = answers(BODY, packed, heads=b"")
    named(STATUS_FILE, "data/api/0002-coded.bin", data=body)(case)
    assert codes(case, tmp_path) == ["answer.ok"]
    again = answers(BODY, chunked(packed), heads=CHUNKED + b"Content-Encoding: br\r\n")
    named("data/api/0002-coded.bin", data=again, first=2)(case)
    assert codes(case, tmp_path) == ["answer.ok", "answer.unnamed"]


@pytest.mark.parametrize(
    ("content", "listed", "code"),
    [("redacted", False, "ok"), ("exact", True, "ok"), ("exact", False, "differs")],
)
def test_masked_places_are_left_out_where_something_was_masked(
    content: str, listed: bool, code: str, tmp_path: Path
) -> None:
    case = example()
    body = BODY.replace(POSTED.encode(), MASK)
    named(STATUS_FILE, data=answers(body, content=content))(case)
    if listed:
        case.record["redactions"] = [redaction(STATUS_FILE)]
    assert codes(case, tmp_path) == [f"answer.{code}"]
    named(STATUS_FILE, data=answers(body.replace(b"boos", b"lief"), content=content))(case)
    assert codes(case, tmp_path) == ["answer.differs"]


def redaction(name: str) -> dict[str, Any]:
    return {
        "record": name,
        "side": "file",
        "field": "body",
        "marker": "REDACTED#1",
        "length": 20,
        "ranges": [[1, 21]],
    }


def test_files_that_name_no_answer_are_said(tmp_path: Path) -> None:
    case = example()
    (found,) = told(case, tmp_path)
    assert (found.code, found.params["files"]) == ("answer.unnamed", STATUS_FILE)
    for number in range(2, 9):
        case.files[f"data/api/{number:04}-x.txt"] = b"x"
    (found,) = told(case, tmp_path)
    assert found.params["count"] == "8" and found.params["files"].endswith("0005-x.txt, …")


def test_a_file_that_is_named_twice_or_not_there(tmp_path: Path) -> None:
    case = example()
    named(STATUS_FILE, STATUS_FILE, data=answers(BODY, BODY))(case)
    assert [one.params["detail"] for one in told(case, tmp_path)] == ["it is named twice"]
    named("data/api/0009-x.json")(case)
    assert told(case, tmp_path)[0].params["detail"] == "it is not there"


def test_without_the_archive_nothing_is_taken_for_an_answer(tmp_path: Path) -> None:
    case = example()
    named(STATUS_FILE)(case)
    del case.files[verify_answers.ARCHIVE]
    assert codes(case, tmp_path) == ["answer.differs"]


def test_interim_answers_come_before_the_one_that_counts(tmp_path: Path) -> None:
    case = example()
    early = answers(b"").replace(b"200 OK", b"103 OK")
    rest = answers(BODY).replace(b"<urn:uuid:", b"<urn:uuid:f")
    named(STATUS_FILE, data=early + rest)(case)
    assert "answer.ok" in codes(case, tmp_path)


def test_what_is_taken_apart_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_answers, "MAX_COMPARED", 4 * len(BODY) + 1000)
    case = example()
    case.files |= {f"data/api/{number:04}-x.json": BODY for number in range(2, 9)}
    files = [STATUS_FILE, *(f"data/api/{number:04}-x.json" for number in range(2, 9))]
    named(*files, data=answers(*[chunked(BODY, 999)] * 8, heads=CHUNKED))(case)
    found = codes(case, tmp_path)
    assert found.count("answer.not-checked") > 4 and "answer.ok" not in found
    assert judged(case.write(tmp_path)).status is Status.INDETERMINATE


def exchange(folder: Path, number: int, response: bytes, **more: Any) -> Exchange:
    paths = folder / f"{number}.request", folder / f"{number}.response"
    paths[0].write_bytes(b"GET / HTTP/1.1\r\n\r\n")
    paths[1].write_bytes(response)
    return Exchange(
        number,
        "https://a.example/",
        "GET",
        WHEN,
        *paths,
        Representation.WIRE,
        Source.SESSION,
        **{"status": 200, **more},
    )


def listed(tmp_path: Path, response: bytes, file: bytes = BODY, **more: Any) -> list[str]:
    """What the record would name of one stored file and its exchange."""
    work = WorkFolder(tmp_path / "work")
    path = work.bag / STATUS_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(file)
    one = exchange(tmp_path, 3, response, **more)
    stored = [
        Stored("data/api/0002-own.json", digest_bytes(b"")),
        Stored(STATUS_FILE, digest_bytes(file), exchange=3),
        Stored(STATUS_FILE, digest_bytes(file), exchange=4),
    ]
    found = named_answers(work, lambda _, number: one if number == 3 else None, stored)
    assert all(item["exchange"] == 3 for item in found)
    return [item["file"] for item in found]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (HEAD + b"\r\n" + BODY, True),
        (HEAD + CHUNKED + b"\r\n" + chunked(BODY), True),
        (HEAD + CODED + b"\r\n" + gzip.compress(BODY), True),
        (HEAD + b"\r\n" + BODY.replace(POSTED.encode(), MASK), True),
        (HEAD + b"\r\n" + BODY + b"x", False),
        (HEAD + b"\r\n" + BODY.replace(b"boos", b"lief"), False),
        (HEAD + CODED + b"\r\n" + gzip.compress(BODY) * 2, False),
        (HEAD + CHUNKED + b"\r\n" + chunked(BODY)[:-3], False),
        (HEAD + b"Content-Length: 9999\r\n\r\n" + BODY, False),
        (b"no head", False),
    ],
)
def test_only_what_can_be_shown_is_named(response: bytes, expected: bool, tmp_path: Path) -> None:
    assert listed(tmp_path, response) == ([STATUS_FILE] if expected else [])


def test_what_was_cut_off_or_is_too_large_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    assert listed(tmp_path / "a", HEAD + b"\r\n" + BODY, truncated="length") == []
    monkeypatch.setattr(answers_job, "MAX_COMPARED", len(BODY))
    (tmp_path / "b").mkdir()
    assert listed(tmp_path / "b", HEAD + CHUNKED + b"\r\n" + chunked(BODY)) == []
    (tmp_path / "c").mkdir()
    assert listed(tmp_path / "c", HEAD + b"\r\n" + BODY) == [STATUS_FILE]


def test_markers_hide_only_their_own_places() -> None:
    def same(body: bytes, file: bytes) -> bool:
        block = io.BytesIO(HEAD + b"\r\n" + body)
        message = measure_stream(block, len(block.getvalue()))
        return answer_matches(block, message, file, masked=True)

    assert same(b"a REDACTED#1-- b", b"a geheimgeheim b")
    assert same(b"a geheimgeheim b", b"a REDACTED#2-- b")
    assert not same(b"a REDACTED#1-- b", b"a geheimgeheim c")
    assert not same(b"a REDACTED#1-- b", b"a geheimgeheim! b")
    assert not same(b"a REDACTED b", b"a geheimge b")
