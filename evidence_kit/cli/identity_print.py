"""An identity for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence_kit.cli.output import say
from evidence_kit.core.clock import iso
from evidence_kit.core.terminal_text import harmless

if TYPE_CHECKING:
    from evidence_kit.jobs.identity import Identity

SCHEMA = "evidence-kit/identity-result/1"


def print_identity(identity: Identity) -> None:
    """The certificate in words, with the fingerprint in groups."""
    from evidence_kit.core.verdict_words import moment

    info = identity.info
    say(f"identity      {identity.name}")
    labels = {
        "organisation": "organisation",
        "common_name": "name",
        "staff_code": "staff code",
        "email": "e-mail",
    }
    for field, label in labels.items():
        if field in info.fields:
            say(f"{label:<14}{harmless(info.fields[field])}")
    say(f"{'key':<14}{info.key}")
    say(f"{'valid':<14}{moment(info.not_before)} to {moment(info.not_after)}")
    groups = identity.spoken_fingerprint.split()
    say(f"{'fingerprint':<14}{' '.join(groups[:8])}")
    say(f"{'(SHA-256)':<14}{' '.join(groups[8:])}")


def identity_json(identity: Identity) -> dict[str, Any]:
    """The identity as JSON values."""
    info = identity.info
    return {
        "name": identity.name,
        "subject": dict(info.fields),
        "key": info.key,
        "not_before": iso(info.not_before),
        "not_after": iso(info.not_after),
        "fingerprint": info.fingerprint,
    }
