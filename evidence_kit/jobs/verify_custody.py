"""What lies beside a sealed bundle: ``NAME.custody/``, judged apart from the bundle itself.

The first form of a sidecar is the answer of a second time-stamping authority over the whole file
(bundle format, rule 3). What this version does not know is named, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.findings import Finding
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.receipt import Receipt
from evidence_kit.jobs.verify_stamps import (
    MAX_SIDECARS,
    LaterStamps,
    read_sidecar,
    sidecar_names,
)


def check_custody(
    bundle: Path, stamps: LaterStamps, *, receipt: Receipt | None
) -> Iterator[Finding]:
    """Every file beside the bundle, and whether the newest event of a receipt is still there.

    Args:
        bundle: the sealed file.
        stamps: the judgement on the time stamps beside it.
        receipt: what was noted outside, if anything.
    """
    folder = custody_folder(bundle)
    try:
        names = sidecar_names(bundle)
    except OSError as error:
        detail = (error.strerror or "unknown error").lower()
        yield Finding("custody.not-checked", folder.name, {"detail": detail})
        return
    if receipt is not None and receipt.custody is not None:
        mark = receipt.custody
        held = read_sidecar(folder / mark.file)
        if held is None or digest_bytes(held).sha512 != mark.sha512:
            yield Finding("custody.behind-receipt", mark.file)
    if not names:
        yield Finding("custody.none")
    if len(names) > MAX_SIDECARS:
        detail = f"more than {MAX_SIDECARS} files"
        yield Finding("custody.not-checked", folder.name, {"detail": detail})
        names = names[:MAX_SIDECARS]
    for name in names:
        if name in stamps.findings:
            yield from stamps.findings[name]
        else:
            yield Finding("custody.unknown-file", name)


def has_sidecars(bundle: Path) -> bool:
    """Whether anything lies beside the bundle, so that digests of the whole file are needed."""
    return custody_folder(bundle).is_dir()
