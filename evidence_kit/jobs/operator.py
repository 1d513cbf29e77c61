"""Who captures: the organisation and staff code of a signing key, and names apart from them."""

from __future__ import annotations

import getpass
import platform as python_platform
from dataclasses import dataclass
from typing import Any

from evidence_kit.seal.cades_check import describe
from evidence_kit.seal.signer import Signer
from evidence_kit.seal.x509 import load

PRIVATE = "data/private.json"


@dataclass(frozen=True)
class Operator:
    """In whose name a capture is made and sealed.

    Attributes:
        name: as the certificate gives it; stands in the part that can be withheld.
        certificate_sha256: lower-case hexadecimal.
    """

    organisation: str
    staff_code: str | None
    name: str
    certificate_sha256: str

    def to_json(self) -> dict[str, Any]:
        """Its part of the capture record: no name of a person (bundle format, rule 11)."""
        return {
            "organisation": self.organisation,
            "staff_code": self.staff_code,
            "certificate_sha256": self.certificate_sha256,
            "private": PRIVATE,
        }

    def private_json(self) -> dict[str, str]:
        """Names of people and machines: the part of a bundle that a hand-over may withhold."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError, ImportError):
            user = ""
        return {
            "schema": "evidence-kit/private/1",
            "sealed_as": self.name,
            "user_name": user,
            "host_name": python_platform.node(),
        }


def operator_of(signer: Signer) -> Operator:
    """The operator that a signing key stands for."""
    info = describe(load(signer.certificate))
    return Operator(
        organisation=info.fields.get("organisation", info.name),
        staff_code=info.fields.get("staff_code"),
        name=info.name,
        certificate_sha256=info.fingerprint,
    )
