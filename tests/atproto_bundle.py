"""Bundles that hold a record proof: the example of ``tests.bundles``, with a post of Bluesky."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.post import Place, Post, Sourced
from evidence_kit.seal.atproto_cbor import RAW, Cid, ProofError, from_json
from evidence_kit.seal.atproto_proof import PROOF_KIND, PROOF_SCHEMA, check_proof
from tests.atproto_repo import COLLECTION, SIGNING, Key, Log, Repo, account, document, with_image
from tests.bundles import Case

RKEY = "3mabcdefghabc"
PATH = f"{COLLECTION}/{RKEY}"
PICTURE = b"\x89PNG\r\n\x1a\n a picture"
PROOF = "data/api/0005-proof.json"
FILES = {
    "car": "data/api/0001-record-proof.car",
    "log": "data/api/0002-did-log.json",
    "document": "data/api/0003-did-document.json",
    "record": "data/api/0004-record.json",
}
MEDIA = "data/media/0001-blob.png"
RECORD = with_image("Ik weet waar je woont", PICTURE)

Change = Callable[[dict[str, Any], dict[str, bytes]], object]


def add_proof(
    case: Case,
    *,
    present: bool = True,
    signing: Key = SIGNING,
    log: Log | None = None,
    did: str = "",
    change: Change = lambda told, files: None,
) -> None:
    """Put a post with its proof into a case.

    Args:
        case: gets the files and the record's part.
        present: whether the repository holds the post.
        signing: the key that signs the commit.
        log: of the account; a ``did`` without one has no log.
        did: of an account without a log.
        change: of the description and the files, before they go in.
    """
    known = None if did else log or account()
    name = did or (known.did if known is not None else "")
    uri = f"at://{name}/{PATH}"
    repo = Repo(name, signing, {PATH: from_json(RECORD)} if present else {})
    files = {
        FILES["car"]: repo.car(PATH),
        FILES["document"]: document(name, signing),
    }
    if known is not None:
        files[FILES["log"]] = known.json()
    if present:
        files[FILES["record"]] = json.dumps({"uri": uri, "cid": "x", "value": RECORD}).encode()
        files[MEDIA] = PICTURE
    told = _describe(name, files, present=present)
    change(told, files)
    case.files.update(files)
    case.files[PROOF] = dumps(told)
    case.files["data/post.json"] = dumps(_post(uri) if present else _post(None))
    case.record["page"]["requested_url"] = f"http://127.0.0.1:1/profile/jan.test/post/{RKEY}"
    case.record["platform"] = {
        "adapter": "bluesky",
        "state": "found" if present else "not-there",
        "token_used": False,
        "token_would_add": "",
        "gaps": [],
        "proof": {"kind": PROOF_KIND, "file": PROOF},
    }


def _describe(did: str, files: Mapping[str, bytes], *, present: bool) -> dict[str, Any]:
    """The description that the adapter writes for these files."""
    told: dict[str, Any] = {
        "schema": PROOF_SCHEMA,
        "did": did,
        "collection": COLLECTION,
        "rkey": RKEY,
        "claim": "not-proven",
        "why": "",
        **dict.fromkeys(("revision", "commit", "record", "key", "key_source")),
        "files": {name: path if path in files else None for name, path in FILES.items()},
        "blobs": [{"cid": str(Cid.of(PICTURE, RAW)), "file": MEDIA}] if present else [],
    }
    try:
        report = check_proof(
            files[FILES["car"]],
            did=did,
            path=PATH,
            log=files.get(FILES["log"]),
            document=files[FILES["document"]],
        )
    except ProofError as error:
        return {**told, "why": str(error)}
    return {
        **told,
        "claim": "included" if report.present else "absent",
        "revision": report.revision,
        "commit": str(report.commit),
        "record": str(report.record) if report.record is not None else None,
        "key": str(report.key),
        "key_source": str(report.key_source),
    }


def _post(uri: str | None) -> dict[str, Any]:
    source = FILES["record"]
    fields = {
        "id": Sourced(uri, Place(source, "/uri")),
        "text": Sourced(RECORD["text"], Place(source, "/value/text")),
    }
    posts = [Post("post", fields).to_json()] if uri is not None else []
    return {"schema": "evidence-kit/post/1", "posts": posts}
