"""Each command's ``--json`` has a published, closed schema, and no command is forgotten."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import keyring
import pytest

from evidence_kit.cli import main as cli
from evidence_kit.cli.capture import tell
from evidence_kit.cli.main import run
from evidence_kit.core.canonical_json import loads
from evidence_kit.core.errors import BrowserError
from evidence_kit.core.schemas import schema_fault
from evidence_kit.core.words import LANGUAGES
from evidence_kit.demo.tsa import DemoTsa
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.install import Attempt
from evidence_kit.gather.page_types import Method
from evidence_kit.gather.self_test import SelfTest
from evidence_kit.jobs import setup as setup_job
from evidence_kit.jobs.capture_types import CaptureResult
from evidence_kit.jobs.setup import SetupResult
from evidence_kit.jobs.workfolder import WorkFolder, new_id
from tests import pki
from tests.bundles import example
from tests.custody_tools import chain_of
from tests.json_outputs import conforming
from tests.keyring_file import VARIABLE, FileKeyring
from tests.supplied_tools import signed_mail
from tests.trusted_lists import LOTL, Draft, Service, operator, tsa

SCHEMAS = files("evidence_kit") / "schemas"
COMMANDS = Path(cli.__file__).parent


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, (*path, name))
    else:
        yield " ".join(path), command


WITH_JSON = {
    path
    for path, command in walk(cli.cli)
    if any(parameter.name == "as_json" for parameter in command.params)
}


def names_of(tree: ast.Module) -> dict[str, str]:
    """Constants of a module that hold text."""
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def emitted() -> set[str]:
    """The schema that each call of ``emit_json`` in the command line names."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(COMMANDS.glob("*.py"))}
    core = (COMMANDS.parent / "core" / "verdict_json.py").read_text("utf-8")
    shared = {"SCHEMA": names_of(ast.parse(core))["SCHEMA"]}
    identity = names_of(trees[COMMANDS / "identity_print.py"])
    found = set()
    for path, tree in trees.items():
        own = names_of(tree)
        known = {**shared, **(identity if path.stem.startswith("identity") else {}), **own}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "emit_json"
            ):
                first = node.args[0]
                name = first.value if isinstance(first, ast.Constant) else ast.unparse(first)
                found.add(known.get(str(name), str(name)))
    return found


def test_every_output_has_a_published_schema() -> None:
    for name in emitted():
        _, kind, version = name.split("/")
        schema = loads((SCHEMAS / f"{kind}-{version}.schema.json").read_bytes())
        assert schema["properties"]["schema"] == {"const": name}
        assert schema["$id"] == f"urn:{name.replace('/', ':')}"
        assert "exit_code" in schema["required"]


def test_every_schema_has_its_name_and_title() -> None:
    for path in SCHEMAS.iterdir():
        schema = loads(path.read_bytes())
        kind, version = path.name.removesuffix(".schema.json").rsplit("-", 1)
        assert schema["$id"] == f"urn:evidence-kit:{kind}:{version}"
        assert schema["title"]


@pytest.mark.parametrize("name", sorted(emitted()))
def test_objects_are_closed(name: str) -> None:
    """What a schema does not name is a fault, at every depth."""

    def objects(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if "properties" in value or value.get("type") == "object":
                yield value
            for inner in value.values():
                yield from objects(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from objects(inner)

    _, kind, version = name.split("/")
    schema = loads((SCHEMAS / f"{kind}-{version}.schema.json").read_bytes())
    found = list(objects(schema))
    assert found
    for one in found:
        if kind == "show" and "properties" not in one:
            continue  # documents of the bundle, each with a schema of its own
        assert "additionalProperties" in one, one
        assert one["additionalProperties"] is not True


class World:
    """A home, files and an authority; runs commands and notes which."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.done: set[str] = set()
        self.capsys = capsys

    def secret(self) -> list[str]:
        """A passphrase as the program reads it."""
        read, write = os.pipe()
        os.write(write, b"correct horse battery\n")
        os.close(write)
        return ["--passphrase-fd", str(read)]

    def run(self, path: str, *arguments: object, codes: tuple[int, ...] = (0,)) -> Any:
        """Run one command with ``--json``; its output must conform and end with the same code."""
        self.capsys.readouterr()
        code = run([*path.split(), *map(str, arguments), "--json"])
        return self.take(path, code, codes)

    def take(self, path: str, code: int, codes: tuple[int, ...] = (0,)) -> Any:
        captured = self.capsys.readouterr()
        assert code in codes, captured
        document = conforming(captured.out)
        assert document["exit_code"] == code
        assert not document["schema"].startswith("evidence-kit/error/") or code not in (0, 3, 4)
        self.done.add(path)
        return document


@pytest.fixture
def world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> World:
    import keyring

    monkeypatch.setattr(keyring, "get_password", lambda service, user: None)
    return World(tmp_path, capsys)


def identities(world: World) -> None:
    key = pki.key_of(number=80)
    certificate = pki.certificate("Gemeente", key, end=pki.NOW + 40 * pki.YEAR)
    pem = world.folder / "own.pem"
    pem.write_bytes(pki.pem_of(certificate) + _key_pem(key))
    world.run("identity list")
    create = ("--name", "Waarmerk", "--organisation", "Gemeente", "--no-trust", *world.secret())
    world.run("identity create", *create)
    world.run("identity show")
    world.run("identity list")
    world.run(
        "identity request", "--organisation", "Gemeente", "--identity", "other", *world.secret()
    )
    found = world.run("identity import", pem, "--identity", "third", *world.secret())
    assert found["identity"]["subject"] == {"common_name": "Gemeente"}


def _key_pem(key: pki.Key) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def trust(world: World) -> None:
    xml, pem, root = (world.folder / name for name in ("XX.xml", "operator.pem", "root.pem"))
    xml.write_bytes(Draft([Service([tsa()])]).signed())
    pem.write_bytes(pki.pem_of(operator()))
    root.write_bytes(pki.pem_of(pki.chain().root))
    words = ("--by", "J. Jansen", "--how", "telefoon")
    world.run("trust list")
    world.run("trust add", root, "--tsa", *words)
    world.run("trust add", "--trusted-list", xml, "--operator", pem, *words)
    lotl, other = world.folder / "LOTL.xml", world.folder / "YY.xml"
    above = Draft(kind=LOTL, territory="EU", pointers=[("YY", [operator(91)])])
    lotl.write_bytes(above.signed())
    other.write_bytes(Draft([Service([tsa()])], territory="YY").signed(91))
    world.run("trust add", "--trusted-list", other, "--lotl", lotl, "--operator", pem, *words)
    listed = world.run("trust list")
    assert (len(listed["trusted"]), len(listed["lists"])) == (1, 2)
    assert [one["lotl_sha256"] is not None for one in listed["lists"]] == [False, True]
    world.run("trust remove", listed["trusted"][0]["fingerprint"][:12])


def stamps(world: World) -> None:
    bundle = example().write(world.folder, "stamped.asice")
    with DemoTsa() as authority:
        world.run("timestamp", bundle, "--tsa", authority.url)
        assert world.run("renew", bundle, "--tsa", authority.url)["covers"]


def custody(world: World) -> None:
    bundle = chain_of(world.folder)
    for language in LANGUAGES:
        assert world.run("custody log", bundle, "--lang", language, codes=(11,))["links"]
    offline = ("--no-tsa", *world.secret())
    world.run("custody add", "note", bundle, "--reason", "gezien", *offline)
    offline = ("--no-tsa", *world.secret())
    world.run("custody destroy", bundle, "--reason", "termijn", "--yes", *offline)
    world.run("custody log", bundle, codes=(10, 11))


def dossiers(world: World) -> None:
    folder = world.folder / "zaak"
    mail = world.folder / "mail.eml"
    mail.write_bytes(signed_mail())
    bundle = example().write(world.folder, "post.asice")
    assert run(["dossier", "new", str(folder), "--title", "Zaak"]) == 0
    assert run(["dossier", "add", str(folder), str(bundle)]) == 0
    options = ("--kind", "mail", "--supplier", "de medewerker", "--source", "postvak")
    found = world.run(
        "dossier import", folder, mail, *options, "--no-tsa", "--no-dns", *world.secret()
    )
    assert found["dkim"]
    (folder / "bundles" / "broken.asice").write_bytes(b"x")
    assert len(world.run("dossier list", folder)["bundles"]) == 3
    assert world.run("dossier timeline", folder)["entries"]
    assert world.run("dossier terms", folder)["possibly_of_importance"] == []
    text = (folder / "dossier.toml").read_text("utf-8").replace("# when = 2026", "when = 2026")
    (folder / "dossier.toml").write_text(text, "utf-8")
    world.run("dossier terms", folder)
    assert world.run("dossier check", folder, codes=(10, 11))["warnings"]


def bundles(world: World) -> None:
    bundle = example().write(world.folder, "shown.asice")
    world.run("verify", bundle, codes=(11,))
    world.run("verify", bundle, world.folder / "none.asice", codes=(20,))
    world.run("show", bundle)
    world.run("extract", bundle, "--output", world.folder / "out")


def captures(world: World, home: Path) -> None:
    lacks = ({"what": "time stamp", "why": "no authority is configured"},)
    odd = ({"code": "timestamp.untrusted", "subject": "time stamp", "detail": "x"},)
    world.capsys.readouterr()
    for state, code in (("complete", 0), ("partial", 3), ("not-there", 4)):
        given = lacks if code else ()
        result = CaptureResult(
            Path("a.asice"), Path("a.receipt.json"), "0" * 64, state, "post", given, odd, None
        )
        world.take("capture", tell(result, as_json=True), (code,))
    world.run("recover")
    work = WorkFolder.create(home, new_id(pki.NOW, bytes(4)))
    identifier = work.id
    work.release()
    assert world.run("recover")["captures"][0]["id"] == identifier
    world.run("discard", identifier, "--yes")


def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = BrowserFound(Path("/b"), Path("/b"), "Chromium", "1", "system")
    outcomes = (
        (SelfTest("C", True), 0),
        (SelfTest("C", True, "no keys", method=Method.NETLOG), 0),
        (SelfTest("C", True, "the log is empty", method=Method.CDP), 3),
    )
    for test, code in outcomes:
        result = SetupResult(browser, (Attempt("search", "none"),), test)
        monkeypatch.setattr(setup_job, "setup", lambda *_, result=result, **__: result)
        world.run("setup", codes=(code,))
    monkeypatch.setattr(setup_job, "find_browser", _no_browser)
    world.run("doctor", codes=(0, 21))
    world.run("platforms")
    world.run("config show")
    monkeypatch.setenv(VARIABLE, str(world.folder / "ring.json"))
    ring = FileKeyring()  # type: ignore[no-untyped-call]
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, name, getattr(ring, name))
    reading, writing = os.pipe()
    os.write(writing, b"een\n")
    os.close(writing)
    assert world.run("login", "youtube", "--token-fd", reading)["tokens"]
    os.close(reading)
    assert world.run("login")["sessions"] == []
    assert world.run("logout", "youtube")["removed"] == ["YOUTUBE_API_KEY"]


def _no_browser(*_: object, **__: object) -> BrowserFound:
    raise BrowserError("no browser", hint="evidence-kit setup")


@pytest.mark.slow
def test_every_command_prints_what_its_schema_says(
    world: World, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities(world)
    parts: list[Callable[[World], None]] = [trust, stamps, custody, dossiers, bundles]
    for part in parts:
        part(world)
    captures(world, own_home)
    machine(world, monkeypatch)
    assert world.done == WITH_JSON


def test_errors_conform_too(world: World) -> None:
    for arguments, code in (
        (["nonsense"], 2),
        (["verify", "--nonsense"], 2),
        (["trust", "add", "none.pem", "--by", "x", "--how", "y"], 20),
        (["identity", "show"], 23),
    ):
        world.capsys.readouterr()
        assert run([*arguments, "--json"]) == code
        assert conforming(world.capsys.readouterr().out)["error"]["message"]


def test_a_difference_from_a_schema_shows() -> None:
    good = {"schema": "evidence-kit/discarded/1", "exit_code": 0, "id": "x"}
    assert schema_fault(good, "discarded-1") is None
    for wrong in ({"exit_code": 3}, {"id": None}, {"more": 1}, {"schema": "evidence-kit/x/1"}):
        assert schema_fault({**good, **wrong}, "discarded-1") is not None
