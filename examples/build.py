"""Build the example dossier from the example servers: ``make example``.

Every step is a command that a user could type. Everything in it is invented and marked DEMO; the
keys are thrown away. Three captured posts, a supplied screenshot, a mail with its signature, a
chain of custody by two identities with a branch and a gap.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from evidence_kit.demo.mail import signed_mail
from evidence_kit.demo.pictures import car_park
from evidence_kit.demo.site import DemoSite
from evidence_kit.demo.tsa import DemoTsa

SECONDS = 300
"""A command that takes longer hangs."""

POSTS = (
    "/@boze_bezoeker/115400000000000101",
    "/@boze_bezoeker/115400000000000104",
    "/@boze_bezoeker/115400000000000110",
)

FACTS = {
    'public_task = ""': 'public_task = "zorg op afdeling B; bezoektijden handhaven"',
    'domicile_work_address = ""': 'domicile_work_address = "Lindeboomplein 1, Voorbeeldstad"',
    'role = ""  ': 'role = "verpleegkundige afdeling B"',
    'official = "unknown"': 'official = "no"',
    'who = ""': 'who = "de benadeelde"',
    "# when = 2026-11-20": "when = 2026-11-20",
    'how = ""': 'how = "melding van het platform per e-mail"',
    'fear = ""': 'fear = "durft na de avonddienst niet alleen naar de auto"',
    'effects = ""': 'effects = "slaapt slecht"',
    'measures = ""': 'measures = "beveiliging loopt mee naar de parkeerplaats"',
    'purpose = ""': 'purpose = "DEMO: aangifte van bedreiging"',
    'responsible = ""': 'responsible = "hoofd veiligheid"',
    'who_decides = ""': 'who_decides = "directie"',
    "# retain_until = 2027-11-20": "retain_until = 2027-11-20",
    'victim_name = ""': 'victim_name = "DEMO Marijke Verzonnen"',
    'private_address = ""': 'private_address = "Zeemeeuwlaan 12, Verzonnendam"',
}


class Person:
    """Somebody with an identity of their own, who types commands."""

    def __init__(self, folder: Path, organisation: str, tsa: str) -> None:
        folder.mkdir()
        (folder / "config.toml").write_text("ntp = []\n", "utf-8")
        self.home = folder
        self._passphrase = secrets.token_urlsafe(16)
        self._tsa = tsa
        self.run("identity", "create", "--organisation", organisation, "--no-trust", signs=False)
        pem = self.run("identity", "show", "--pem", signs=None)
        self.certificate = folder / "signer.pem"
        self.certificate.write_text(pem, "utf-8")

    def run(self, *arguments: str, signs: bool | None = True, expect: Sequence[int] = (0,)) -> str:
        """Run one command; ``signs``: with passphrase and stamp, with passphrase only, neither."""
        more: tuple[str, ...] = () if signs is None else ("--passphrase-fd", "0")
        more += ("--tsa", self._tsa) if signs else ()
        clean = {k: v for k, v in os.environ.items() if k == "EVIDENCE_KIT_BROWSER"}
        clean |= {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_KIT_")}
        ended = subprocess.run(
            [sys.executable, "-m", "evidence_kit", *arguments, *more],
            input=f"{self._passphrase}\n",
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**clean, "EVIDENCE_KIT_HOME": str(self.home)},
            timeout=SECONDS,
            check=False,
        )
        if ended.returncode not in expect:
            raise SystemExit(f"{arguments[:2]} ended with {ended.returncode}: {ended.stdout}")
        return ended.stdout


def build(parent: Path) -> Path:
    """Make ``parent/dossier`` with everything in it, and give it back.

    Args:
        parent: existing folder; an earlier example in it is replaced.
    """
    for name in ("dossier", "dossier-work"):
        if (parent / name).exists():
            shutil.rmtree(parent / name)
    folder, work = parent / "dossier", parent / "dossier-work"
    work.mkdir()
    with DemoSite() as site, DemoTsa() as tsa:
        (work / "tsa-root.pem").write_bytes(tsa.root_pem)
        hospital = Person(work / "hospital", "DEMO ziekenhuis De Lindeboom", tsa.url)
        police = Person(work / "police", "DEMO politie", tsa.url)
        hospital.run("dossier", "new", str(folder), "--title", "DEMO afdeling B", signs=None)
        _write_facts(folder)
        bundles = [_capture(hospital, site.url + post, work, folder) for post in POSTS]
        _import(hospital, work, folder)
        _describe(folder)
        _custody(hospital, police, bundles, work)
    _write_out(hospital, police, bundles[:2], work, folder)
    for person in (hospital, police):
        shutil.copy(person.certificate, folder / "out" / f"{person.home.name}.pem")
    shutil.copy(work / "tsa-root.pem", folder / "out" / "tsa-root.pem")
    shutil.rmtree(work)
    return folder


def _write_facts(folder: Path) -> None:
    path = folder / "dossier.toml"
    text = path.read_text("utf-8")
    for empty, filled in FACTS.items():
        if empty not in text:
            raise SystemExit(f"the template has no {empty}")
        text = text.replace(empty, filled, 1)
    path.write_text(text, "utf-8")


def _capture(hospital: Person, url: str, work: Path, folder: Path) -> Path:
    output = work / f"captured-{url.rpartition('/')[2]}"
    hospital.run(
        *("capture", url, "--allow-private", "--output", str(output)),
        *("--reason", "DEMO: bedreiging", "--case", "DEMO-1"),
    )
    (bundle,) = output.glob("*.asice")
    hospital.run(
        *("dossier", "add", str(folder), str(bundle)),
        *("--incident", "berichten over de parkeerplaats"),
        *("--victim", "verpleegkundige afdeling B", "--account", "account 1"),
        signs=None,
    )
    return folder / "bundles" / bundle.name


def _import(hospital: Person, work: Path, folder: Path) -> None:
    mail, key = signed_mail()
    (work / "melding.eml").write_bytes(mail)
    (work / "mail-key.txt").write_text(key, "utf-8")
    (work / "schermafdruk.png").write_bytes(car_park())
    supplier = ("--supplier", "de benadeelde", "--supplier-name", "DEMO Marijke Verzonnen")
    hospital.run(
        *("dossier", "import", str(folder), str(work / "schermafdruk.png"), *supplier),
        *("--kind", "screenshot", "--source", "eigen telefoon", "--incident", "privébericht"),
    )
    hospital.run(
        *("dossier", "import", str(folder), str(work / "melding.eml"), *supplier, "--no-dns"),
        *("--kind", "mail", "--source", "eigen mailbox", "--mail-key", str(work / "mail-key.txt")),
        *("--incident", "berichten over de parkeerplaats"),
    )


def _describe(folder: Path) -> None:
    """What a person adds to each item by hand."""
    path = folder / "dossier.toml"
    facts = 'behaviours = ["bedreiging", "stalken"]\nintensity = 4\nvictim = '
    path.write_text(re.sub(r"(?m)^victim = ", facts, path.read_text("utf-8")), "utf-8")


def _custody(hospital: Person, police: Person, bundles: Sequence[Path], work: Path) -> None:
    """On the first a branch: both sides went on after the hand-over. On the second a gap."""
    first, second = bundles[0], bundles[1]
    hospital.run("custody", "add", "viewed", str(first), "--reason", "DEMO: voor de aangifte")
    handed = ("--recipient", "DEMO politie", "--medium", "USB, persoonlijk")
    hospital.run("custody", "add", "handed-over", str(first), *handed)
    away = work / "usb"
    away.mkdir()
    copy = away / first.name
    shutil.copy(first, copy)
    beside = Path(f"{first.stem}.custody")
    shutil.copytree(first.parent / beside, away / beside)
    police.run("custody", "add", "received", str(copy), "--pv-number", "DEMO-PV-1")
    hospital.run("custody", "add", "note", str(first), "--reason", "DEMO: kopie in de kluis")
    for path in (away / beside).glob("*-received.*"):
        shutil.copy(path, first.parent / beside / path.name)
    for event in ("viewed", "copied", "exported"):
        hospital.run("custody", "add", event, str(second), "--reason", "DEMO")
    for path in second.parent.glob(f"{second.stem}.custody/*-copied.*"):
        path.unlink()


def _write_out(
    hospital: Person, police: Person, bundles: Sequence[Path], work: Path, folder: Path
) -> None:
    out = folder / "out"
    hospital.run("dossier", "timeline", str(folder), "--output", str(out), signs=None)
    hospital.run("dossier", "copy", str(folder), "--output", str(out / "werkkopie"), signs=None)
    trust = [*("--trust", str(hospital.certificate), "--trust", str(police.certificate))]
    trust += ["--tsa-trust", str(work / "tsa-root.pem")]
    for bundle, name, code in zip(bundles, ("tak", "gat"), (11, 10), strict=True):
        said = hospital.run("custody", "log", str(bundle), *trust, signs=None, expect=(code,))
        (out / f"bewaarketen-{name}.txt").write_text(said, "utf-8")


if __name__ == "__main__":
    made = build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
    sys.stdout.write(f"made: {made}\n")
