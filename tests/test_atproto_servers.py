"""Bluesky end to end: a real PDS and PLC directory, the real program, the proof checked offline."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.platforms.base import ApiFolder, PlatformResult, State
from evidence_kit.platforms.bluesky import BlueskyAdapter
from evidence_kit.seal.atproto_cbor import ProofError
from evidence_kit.seal.atproto_proof import KeySource, check_proof
from tests.fixtures_atproto import Network, atproto, with_picture
from tests.fixtures_capture import evidence_kit, new_home
from tests.platform_tools import check_result, recording
from tests.servers.atproto.front import POST

__all__ = ["atproto"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("atproto")]


def fetched(network: Network, url: str, folder: Path) -> tuple[PlatformResult, Path]:
    """What the adapter finds out about a post, and the bag."""
    adapter = BlueskyAdapter(api=network.front.address, plc=network.front.address)
    target = adapter.recognise(url)
    assert target is not None
    bag = folder / "bag"
    out = ApiFolder(bag)
    with recording(folder / "wire") as session:
        result = adapter.fetch(target, session, out, Silent())
    check_result(result, out, bag)
    return result, bag


def described(result: PlatformResult, bag: Path) -> dict[str, Any]:
    """The description of the proof."""
    assert result.proof is not None
    found: dict[str, Any] = json.loads((bag / result.proof.file).read_bytes())
    return found


def proven(network: Network, uri: str) -> Any:
    """The report on a record, with everything straight from the servers."""
    car, log, document = network.proof(uri)
    did, path = uri.removeprefix("at://").split("/", 1)
    return check_proof(car, did=did, path=path, log=log, document=document)


def test_a_post_is_proven_with_everything_around_it(atproto: Network, tmp_path: Path) -> None:
    root = with_picture(atproto, "Hé, dit is een tést-bericht 🚲 met plaatje")
    ref = {"root": root, "parent": root}
    reply = atproto.post(atproto.piet, "Ik weet waar je woont", reply=ref)
    answer = atproto.post(atproto.jan, "antwoord", reply={"root": root, "parent": reply})
    result, bag = fetched(atproto, atproto.page(atproto.piet, reply["uri"]), tmp_path)
    assert result.state is State.FOUND
    assert [post.role for post in result.posts] == ["post", "ancestor", "reply"]
    values = {name: found.value for name, found in result.posts[0].fields.items()}
    assert values["text"] == "Ik weet waar je woont"
    assert values["id"] == reply["uri"]
    assert values["author_handle"] == "piet.test"
    assert values["author_id"] == atproto.piet.did
    assert values["reply_to"] == values["conversation"] == root["uri"]
    assert (values["language"], values["likes"], values["replies"]) == ("nl", 3, 1)
    assert result.posts[2].fields["id"].value == answer["uri"]
    told = described(result, bag)
    assert (told["claim"], told["key_source"], told["record"]) == ("included", "log", reply["cid"])
    assert result.permalink is not None
    assert atproto.piet.did in result.permalink


def test_pictures_come_from_the_author_and_have_the_signed_hash(
    atproto: Network, tmp_path: Path
) -> None:
    root = with_picture(atproto, "met plaatje")
    result, bag = fetched(atproto, atproto.page(atproto.jan, root["uri"]), tmp_path)
    (media,) = result.media
    assert media.alt == "een kleurvlak"
    assert (bag / media.path).read_bytes().startswith(b"\x89PNG")
    (blob,) = described(result, bag)["blobs"]
    assert blob["file"] == media.path


def test_a_quoted_post_is_read(atproto: Network, tmp_path: Path) -> None:
    root = atproto.post(atproto.jan, "wordt geciteerd")
    embed = {"$type": "app.bsky.embed.record", "record": root}
    quoting = atproto.post(atproto.piet, "Kijk hier", embed=embed)
    result, _ = fetched(atproto, atproto.page(atproto.piet, quoting["uri"]), tmp_path)
    quoted = [post for post in result.posts if post.role == "quoted"]
    assert [post.fields["text"].value for post in quoted] == ["wordt geciteerd"]
    assert quoted[0].fields["author_handle"].value == "jan.test"
