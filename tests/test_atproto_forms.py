"""Keys, DAG-CBOR, CAR files and trees of AT Protocol: one form, every other is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.atproto_car import MAX_BLOCKS, MAX_CAR, read_car
from evidence_kit.seal.atproto_cbor import (
    MAX_DEPTH,
    RAW,
    Cid,
    ProofError,
    decode,
    encode,
    from_json,
)
from evidence_kit.seal.atproto_keys import _to_base58, from_did_key, from_method, from_multikey
from evidence_kit.seal.atproto_mst import find, layer_of
from tests.atproto_repo import (
    SIGNING,
    car_of,
    tree,
    varint,
)

INTEROP = [
    # Public test vectors of AT Protocol (bluesky-social/atproto-interop-tests, CC0): message
    # {"hello": "world"} in DAG-CBOR; curve, did:key, bare key, signature, whether it counts.
    (
        *("P-256", "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo"),
        "zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh",
        "2vZNsG3UKvvO/CDlrdvyZRISOFylinBh0Jupc6KcWoJWExHptCfduPleDbG3rko3YZnn9Lw0IjpixVmexJDegg",
        True,
    ),
    (
        *("secp256k1", "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc"),
        "z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t",
        "5WpdIuEUUfVUYaozsi8G0B3cWO09cgZbIIwg1t2YKdUn/FEznOndsz/qgiYb89zwxYCbB71f7yQK5Lr7NasfoA",
        True,
    ),
    (  # high S
        *("P-256", "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo"),
        "zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh",
        "2vZNsG3UKvvO/CDlrdvyZRISOFylinBh0Jupc6KcWoKp7O4VS9giSAah8k5IUbXIW00SuOrjfEqQ9HEkN9JGzw",
        False,
    ),
    (  # high S
        *("secp256k1", "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc"),
        "z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t",
        "5WpdIuEUUfVUYaozsi8G0B3cWO09cgZbIIwg1t2YKdXYA67MYxYiTMAVfdnkDCMN9S5B3vHosRe07aORmoshoQ",
        False,
    ),
    (  # DER
        *("P-256", "did:key:zDnaeT6hL2RnTdUhAPLij1QBkhYZnmuKyM7puQLW1tkF4Zkt8"),
        "ze8N2PPxnu19hmBQ58t5P3E9Yj6CqakJmTVCaKvf9Byq2",
        "MEQCIFxYelWJ9lNcAVt+jK0y/T+DC/X4ohFZ+m8f9SEItkY1AiACX7eXz5sgtaRrz/SdPR8kprnbHMQVde0T2R8y"
        "OTBweA",
        False,
    ),
    (  # DER
        *("secp256k1", "did:key:zQ3shnriYMXc8wvkbJqfNWh5GXn2bVAeqTC92YuNbek4npqGF"),
        "z22uZXWP8fdHXi4jyx8cCDiBf9qQTsAe6VcycoMQPfcMQX",
        "MEUCIQCWumUqJqOCqInXF7AzhIRg2MhwRz2rWZcOEsOjPmNItgIgXJH7RnqfYY6M0eg33wU0sFYDlprwdOcpRn78"
        "Sz5ePgk",
        False,
    ),
]
HELLO = encode({"hello": "world"})
BARE = {
    "P-256": "EcdsaSecp256r1VerificationKey2019",
    "secp256k1": "EcdsaSecp256k1VerificationKey2019",
}


class TestKeys:
    @pytest.mark.parametrize(("curve", "did", "bare", "signature", "good"), INTEROP)
    def test_published_vectors(
        self, curve: str, did: str, bare: str, signature: str, good: bool
    ) -> None:
        raw = base64.b64decode(signature + "=" * (-len(signature) % 4))
        assert base64.b64encode(HELLO).decode().rstrip("=") == "oWVoZWxsb2V3b3JsZA"
        for key in (from_did_key(did), from_method(BARE[curve], bare)):
            assert key.curve == curve
            assert str(key) == did
            assert key.verify(raw, HELLO) == good
            assert not key.verify(raw, HELLO + b"x")

    @pytest.mark.parametrize(
        "text",
        [
            *("", "did:web:x", "did:key:", "did:key:z", "did:key:z0", "did:key:zQ3sh"),
            *("did:key:x123", "did:key:z" + "1" * 500, f"{SIGNING}1", str(SIGNING)[:-1]),
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",  # Ed25519
        ],
    )
    def test_other_keys_are_refused(self, text: str) -> None:
        with pytest.raises(ProofError):
            from_did_key(text)

    def test_a_point_beside_the_curve_is_refused(self) -> None:
        with pytest.raises(ProofError):
            from_method(BARE["secp256k1"], "z" + _to_base58(b"\2" + b"\xff" * 32))
        with pytest.raises(ProofError):
            from_method("Ed25519VerificationKey2020", str(SIGNING).removeprefix("did:key:"))

    @given(st.text(max_size=130))
    def test_any_text_is_a_key_or_refused(self, text: str) -> None:
        for read in (from_did_key, from_multikey):
            for given_text in (text, "z" + text, "did:key:z" + text):
                try:
                    read(given_text)
                except ProofError:
                    continue

    def test_zero_and_too_large_numbers_are_no_signature(self) -> None:
        for raw in (bytes(64), b"\xff" * 64, bytes(32) + b"\1" * 32, b"\1" * 32 + bytes(32)):
            assert not SIGNING.public.verify(raw, b"x")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.builds(lambda data: Cid.of(data), st.binary(max_size=3)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


class TestCbor:
    @given(values)
    def test_what_is_written_is_read_again(self, value: Any) -> None:
        data = encode(value)
        again = decode(data)
        assert again == value
        assert encode(again) == data

    @given(st.binary(max_size=200))
    def test_nonsense_is_refused_or_is_the_one_form(self, data: bytes) -> None:
        try:
            value = decode(data)
        except ProofError:
            return
        assert encode(value) == data

    @given(values, st.data())
    def test_any_changed_byte_gives_another_value_or_none(self, value: Any, data: Any) -> None:
        raw = bytearray(encode(value))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            changed = decode(bytes(raw))
        except ProofError:
            return
        assert encode(changed) == bytes(raw) != encode(value)

    @pytest.mark.parametrize(
        "raw",
        [
            "1817",  # 23 in two bytes
            "190017",
            "1a00000017",
            "1b0000000000000017",
            "5803616263",  # three bytes with a length in two
            "7803616263",
            "9800",
            "b800",
            "5f41614162ff",  # indefinite lengths
            "9f01ff",
            "bf616101ff",
            "a2616201616101",  # keys out of order
            "a262616101616201",
            "a2616101616102",  # a key twice
            "a10101",  # a number as key
            "c074323031332d30332d32315432303a30343a30305a",  # another tag
            "d82a4100",
            "d82a582501" + "01711220" + "00" * 32,
            "f7",  # undefined
            "f0",
            "f818",
            "f93c00",  # half and single floats
            "fa3f800000",
            "fb7ff8000000000000",  # NaN, infinity
            "fb7ff0000000000000",
            "62c328",  # not UTF-8
            "63eda080",
            "",
            "0000",
            "9affffffff",
            "bbffffffffffffffff",
            "5bffffffffffffffff",
        ],
    )
    def test_every_other_form_is_refused(self, raw: str) -> None:
        with pytest.raises(ProofError):
            decode(bytes.fromhex(raw))

    def test_depth_is_bounded(self) -> None:
        deep = b"\x81" * 100_000 + b"\x00"
        with pytest.raises(ProofError, match="deeper"):
            decode(deep)
        value: Any = 0
        for _ in range(MAX_DEPTH + 1):
            value = [value]
        for call in (encode, from_json):
            with pytest.raises(ProofError, match="deeper"):
                call(value)

    @pytest.mark.parametrize(
        "value", [{1: 2}, object(), 2**64, float("nan"), "\ud800", {"\ud800": 1}]
    )
    def test_what_has_no_form_is_not_written(self, value: Any) -> None:
        with pytest.raises(ProofError):
            encode(value)

    def test_links_have_one_text(self) -> None:
        cid = Cid.of(b"x")
        assert Cid.from_text(str(cid)) == cid
        assert Cid.from_bytes(cid.to_bytes()) == cid
        for text in ("", "b", str(cid).upper(), str(cid) + "a", "z" + str(cid)[1:], "Qm" * 23):
            with pytest.raises(ProofError):
                Cid.from_text(text)
        last = str(cid)[:-1]
        same = [c for c in "abcdefghijklmnopqrstuvwxyz234567" if _reads_as(last + c, cid)]
        assert len(same) == 1

    def test_json_form(self) -> None:
        cid = Cid.of(b"x", RAW)
        given_json = {"a": [{"$link": str(cid)}, {"$bytes": "AQI"}], "b": {"$link": 1}}
        assert from_json(given_json) == {"a": [cid, b"\1\2"], "b": {"$link": 1}}
        for bad in ({"$link": "bafy"}, {"$bytes": "?"}, {"$bytes": "AQIA=A"}):
            with pytest.raises(ProofError):
                from_json(bad)


def _reads_as(text: str, cid: Cid) -> bool:
    try:
        return Cid.from_text(text) == cid
    except ProofError:
        return False


class TestCar:
    def test_good(self) -> None:
        block = encode({"a": 1})
        cid = Cid.of(block)
        read = read_car(car_of(cid, {cid: block}))
        assert (read.root, dict(read.blocks)) == (cid, {cid: block})

    @pytest.mark.parametrize(
        ("match", "make"),
        [
            ("hash", lambda cid, block: car_of(cid, {cid: block + b"x"})),
            ("hash", lambda cid, block: car_of(cid, {Cid.of(block, RAW): block})),
            ("twice", lambda cid, block: car_of(cid, {cid: block}) + _section(cid, block)),
            ("version", lambda cid, block: car_of(cid, {}, {"version": 2, "roots": [cid]})),
            ("version", lambda cid, block: car_of(cid, {}, {"version": True, "roots": [cid]})),
            ("one root", lambda cid, block: car_of(cid, {}, {"version": 1, "roots": []})),
            ("one root", lambda cid, block: car_of(cid, {}, {"version": 1, "roots": [cid, cid]})),
            ("form", lambda cid, block: car_of(cid, {}, {"version": 1})),
            ("form", lambda cid, block: car_of(cid, {}, {"version": 1, "roots": [cid], "x": 0})),
            ("cut off", lambda cid, block: car_of(cid, {cid: block})[:-1]),
            ("cut off", lambda cid, block: car_of(cid, {cid: block}) + b"\x05"),
            ("cut off", lambda cid, block: car_of(cid, {cid: block}) + b"\x80"),
            ("longer", lambda cid, block: car_of(cid, {cid: block}) + b"\x80\x00"),
            ("too large", lambda cid, block: b"\xff" * 9 + b"\x01"),
            ("cut off", lambda cid, block: b"\xff\xff\xff\xff\x01"),
            ("form", lambda cid, block: car_of(cid, {cid: block}) + b"\x00"),
            ("cut off", lambda cid, block: b""),
        ],
    )
    def test_bad(self, match: str, make: Callable[[Cid, bytes], bytes]) -> None:
        block = encode({"a": 1})
        with pytest.raises(ProofError, match=match):
            read_car(make(Cid.of(block), block))

    def test_bounds(self) -> None:
        with pytest.raises(ProofError, match="larger"):
            read_car(bytes(MAX_CAR + 1))
        blocks = {Cid.of(encode(n)): encode(n) for n in range(MAX_BLOCKS + 1)}
        with pytest.raises(ProofError, match="more than"):
            read_car(car_of(next(iter(blocks)), blocks))

    @given(st.binary(max_size=300))
    def test_nonsense_is_refused(self, data: bytes) -> None:
        with pytest.raises(ProofError):
            read_car(data)


def _section(cid: Cid, block: bytes) -> bytes:
    return varint(36 + len(block)) + cid.to_bytes() + block


class TestTree:
    def test_layers_as_the_specification_counts_them(self) -> None:
        # Examples of the repository specification.
        assert layer_of(b"2653ae71") == 0
        assert layer_of(b"blue") == 1
        assert layer_of(b"app.bsky.feed.post/454397e440ec") == 4
        assert layer_of(b"app.bsky.feed.post/9adeb165882c") == 8

    @given(st.sets(st.text("abcdefgh234567", min_size=1, max_size=6), max_size=60), st.data())
    def test_exactly_what_is_in_it_is_found(self, keys: set[str], data: Any) -> None:
        records = {f"c/{key}": Cid.of(key.encode()) for key in keys}
        root, nodes = tree(records)
        for path, cid in records.items():
            assert find(nodes, root, path).record == cid
        other = "c/" + data.draw(st.text("abcdefgh234567", max_size=6))
        assert find(nodes, root, other).record == records.get(other)

    def test_the_same_root_as_the_published_fixture(self) -> None:
        # The empty tree, and one record: atproto's interop tests (CC0) name these roots.
        assert str(tree({})[0]) == "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"
        leaf = Cid.from_text("bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454")
        root, _ = tree({"com.example.record/3jqfcqzm3fo2j": leaf})
        assert str(root) == "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu"

    @pytest.mark.parametrize(
        ("match", "node"),
        [
            ("another form", {"l": None}),
            ("another form", {"l": None, "e": [], "x": 1}),
            ("another form", {"l": 1, "e": []}),
            ("another form", {"l": None, "e": {}}),
            ("another form", {"l": None, "e": [1]}),
            ("another form", {"l": None, "e": [{"p": 0, "k": b"a", "v": None, "t": None}]}),
            (
                "another form",
                {"l": None, "e": [{"p": True, "k": b"a", "v": Cid.of(b""), "t": None}]},
            ),
            ("out of bounds", {"l": None, "e": [{"p": 1, "k": b"a", "v": Cid.of(b""), "t": None}]}),
            (
                "out of bounds",
                {"l": None, "e": [{"p": 0, "k": b"a" * 2000, "v": Cid.of(b""), "t": None}]},
            ),
            ("without keys", {"l": Cid.of(b""), "e": []}),
        ],
    )
    def test_other_nodes_are_refused(self, match: str, node: Any) -> None:
        block = encode(node)
        with pytest.raises(ProofError, match=match):
            find({Cid.of(block): block}, Cid.of(block), "c/a")

    def test_order_layer_and_short_form_are_held(self) -> None:
        def made(*entries: tuple[int, bytes]) -> None:
            items = [{"p": p, "k": k, "v": Cid.of(b""), "t": None} for p, k in entries]
            block = encode({"l": None, "e": items})
            find({Cid.of(block): block}, Cid.of(block), "c/zzz")

        same = [b"c/%d" % number for number in range(50) if layer_of(b"c/%d" % number) == 0]
        higher = next(b"c/%d" % n for n in range(500) if layer_of(b"c/%d" % n) == 1)
        same.sort()
        made((0, same[0]), (2, same[1][2:]) if same[0][2:3] != same[1][2:3] else (3, same[1][3:]))
        with pytest.raises(ProofError, match="short form"):
            made((0, same[0]), (0, same[1]))
        with pytest.raises(ProofError, match="out of order"):
            made((0, same[1]), (0, same[0]))
        with pytest.raises(ProofError, match="different layers"):
            made((0, next(b"a%d" % n for n in range(50) if layer_of(b"a%d" % n) == 0)), (0, higher))

    def test_a_child_must_be_of_its_place(self) -> None:
        """A record hidden where a reader would not look: refused, not called absent."""
        keys = [b"c/%d" % number for number in range(400)]
        top = next(key for key in keys if layer_of(key) == 1)
        low = [key for key in sorted(keys) if layer_of(key) == 0]
        outside = next(key for key in low if key > top)

        def child(key: bytes) -> tuple[Cid, bytes]:
            entry = {"p": 0, "k": key, "v": Cid.of(b""), "t": None}
            block = encode({"l": None, "e": [entry]})
            return Cid.of(block), block

        higher = next(b"d/%d" % n for n in range(5000) if layer_of(b"d/%d" % n) == 2)
        for above, key, match in ((top, outside, "outside"), (higher, low[0], "another layer")):
            below, block = child(key)
            root = encode({"l": below, "e": [{"p": 0, "k": above, "v": Cid.of(b""), "t": None}]})
            with pytest.raises(ProofError, match=match):
                find({below: block, Cid.of(root): root}, Cid.of(root), "c/")
        empty = encode({"l": None, "e": []})
        root = encode({"l": Cid.of(empty), "e": [{"p": 0, "k": top, "v": Cid.of(b""), "t": None}]})
        with pytest.raises(ProofError, match="empty"):
            find({Cid.of(empty): empty, Cid.of(root): root}, Cid.of(root), "c/")
        with pytest.raises(ProofError, match="missing"):
            find({Cid.of(root): root}, Cid.of(root), "c/")
