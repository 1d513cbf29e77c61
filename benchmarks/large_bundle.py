"""A bundle with one large video, sealed by the real writers, and the certificates to trust."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.clock import iso
from evidence_kit.core.digests import Digests, digest_bytes, digest_file
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.demo.tsa import make_authority
from evidence_kit.seal.bagit import BagInfo, tag_files
from evidence_kit.seal.cades import attach_timestamp, sign, signature_value
from evidence_kit.seal.container_write import Member, write_container
from evidence_kit.seal.manifest import write_manifest
from tests.bundles import FIRST_EVENT, example_of, first_event, make_signer, token
from tests.pki import pem_of

MEDIA = "data/media/film.mp4"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Large:
    """The bundle and what ``verify`` needs to call it PASSED."""

    bundle: Path
    trust: tuple[str, ...]


def make(folder: Path, megabytes: int) -> Large:
    """Seal ``megabytes`` MiB of a video into ``folder``, a minute ago."""
    video = folder / "film.mp4"
    block = os.urandom(BLOCK)
    with video.open("wb") as stream:
        for number in range(megabytes):
            stream.write(number.to_bytes(8, "big") + block[8:])
    when = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    sign_with, tsa = make_signer(start=when), make_authority(when)
    case = example_of(when, sign_with, tsa)
    sources: dict[str, Path | bytes] = {**case.files, **case.tags, MEDIA: video}
    digests: dict[str, Digests] = {
        name: digest_file(one) if isinstance(one, Path) else digest_bytes(one)
        for name, one in sources.items()
    }
    case.record["artefacts"] = [
        {
            "kind": name.split("/")[1].split(".")[0],
            "file": name,
            "state": "made",
            "why": "",
            "sha256": digests[name].sha256,
            "size": digests[name].size,
            "written": iso(when),
            "original_name": None,
        }
        for name in sorted([*case.files, MEDIA])
    ]
    _add(sources, digests, {"data/capture.json": dumps(case.record)})
    _add(sources, digests, {FIRST_EVENT: dumps(first_event(case.record, when))})
    _add(sources, digests, tag_files(digests, BagInfo("Benchmark", case.record["id"], when, "-")))
    _add(sources, digests, {MANIFEST: write_manifest(digests)})
    manifest = sources[MANIFEST]
    if not isinstance(manifest, bytes):
        raise TypeError("a manifest is bytes")
    p7s = sign(manifest, sign_with, signing_time=when)
    stamp = token(signature_value(p7s), when=when + timedelta(seconds=2), tsa=tsa)
    _add(sources, digests, {SIGNATURE: attach_timestamp(p7s, stamp)})
    bundle = folder / "large.asice"
    with bundle.open("wb") as stream:
        members = [Member(name, source, digests[name]) for name, source in sources.items()]
        write_container(stream, members, when)
    video.unlink()
    one, two = folder / "signer.pem", folder / "tsa.pem"
    one.write_bytes(pem_of(sign_with.certificate))
    two.write_bytes(tsa.root_pem)
    return Large(bundle, ("--trust", str(one), "--tsa-trust", str(two)))


def _add(
    sources: dict[str, Path | bytes], digests: dict[str, Digests], made: dict[str, bytes]
) -> None:
    for name, data in made.items():
        sources[name], digests[name] = data, digest_bytes(data)
