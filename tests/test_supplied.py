"""Files that a person handed in: sealed byte for byte, and never taken for a capture."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.canonical_json import loads
from evidence_kit.core.errors import InputError, NetworkError, UnreadableFileError
from evidence_kit.core.findings import Section, Status
from evidence_kit.demo.mail import signed_mail as demo_mail
from evidence_kit.jobs.show import show
from evidence_kit.jobs.supplied import Supply, import_supplied, read_keys
from evidence_kit.jobs.verify import examine, verify
from evidence_kit.seal.dkim import check_dkim, find_signatures
from tests.bundles import NOW, WHEN, signer, trusted, unpack
from tests.custody_tools import record, stamps
from tests.supplied_tools import DOMAIN, MAIL, SELECTOR, key_record, signed_mail, supplied_case

PNG = b"\x89PNG\r\n\x1a\n geen echt plaatje"


def bring_in(folder: Path, *names_and_data: tuple[str, bytes], **options: Any) -> Any:
    files = []
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for name, data in names_and_data:
        path = folder / "in" / name
        path.write_bytes(data)
        files.append(path)
    values = {
        "kind": "screenshot",
        "supplier": "de medewerker",
        "supplier_name": "M. de Jong",
        "source": "eigen telefoon",
        "received": date(2026, 11, 21),
        **{key: value for key, value in options.items() if key not in ("lookup", "keys")},
    }
    return import_supplied(
        Supply(tuple(files), **values),
        signer(),
        output=folder / "out",
        home=folder / "home",
        clock=lambda: WHEN,
        random=b"\1\2\3\4",
        stamper=stamps(WHEN + timedelta(seconds=2)),
        lookup=options.get("lookup"),
        keys=options.get("keys"),
    )


def test_a_screenshot_is_sealed_byte_for_byte_and_marked(tmp_path: Path) -> None:
    done = bring_in(tmp_path, ("scherm 1.png", PNG), ("pagina.html", b"<script>1</script>"))
    found = examine(done.sealed.path, anchors=trusted(), now=NOW)
    assert found.verdict.status is Status.PASSED
    assert found.record is None
    assert found.supplied is not None
    assert found.supplied["statement"] == "supplied, not captured by this tool"
    codes = {f.code for f in found.verdict.findings}
    assert {"supplied.ok", "supplied.not-captured"} <= codes
    assert not {"capture.ok", "content.complete"} & codes
    files = unpack(done.sealed.path.read_bytes())
    assert files["data/supplied/0001-scherm_1.png"] == PNG
    assert files["data/supplied/0002-pagina.html.txt"] == b"<script>1</script>"
    assert "custody/0001-supplied.json" in files
    assert [one["original_name"] for one in found.supplied["files"]] == [
        "scherm 1.png",
        "pagina.html",
    ]


def test_the_suppliers_name_stands_in_the_private_part_only(tmp_path: Path) -> None:
    done = bring_in(tmp_path, ("a.png", PNG))
    files = unpack(done.sealed.path.read_bytes())
    holding = [name for name, data in files.items() if b"M. de Jong" in data]
    assert holding == ["data/private.json"]
    assert loads(files["data/private.json"])["supplier_name"] == "M. de Jong"


def test_a_mail_keeps_its_key_and_is_checked_offline(tmp_path: Path) -> None:
    asked: list[str] = []

    def lookup(name: str) -> str | None:
        asked.append(name)
        return key_record()

    mail = signed_mail()
    done = bring_in(tmp_path, ("melding.eml", mail), kind="mail", lookup=lookup)
    assert asked == [f"{SELECTOR}._domainkey.{DOMAIN}"]
    files = unpack(done.sealed.path.read_bytes())
    assert files["data/supplied/0001-melding.eml"] == mail
    verdict = verify(done.sealed.path, anchors=trusted(), now=NOW)
    (found,) = [f for f in verdict.findings if f.code.startswith("supplied.dkim")]
    assert (found.code, found.params["domain"]) == ("supplied.dkim-ok", DOMAIN)
    assert asked == [f"{SELECTOR}._domainkey.{DOMAIN}"], "verifying asks nobody"


def test_without_a_key_the_mail_is_sealed_all_the_same(tmp_path: Path) -> None:
    def broken(name: str) -> str | None:
        raise NetworkError("no resolver")

    done = bring_in(tmp_path, ("melding.eml", signed_mail()), kind="mail", lookup=broken)
    assert done.dkim[0]["why"] == "no resolver"
    verdict = verify(done.sealed.path, anchors=trusted(), now=NOW)
    assert "supplied.dkim-not-checked" in {f.code for f in verdict.findings}
    assert verdict.status is Status.PASSED


def test_nothing_is_left_behind_and_the_original_stays(tmp_path: Path) -> None:
    bring_in(tmp_path, ("a.png", PNG))
    assert (tmp_path / "in" / "a.png").read_bytes() == PNG
    assert list((tmp_path / "home" / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "rumour"}, "no kind"),
        ({"supplier": " "}, "supplier and source"),
        ({"source": ""}, "supplier and source"),
        ({"received": date(2026, 11, 24)}, "future"),
        ({"source": "x" * 600}, "cannot be written"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        bring_in(tmp_path, ("a.png", PNG), **change)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    supply = Supply((tmp_path / "no.png",), "other", "x", "y", date(2026, 11, 21))
    with pytest.raises(UnreadableFileError, match="not there"):
        import_supplied(
            supply,
            signer(),
            output=tmp_path,
            home=tmp_path / "home",
            clock=lambda: WHEN,
            random=b"abcd",
            stamper=None,
            lookup=None,
        )
    with pytest.raises(InputError, match="no files"):
        bring_in(tmp_path)


def test_show_and_custody_know_such_a_bundle(tmp_path: Path) -> None:
    done = bring_in(tmp_path, ("a.png", PNG))
    shown = show(done.sealed.path, anchors=trusted(), now=NOW)
    assert shown.supplied is not None
    assert shown.verified
    added = record(done.sealed.path)
    assert added.receipt.id == shown.supplied["id"]


def test_files_that_are_not_as_recorded_are_noticed(tmp_path: Path) -> None:
    def wrong(entry: dict[str, Any]) -> None:
        entry["files"][0]["sha256"] = "0" * 64

    path = supplied_case(edit=wrong).write(tmp_path)
    verdict = verify(path, anchors=trusted(), now=NOW)
    assert "artefact.differs" in {f.code for f in verdict.findings}
    assert verdict.section(Section.CONTENT) is Status.FAILED
    case = supplied_case()
    case.files["data/extra.txt"] = b"x"
    verdict = verify(case.write(tmp_path), anchors=trusted(), now=NOW)
    assert "data.unmentioned" in {f.code for f in verdict.findings}
    other = supplied_case(edit=lambda one: one["operator"].update(certificate_sha256="0" * 64))
    verdict = verify(other.write(tmp_path), anchors=trusted(), now=NOW)
    assert "capture.other-signer" in {f.code for f in verdict.findings}


FORMS = [(a, b) for a in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_another_programs_signatures_hold(forms: tuple[bytes, bytes], ending: bytes) -> None:
    mail = signed_mail(forms=forms).replace(b"\r\n", ending)
    (signature,) = find_signatures(mail)
    assert check_dkim(mail, signature, key_record()).state == "passed"


@pytest.mark.parametrize("forms", FORMS)
def test_every_change_of_what_is_signed_shows(forms: tuple[bytes, bytes]) -> None:
    mail = signed_mail(forms=forms)
    for old, new in ((b"ingang", b"uitgang"), (b"Pleinpraat <", b"Plein <"), (b"20:15", b"20:16")):
        changed = mail.replace(old, new, 1)
        assert changed != mail
        (signature,) = find_signatures(changed)
        assert check_dkim(changed, signature, key_record()).state == "failed"


def test_what_a_signature_does_not_cover_is_not_called_good() -> None:
    mail = signed_mail(length=True)
    (signature,) = find_signatures(mail)
    assert check_dkim(mail, signature, key_record()).state == "passed"
    longer = mail + b"En dit is erbij geschreven.\r\n"
    result = check_dkim(longer, find_signatures(longer)[0], key_record())
    assert (result.state, "bytes" in result.reason) == ("failed", True)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (None, "no-key"),
        ("v=DKIM1; p=", "failed"),
        ("v=DKIM2; p=AAAA", "failed"),
        ("nonsense", "failed"),
        ("v=DKIM1; k=rsa; p=AAAA", "failed"),
        ("v=DKIM1; k=ed25519; p=AAAA", "failed"),
        ("v=DKIM1; p=é", "failed"),
    ],
)
def test_keys_that_do_not_serve(key: str | None, state: str) -> None:
    mail = signed_mail()
    assert check_dkim(mail, find_signatures(mail)[0], key).state == state


def test_other_algorithms_are_said_not_guessed() -> None:
    mail = signed_mail().replace(b"a=rsa-sha256", b"a=rsa-sha1")
    assert check_dkim(mail, find_signatures(mail)[0], key_record()).state == "unsupported"


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_hostile_mails_only_give_results(head: bytes, value: bytes) -> None:
    for mail in (head, b"DKIM-Signature: " + value + b"\r\n\r\n" + head, signed_mail() + head):
        for signature in find_signatures(mail):
            assert check_dkim(mail, signature, key_record()).state in (
                "passed",
                "failed",
                "unsupported",
            )


def test_a_key_had_in_another_way_goes_before_dns_and_says_so(tmp_path: Path) -> None:
    mail, line = demo_mail()
    (tmp_path / "keys.txt").write_text(line, "utf-8")
    keys = read_keys(tmp_path / "keys.txt")
    (name,) = keys
    done = bring_in(tmp_path, ("melding.eml", mail), kind="mail", keys=keys)
    (one,) = done.dkim
    assert (one["state"], one["fetched"], "operator" in one["why"]) == ("passed", None, True)
    assert name == f"{one['selector']}._domainkey.{one['domain']}"
    (tmp_path / "keys.txt").write_text("nonsense\n", "utf-8")
    with pytest.raises(InputError, match="no key"):
        read_keys(tmp_path / "keys.txt")
    with pytest.raises(UnreadableFileError):
        read_keys(tmp_path / "nowhere.txt")


def test_a_mail_without_a_signature() -> None:
    assert find_signatures(MAIL) == ()
