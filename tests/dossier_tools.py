"""A dossier of small bundles, each with a post of its own."""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.post import Place, Post, Sourced
from evidence_kit.jobs.dossier import add_bundle, new_dossier
from evidence_kit.jobs.dossier_file import DEFAULT_BASIS, NAME, DossierFile, read_dossier
from evidence_kit.jobs.dossier_index import Row, list_bundles
from tests.bundles import Case, example

TODAY = date(2026, 11, 23)
SECRET_NAME = "Marijke Verzonnen"
SECRET_ADDRESS = "Zeemeeuwlaan 12, Verzonnendam"
STAFF = "Pieter Beheerder"

FILLED = f"""
[dossier]
title = "t"
public_task = "zorg"
domicile_work_address = "Ziekenhuisplein 1"
[victim]
role = "verpleegkundige"
official = "no"
[knowledge]
who = "de benadeelde"
when = 2026-11-21
how = "zelf gelezen"
[consequences]
fear = "durft niet alleen naar de auto"
effects = "slaapt slecht"
measures = "loopt met een collega mee"
[privacy]
purpose = "aangifte"
basis = "{DEFAULT_BASIS}"
responsible = "hoofd veiligheid"
who_decides = "directie"
retain_until = 2027-11-21
"""


PRIVATE = f"""
[private]
victim_name = "{SECRET_NAME}"
private_address = "{SECRET_ADDRESS}"
other = ["0612345678"]
"""


def dossier(folder: Path, text: str = "") -> DossierFile:
    """A new dossier; ``text`` replaces its facts where given."""
    new_dossier(folder, title="Afdeling B", case="2026-017", today=TODAY)
    if text:
        (folder / NAME).write_bytes(text.encode())
    return read_dossier(folder)


def post_case(
    number: int,
    created: str,
    *,
    precision: str = "millisecond",
    text: str = "Ik weet waar je woont",
    handle: str = "boos",
    state: str = "complete",
    private: dict[str, str] | None = None,
) -> Case:
    """A bundle of one post."""
    case = example()
    status = {
        "id": str(number),
        "created_at": created,
        "content": text,
        "url": f"https://plein.example/@{handle}/{number}",
        "account": {"id": "7", "acct": handle, "display_name": "Boze Buur"},
    }
    source = "data/api/0001-status.json"
    fields = {
        "id": Sourced(status["id"], Place(source, "/id")),
        "author_handle": Sourced(handle, Place(source, "/account/acct")),
        "author_name": Sourced("Boze Buur", Place(source, "/account/display_name")),
        "text": Sourced(text, Place(source, "/content")),
        "created": Sourced(created, Place(source, "/created_at"), precision),
    }
    case.files[source] = dumps(status)
    post = Post("post", fields).to_json()
    case.files["data/post.json"] = dumps({"schema": "evidence-kit/post/1", "posts": [post]})
    if private is not None:
        case.files["data/private.json"] = dumps({"schema": "evidence-kit/private/1", **private})
    permalink = status["url"]

    def edit(record: dict[str, Any]) -> None:
        record["state"] = state
        record["page"]["permalink"] = permalink
        if private is not None:
            record["operator"]["private"] = "data/private.json"

    case.record = copy.deepcopy(case.record)
    case.edit_record = edit
    return case


def put(folder: Path, case: Case, name: str, **grouped: str) -> Path:
    """Seal a bundle elsewhere and add it to the dossier."""
    outside = folder.parent / "outside"
    outside.mkdir(exist_ok=True)
    return add_bundle(folder, case.write(outside, name), **grouped)


def rows(folder: Path) -> list[Row]:
    return list_bundles(folder)
