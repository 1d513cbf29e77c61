"""The public log of a ``did:plc`` account, from the operation that the DID is the hash of.

Every operation must be signed by a key that its predecessor allows to, so the chain leads from the
DID itself to today's signing key without trusting the directory that keeps it. What has to be
taken from the directory: the times, that nothing at the end was withheld, and which of two
operations came first where somebody recovered an account (72 hours, by those times).
Source: the did:plc method specification, version 0.1.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.clock import parse_iso
from evidence_kit.seal.atproto_cbor import Cid, ProofError, base32, encode
from evidence_kit.seal.atproto_keys import PublicKey, from_did_key

MAX_LOG = 4 << 20
"""Bytes of a log; the directory refuses operations above 7.5 KiB, accounts have a handful."""

MAX_OPERATIONS = 500

MAX_ROTATION_KEYS = 10
"""The method allows 5; each costs a signature check."""

RECOVERY = timedelta(hours=72)
"""Time in which a stronger rotation key may undo an operation."""

_PREFIX = "did:plc:"


@dataclass(frozen=True)
class LogReport:
    """What a log says, after everything in it was checked.

    Attributes:
        signing_key: for repository commits, today; None where the account was closed or has none.
        earlier_keys: signing keys that were valid before, the latest first.
        handles: that the account claims today (``at://`` left out).
        service: address of the account's server, empty where none.
        operations: how many count; ``nullified`` how many were undone.
        closed: the last operation is a tombstone.
        created: of the last operation that counts, as the directory says.
    """

    signing_key: PublicKey | None
    earlier_keys: tuple[PublicKey, ...]
    handles: tuple[str, ...]
    service: str
    operations: int
    nullified: int
    closed: bool
    created: str


@dataclass(frozen=True)
class _Step:
    """One operation of the log."""

    cid: str
    previous: str | None
    rotation: tuple[PublicKey, ...]
    signed_by: int
    """Place of the key that signed it in its predecessor's rotation keys; 0 for the first."""
    when: datetime
    created: str
    state: Mapping[str, Any] | None
    """Verification methods, handles, services; None for a tombstone."""
    nullified: bool


def check_log(data: bytes, did: str) -> LogReport:
    """Check an audit log (``/<did>/log/audit``) and read the account's keys from it.

    Args:
        data: the directory's answer, JSON.
        did: the account.

    Raises:
        ProofError: the log is not that account's, or not sound.
    """
    try:
        entries = loads(data, max_bytes=MAX_LOG)
    except JsonError as error:
        raise ProofError(f"the DID log is not JSON: {error}") from error
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_OPERATIONS:
        raise ProofError("the DID log has another form")
    steps: list[_Step] = []
    active: list[int] = []
    undone: set[int] = set()
    for number, entry in enumerate(entries):
        step = _read_entry(entry, did, steps)
        if number == 0:
            active.append(0)
        else:
            at = next((i for i in active if steps[i].cid == step.previous), None)
            if at is None:
                raise ProofError("an operation of the DID log follows one that is not in force")
            after = active[active.index(at) + 1 :]
            _check_recovery(step, [steps[i] for i in after])
            undone |= set(after)
            active = [*active[: active.index(at) + 1], number]
        steps.append(step)
    if any(step.nullified != (number in undone) for number, step in enumerate(steps)):
        raise ProofError("the DID log calls other operations undone than its order says")
    return _report([steps[i] for i in active], len(undone))


def _check_recovery(step: _Step, undone: list[_Step]) -> None:
    """An operation that undoes others is signed by a stronger key, within the time for it."""
    if not undone:
        return
    if step.signed_by >= undone[0].signed_by:
        raise ProofError("an operation of the DID log undoes one of a stronger key")
    if step.when - undone[0].when > RECOVERY:
        raise ProofError("an operation of the DID log undoes another too late")


def _read_entry(entry: Any, did: str, before: list[_Step]) -> _Step:
    if not isinstance(entry, dict) or not isinstance(entry.get("operation"), dict):
        raise ProofError("the DID log has another form")
    nullified, created = entry.get("nullified"), entry.get("createdAt")
    if not isinstance(nullified, bool) or not isinstance(created, str) or entry.get("did") != did:
        raise ProofError("the DID log has another form, or belongs to another account")
    operation: dict[str, Any] = entry["operation"]
    signed = encode(operation)
    cid = str(Cid.of(signed))
    if entry.get("cid") != cid:
        raise ProofError("an operation of the DID log does not have the hash that it is called by")
    when = _moment(created)
    if before and when < before[-1].when:
        raise ProofError("the operations of the DID log are out of order")
    previous = operation.get("prev")
    rotation, state = _read_operation(operation)
    if not before:
        if previous is not None or did != _PREFIX + base32(sha256(signed).digest())[:24]:
            raise ProofError("the first operation of the log is not the one the DID is the hash of")
        if state is None:
            raise ProofError("the DID log begins with its end")
        allowed = rotation
    else:
        earlier = next((step for step in before if step.cid == previous), None)
        if earlier is None:
            raise ProofError("an operation of the DID log follows one that is not in the log")
        allowed = earlier.rotation
    signed_by = _signer(operation, allowed)
    return _Step(
        cid=cid,
        previous=previous if isinstance(previous, str) else None,
        rotation=rotation,
        signed_by=signed_by,
        when=when,
        created=created,
        state=state,
        nullified=nullified,
    )


def _read_operation(
    operation: Mapping[str, Any],
) -> tuple[tuple[PublicKey, ...], Mapping[str, Any] | None]:
    """Keys that may sign the next operation, and the account's state after this one."""
    kind = operation.get("type")
    if kind == "plc_tombstone":
        return (), None
    if kind == "plc_operation":
        keys = operation.get("rotationKeys")
        if (
            not isinstance(keys, list)
            or not 0 < len(keys) <= MAX_ROTATION_KEYS
            or not all(isinstance(key, str) for key in keys)
            or not all(
                isinstance(operation.get(name), want)
                for name, want in (
                    ("verificationMethods", dict),
                    ("alsoKnownAs", list),
                    ("services", dict),
                )
            )
        ):
            raise ProofError("an operation of the DID log has another form")
        return tuple(from_did_key(key) for key in keys), operation
    if kind == "create":
        return _read_legacy(operation)
    raise ProofError("an operation of the DID log is of an unknown type")


def _read_legacy(
    operation: Mapping[str, Any],
) -> tuple[tuple[PublicKey, ...], Mapping[str, Any]]:
    """The form of the first accounts: one handle, one service, two keys."""
    names = ("recoveryKey", "signingKey", "handle", "service")
    if not all(isinstance(operation.get(name), str) for name in names):
        raise ProofError("an operation of the DID log has another form")
    keys = tuple(from_did_key(operation[name]) for name in ("recoveryKey", "signingKey"))
    handle, service = operation["handle"], operation["service"]
    return keys, {
        "verificationMethods": {"atproto": operation["signingKey"]},
        "alsoKnownAs": [handle if handle.startswith("at://") else f"at://{handle}"],
        "services": {
            "atproto_pds": {
                "type": "AtprotoPersonalDataServer",
                "endpoint": service if "://" in service else f"https://{service}",
            }
        },
    }


def _signer(operation: Mapping[str, Any], allowed: tuple[PublicKey, ...]) -> int:
    """Which of the allowed keys signed the operation."""
    signature = operation.get("sig")
    if not isinstance(signature, str) or len(signature) != 86:
        raise ProofError("an operation of the DID log has no signature of the right form")
    try:
        raw = base64.b64decode(signature + "==", altchars=b"-_", validate=True)
    except ValueError as error:
        raise ProofError(
            "an operation of the DID log has no signature of the right form"
        ) from error
    if base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != signature:
        raise ProofError("an operation of the DID log has no signature of the right form")
    message = encode({name: value for name, value in operation.items() if name != "sig"})
    for place, key in enumerate(allowed):
        if key.verify(raw, message):
            return place
    raise ProofError("an operation of the DID log is not signed by a key that may")


def _report(active: list[_Step], nullified: int) -> LogReport:
    keys: list[PublicKey] = []
    for step in active:
        key = _signing_key(step.state)
        if key is not None and (not keys or keys[-1] != key):
            keys.append(key)
    last = active[-1]
    current = _signing_key(last.state)
    if current is not None:
        keys.pop()
    state = last.state or {}
    known = state.get("alsoKnownAs", [])
    service = state.get("services", {}).get("atproto_pds")
    endpoint = service.get("endpoint") if isinstance(service, dict) else None
    return LogReport(
        signing_key=current,
        earlier_keys=tuple(dict.fromkeys(key for key in reversed(keys) if key != current)),
        handles=tuple(
            name.removeprefix("at://")
            for name in known
            if isinstance(name, str) and name.startswith("at://")
        ),
        service=endpoint if isinstance(endpoint, str) else "",
        operations=len(active),
        nullified=nullified,
        closed=last.state is None,
        created=last.created,
    )


def _signing_key(state: Mapping[str, Any] | None) -> PublicKey | None:
    key = state["verificationMethods"].get("atproto") if state is not None else None
    return from_did_key(key) if isinstance(key, str) else None


def _moment(text: str) -> datetime:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError) as error:
        raise ProofError("a time in the DID log cannot be read") from error
