"""Trusted lists: what may come in, who then is qualified at which moment, and how it is told."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509 as pyca
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from evidence_kit.cli.trust import command
from evidence_kit.core.canonical_json import loads
from evidence_kit.core.errors import ConfigError, InputError, StorageError, UnreadableFileError
from evidence_kit.core.verdict import State
from evidence_kit.core.verdict_json import verdict_json
from evidence_kit.core.verdict_words import verdict_lines
from evidence_kit.core.words import LANGUAGES, Words
from evidence_kit.jobs import trust_lists
from evidence_kit.jobs.trust import add_trusted_list, list_trust, load_anchors, remove_trust
from evidence_kit.jobs.trust_lists import ListEntry, trusted_lists
from evidence_kit.jobs.verify import verify
from evidence_kit.seal import cades, trusted_list_read, x509
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.trusted_list import TrustedList, qualification
from evidence_kit.seal.trusted_list_read import TrustedListError, read_trusted_list
from tests import bundles, pki
from tests.pki import CONTENT, NOW, YEAR
from tests.trusted_lists import (
    CA_QC,
    GRANTED,
    LOTL,
    QTST,
    TSA_NOT_QUALIFIED,
    TSL,
    WITHDRAWN,
    Draft,
    Service,
    a_list,
    granted,
    operator,
    tsa,
    tsa_root,
)

DAY = timedelta(days=1)
OPERATOR = operator()


def good(**changes: Any) -> Draft:
    return replace(Draft([Service([tsa()])]), **changes)


def read(data: bytes, *operators: bytes) -> TrustedList:
    return read_trusted_list(data, operators or (OPERATOR,)).content


def codes(lists: list[TrustedList], moment: datetime = NOW, now: datetime = NOW) -> list[str]:
    leaf = x509.load(tsa())
    found = qualification(leaf, [x509.load(tsa_root())], lists, moment=moment, now=now)
    return [finding.code.removeprefix("timestamp.") for finding in found.findings]


def test_a_list_is_read_as_it_was_signed() -> None:
    data = good().signed()
    found = read_trusted_list(data, [operator(91), OPERATOR])
    assert found.signed_by == OPERATOR
    assert found.content == TrustedList(
        territory="XX",
        operator="Example supervisor",
        sequence=7,
        issued=NOW - 53 * DAY,
        next_update=NOW + 100 * DAY,
        sha256=hashlib.sha256(data).hexdigest(),
        services=(granted(since=NOW - YEAR),),
    )


def test_only_granted_qualified_time_stamping_services_are_taken() -> None:
    services = [
        Service([tsa()], kind=CA_QC),
        Service([tsa()], kind=TSA_NOT_QUALIFIED),
        Service([tsa()], status=WITHDRAWN),
        Service([tsa()], status=GRANTED.replace("granted", "recognisedatnationallevel")),
    ]
    assert read(Draft(services).signed()).services == ()


def test_the_history_of_a_service_gives_its_times() -> None:
    times = [NOW - year * YEAR for year in range(1, 5)]
    service = Service(
        [tsa()],
        status=WITHDRAWN,
        since=times[0],
        history=[(GRANTED, times[1]), (WITHDRAWN, times[2]), (GRANTED, times[3])],
    )
    found = [(one.since, one.until) for one in read(Draft([service]).signed()).services]
    assert sorted(found) == [(times[3], times[2]), (times[1], times[0])]


def _edit(path: str, text: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        root = etree.fromstring(data)
        root.find(f".//{{{TSL}}}{path}").text = text
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))

    return change


def _before(text: bytes, inserted: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(text, inserted + text, 1)


def _wrapped(data: bytes) -> bytes:
    """The signed list inside a forged one: the signature holds, over something else."""
    inner = data.split(b"?>", 1)[1]
    forged = good(sequence="9").root()
    forged.append(etree.fromstring(inner))
    return bytes(etree.tostring(forged))


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
ROOT = b"<TrustServiceStatusList"


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "unsigned": (lambda data: good().unsigned(), "signature does not hold"),
    "number changed": (_edit("TSLSequenceNumber", "8"), "does not hold"),
    "status changed": (_edit("ServiceStatus", GRANTED + "x"), "does not hold"),
    "signed by somebody else": (lambda data: good().signed(91), "does not hold"),
    "signed list inside a forged one": (_wrapped, "does not hold"),
    "entity bomb": (_before(ROOT, BOMB), "document type"),
    "external document type": (
        _before(ROOT, b'<!DOCTYPE a SYSTEM "file:///etc/passwd">'),
        "document type",
    ),
    "XInclude": (
        _before(b"</Trust", b'<x:include xmlns:x="http://www.w3.org/2001/XInclude"/>'),
        "includes",
    ),
    "nested too deep": (lambda data: b"<a>" * 80 + b"</a>" * 80, "too deep"),
    "another encoding": (lambda data: data.decode().encode("utf-16"), "not well-formed"),
    "declared in another encoding": (
        lambda data: data.replace(b"UTF-8", b"ISO-8859-1"),
        "encoding",
    ),
    "cut off": (lambda data: data[:-10], "not well-formed"),
    "empty": (lambda data: b"", "not well-formed"),
    "a web page": (lambda data: b"<html/>", "not a trusted list"),
    "a list of lists": (lambda data: good(kind=LOTL).signed(), "another kind"),
    "another version": (lambda data: good(version="4").signed(), "another version"),
    "a negative number": (lambda data: good(sequence="-1").signed(), "sequence"),
    "an absurd number": (lambda data: good(sequence="1000000000").signed(), "sequence"),
    "no country code": (lambda data: good(territory="xx").signed(), "country"),
    "certificate not valid when it was issued": (
        lambda data: good(issued=NOW - 4 * YEAR).signed(),
        "not valid when the list was issued",
    ),
}
"""Lists that must not come in, and why, in the reader's words."""


@pytest.mark.parametrize("name", REFUSED)
def test_lists_that_are_refused(name: str) -> None:
    change, reason = REFUSED[name]
    with pytest.raises(TrustedListError, match=reason):
        read(change(good().signed()))


def test_too_many_elements_and_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = good().signed()
    monkeypatch.setattr(trusted_list_read, "MAX_ELEMENTS", 20)
    with pytest.raises(TrustedListError, match="too many"):
        read(data)
    monkeypatch.setattr(trusted_list_read, "MAX_LIST", len(data) - 1)
    with pytest.raises(TrustedListError, match="larger"):
        read(data)


def test_a_signature_over_a_part_only_is_refused() -> None:
    """The reference names an element inside the list: what it does not cover could be anything."""

    def name(root: Any) -> None:
        root.find(f"{{{TSL}}}SchemeInformation").set("Id", "head")

    with pytest.raises(TrustedListError, match="not over the list"):
        read(good(change=name).signed(reference="#head"))


def test_without_a_named_operator_nothing_is_read() -> None:
    with pytest.raises(TrustedListError, match="nobody"):
        read_trusted_list(good().signed(), [])


def test_the_list_of_lists_names_who_signs() -> None:
    lotl = Draft(kind=LOTL, territory="EU", pointers=[("YY", [OPERATOR]), ("XX", [operator(92)])])
    data, above = good().signed(92), lotl.signed(91)
    assert read_trusted_list(data, [operator(91)], lotl=above).signed_by == operator(92)
    for other in (good().signed(90), good().signed(91), good(territory="ZZ").signed(92)):
        with pytest.raises(TrustedListError):
            read_trusted_list(other, [operator(91)], lotl=above)
    for wrong in (lotl.signed(90), lotl.unsigned(), good().signed(91), b"<a/>"):
        with pytest.raises(TrustedListError):
            read_trusted_list(data, [operator(91)], lotl=wrong)


STANDINGS: dict[str, tuple[list[TrustedList], list[str]]] = {
    "no list": ([], ["qualification-unknown"]),
    "granted": ([a_list(granted())], ["qualified"]),
    "its authority is granted": ([a_list(granted(tsa_root()))], ["qualified"]),
    "on no list": ([a_list()], ["not-listed"]),
    "somebody else is granted": ([a_list(granted(OPERATOR))], ["not-listed"]),
    "an identity that cannot be read": ([a_list(granted(b"0\x03\x02\x01\x05"))], ["not-listed"]),
    "granted later": ([a_list(granted(since=NOW + DAY))], ["not-qualified"]),
    "withdrawn before": ([a_list(granted(until=NOW))], ["not-qualified"]),
    "withdrawn and granted again": (
        [a_list(granted(until=NOW - DAY), granted(since=NOW - DAY))],
        ["qualified"],
    ),
    "a list that was to be replaced before": (
        [a_list(granted(), next_update=NOW - DAY)],
        ["qualification-unknown", "list-outdated"],
    ),
    "a list closed before": ([a_list(granted(), next_update=None)], ["qualification-unknown"]),
    "a list closed then": ([a_list(granted(), issued=NOW, next_update=None)], ["qualified"]),
    "an older list says so, the newest not": (
        [a_list(granted()), a_list(sequence=8)],
        ["not-listed"],
    ),
    "the newest list comes first": ([a_list(sequence=8), a_list(granted())], ["not-listed"]),
    "two countries": ([a_list(), a_list(granted(), territory="YY")], ["qualified"]),
    "an outdated list of another country": (
        [a_list(granted()), a_list(territory="YY", next_update=NOW - DAY)],
        ["qualified"],
    ),
    "on no list, one outdated": (
        [a_list(), a_list(territory="YY", next_update=NOW - DAY)],
        ["not-listed", "list-outdated"],
    ),
}
"""Lists, and the codes of what they say of the test authority."""


@pytest.mark.parametrize("name", STANDINGS)
def test_who_is_qualified(name: str) -> None:
    lists, expected = STANDINGS[name]
    assert codes(lists) == expected


def test_a_list_speaks_for_its_own_time_ten_years_on() -> None:
    found = codes([a_list(granted())], now=NOW + 10 * YEAR)
    assert found == ["qualified", "list-outdated"]


def test_an_identity_that_is_no_authority_stands_for_itself_only() -> None:
    key = pki.key_of(number=93)
    listed = pki.certificate("Listed unit", key)
    below = pki.certificate(
        "Below", pki.key_of(number=94), issuer=pki.Issuer(pki.name_of("Listed unit"), key)
    )
    found = qualification(
        x509.load(below), [x509.load(listed)], [a_list(granted(listed))], moment=NOW, now=NOW
    )
    assert (found.qualified, found.findings[0].code) == (None, "timestamp.not-listed")


def test_a_name_alone_makes_nobody_qualified() -> None:
    """An authority of the listed name with another key did not issue the stamp's certificate."""
    root = x509.load(tsa_root())
    other = pki.key_of(number=95)
    forged = pki.certificate("x", other, authority=True)
    name = pki.authority().root.subject
    by = pki.Issuer(name, other)
    listed = pki.der_of(
        pyca.CertificateBuilder()
        .subject_name(by.name)
        .issuer_name(by.name)
        .public_key(other.public_key())
        .serial_number(5)
        .not_valid_before(root.not_before)
        .not_valid_after(root.not_after)
        .add_extension(pyca.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(other, SHA256())
    )
    assert codes([a_list(granted(listed, forged))]) == ["not-listed"]


def test_the_verdict_says_the_list_and_its_age(tmp_path: Path) -> None:
    path = tmp_path / bundles.NAME
    path.write_bytes(bundles.example().seal())
    services = granted(bundles.root_of(bundles.authority()))
    issued = bundles.NOW - 53 * DAY
    listed = a_list(services, issued=issued, next_update=bundles.NOW + DAY)
    anchors = replace(bundles.trusted(), lists=(listed,))
    verdict = verify(path, anchors=anchors, now=bundles.NOW)
    assert State.TIMESTAMP_QUALIFIED in verdict.states
    day = issued.date().isoformat()
    expected = {
        "en": f"trusted list of XX of {day}, 53 days old at this verification.",
        "nl": f"vertrouwenslijst van XX van {day}, 53 dagen oud bij deze controle.",
    }
    for language in LANGUAGES:
        lines = dict(verdict_lines(verdict, Words(language)))
        name = Words(language).say("state-name", State.TIMESTAMP_QUALIFIED)
        assert lines[name].endswith(expected[language])
    said = verdict_json(verdict, Words("en"))["time"]
    assert said["qualified"] is True
    assert (said["trusted_list"]["territory"], said["trusted_list"]["age_days"]) == ("XX", 53)
    one_day = replace(anchors, lists=(replace(listed, issued=bundles.NOW - DAY),))
    verdict = verify(path, anchors=one_day, now=bundles.NOW)
    assert any(" 1 day old" in text for _, text in verdict_lines(verdict, Words("en")))


def test_a_list_makes_nobody_trusted() -> None:
    p7s = pki.stamped(cades.sign(CONTENT, pki.self_signed(), signing_time=NOW))
    anchors = TrustAnchors(lists=(a_list(granted(), granted(tsa_root())),))
    report = cades.check_signature(p7s, CONTENT, anchors=anchors, now=NOW)
    assert report.stamp is not None
    assert (report.stamp.trusted, report.stamp.qualified) == (False, None)


def add(home: Path, data: bytes, now: datetime = NOW, **options: Any) -> ListEntry:
    path = home / "list.xml"
    path.write_bytes(data)
    given: dict[str, Any] = {"operators": [OPERATOR], "vouched_by": "Rijk", "how": "OJ", **options}
    return add_trusted_list(home, path, now=now, **given)


def test_kept_listed_used_and_removed(own_home: Path) -> None:
    entry = add(own_home, good().signed())
    assert trusted_lists(own_home) == [entry]
    assert load_anchors(own_home).lists == (entry.content,)
    assert (entry.signed_by, entry.added) == (x509.load(OPERATOR).fingerprint, NOW)
    newer = add(own_home, good(sequence="8", issued=NOW - DAY).signed())
    assert load_anchors(own_home).lists == (entry.content, newer.content)
    assert remove_trust(own_home, entry.content.sha256[:8]) == [entry]
    assert trusted_lists(own_home) == [newer]
    assert list_trust(own_home) == []


def test_older_and_repeated_and_future_lists_are_refused(own_home: Path) -> None:
    first = good().signed()
    add(own_home, first)
    with pytest.raises(StorageError, match="already"):
        add(own_home, first)
    for sequence in ("6", "7"):
        with pytest.raises(InputError, match="not newer"):
            add(own_home, good(sequence=sequence).signed())
    with pytest.raises(InputError, match="future"):
        add(own_home, good(sequence="8").signed(), now=NOW - 60 * DAY)
    add(own_home, good(territory="YY", sequence="1").signed())


@pytest.mark.parametrize("words", [{"vouched_by": " "}, {"how": ""}])
def test_somebody_must_vouch(own_home: Path, words: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        add(own_home, good().signed(), **words)
    assert not (own_home / "trust").exists()


def test_refused_lists_leave_nothing(own_home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="refused"):
        add(own_home, good().unsigned())
    with pytest.raises(UnreadableFileError):
        add_trusted_list(
            own_home,
            tmp_path / "none.xml",
            operators=[OPERATOR],
            vouched_by="x",
            how="y",
            now=NOW,
        )
    assert not (own_home / "trust").exists()


def test_a_damaged_store_is_said(own_home: Path) -> None:
    entry = add(own_home, good().signed())
    record = own_home / "trust" / "lists" / f"{entry.stem}.json"
    data = record.read_bytes()
    for changed in (
        b"{}",
        data.replace(b"XX", b"YY"),
        data.replace(b'"sequence": 7', b'"sequence": "a"'),
        data.replace(b'"certificates": [', b'"certificates": ["?",'),
        data.replace(b"trusted-list/1", b"trusted-list/2"),
    ):
        assert changed != data
        record.write_bytes(changed)
        with pytest.raises(ConfigError, match="was not put there"):
            load_anchors(own_home)


def test_without_the_extra_it_says_what_to_install(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust_lists, "available", lambda: False)
    with pytest.raises(ConfigError) as caught:
        add(own_home, good().signed())
    assert "evidence-kit[etsi]" in caught.value.hint


def test_verifying_needs_no_xml_library() -> None:
    """The extra is for taking a list in; the store holds what judging needs."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['signxml', 'xsdata']));"
        "import evidence_kit.jobs.verify, evidence_kit.jobs.trust;"
        "assert 'lxml.etree' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_command(own_home: Path, tmp_path: Path) -> None:
    xml, pem = tmp_path / "XX.xml", tmp_path / "operator.pem"
    xml.write_bytes(good().signed())
    pem.write_bytes(pki.pem_of(OPERATOR))
    words = ["--by", "Official Journal", "--how", "https"]
    run = CliRunner().invoke
    added = run(
        command, ["add", "--trusted-list", str(xml), "--operator", str(pem), *words, "--json"]
    )
    assert added.exit_code == 0, added.output
    (found,) = loads(added.stdout_bytes)["lists"]
    assert (found["territory"], found["services"], found["sequence"]) == ("XX", 1, 7)
    shown = run(command, ["list"])
    assert "trusted list of XX, number 7" in shown.output
    assert f"issued       {(NOW - 53 * DAY).strftime('%Y-%m-%d %H:%M:%S UTC')}" in shown.output
    gone = run(command, ["remove", found["sha256"][:12]])
    assert gone.exit_code == 0
    assert "nothing is trusted yet" in run(command, ["list"]).output
    for wrong in (
        ["add", "--trusted-list", str(xml), *words],
        ["add", "--trusted-list", "--tsa", str(xml), "--operator", str(pem), *words],
        ["add", str(pem), "--operator", str(pem), *words],
    ):
        assert run(command, wrong).exit_code == 2


def test_the_type_of_service_is_the_one_of_the_standard() -> None:
    assert QTST == "http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST"
