"""A small bundle with real bag files and a real manifest; the signature is the caller's."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.seal.bagit import BagInfo, tag_files
from evidence_kit.seal.container_write import Member, write_container
from evidence_kit.seal.manifest import write_manifest

WHEN = datetime(2026, 11, 23, 10, 20, 30, tzinfo=UTC)
CONTENT = {
    "README.txt": b"read me\n",
    "custody/0001-captured.json": b"{}\n",
    "data/capture.json": b'{"schema": "x"}\n',
    "data/media/foto.jpg": bytes(range(256)) * 8,
    "data/text.txt": b"Ik weet waar je werkt.\n",
}
INFO = BagInfo(
    source_organization="Voorbeeldziekenhuis",
    external_identifier="20261123T102030Z-example",
    bagging_date=WHEN,
    software_agent="evidence-kit",
    contact_name="ICT-balie",
)

Sign = Callable[[bytes], bytes]


def unsigned(_manifest: bytes) -> bytes:
    """Bytes in the place of a signature, where a test is not about it."""
    return b"no signature"


def bundle_files(
    content: Mapping[str, bytes] = CONTENT, *, info: BagInfo = INFO, sign: Sign = unsigned
) -> dict[str, bytes]:
    """Every file of the bundle but ``mimetype``, by name."""
    files = dict(content)
    files |= tag_files({name: digest_bytes(data) for name, data in files.items()}, info)
    manifest = write_manifest({name: digest_bytes(data) for name, data in files.items()})
    return files | {MANIFEST: manifest, SIGNATURE: sign(manifest)}


def pack(path: Path, files: Mapping[str, bytes], when: datetime = WHEN) -> Path:
    """A canonical container of exactly these files, whatever they are."""
    stream = io.BytesIO()
    members = [Member(name, data, digest_bytes(data)) for name, data in files.items()]
    write_container(stream, members, when)
    path.write_bytes(stream.getvalue())
    return path
