"""Streams: which parts a player left out, fetched again and indexed; hostile sites stay bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_kit.core.errors import NetworkError
from evidence_kit.core.schemas import schema_fault
from evidence_kit.core.streams import summary
from evidence_kit.gather import streams as streams_of
from evidence_kit.gather.refetch import NOTE
from evidence_kit.jobs import streams as streams_module
from evidence_kit.seal.dash import read_mpd
from evidence_kit.seal.stream_parts import Track
from tests.bundles import example
from tests.platform_tools import recording
from tests.stream_tools import (
    DASH,
    HLS,
    MPD,
    StreamSite,
    add_stream,
    load,
    media_list,
    piece,
    play,
    stream_site,
)
from tests.vector_tools import judged

__all__ = ["site"]


@pytest.fixture
def site() -> object:
    with stream_site() as running:
        running.hls()
        running.dash()
        yield running


def digest(name: str, size: int = 3000) -> str:
    import hashlib

    return hashlib.sha256(piece(name, size)).hexdigest()


def test_the_best_quality_is_made_complete_and_labelled(site: StreamSite, tmp_path: Path) -> None:
    page = [site.url(f"/hls/{name}") for name in ("master.m3u8", "low.m3u8", "low.mp4")]
    played = play(tmp_path, *page, site.url("/hls/low-0.m4s"), site.url("/hls/high.m3u8"))
    assert played.completed.missing == ()
    assert all(NOTE in item.notes for item in played.own)
    asked = [item.url.rpartition("/")[2] for item in played.own]
    high = ["high.mp4", *(f"high-{n}.m4s" for n in range(4))]
    assert asked == ["audio.m3u8", *high, "sound.aac", "sound.aac", "sound.aac"]
    video, audio = played.chosen()
    assert [part["sha256"] for part in video["parts"]] == [digest(name) for name in high]
    assert [part["role"] for part in video["parts"]] == ["init", *["segment"] * 4]
    assert [part["range"] for part in audio["parts"]] == [[50, 149], [150, 349], [350, 649]]
    assert (video["complete"], audio["complete"], audio["language"]) == (True, True, "nl")
    assert not any(limit.reached for limit in played.completed.limits)
    index = played.index
    assert index is not None
    assert schema_fault(index, "streams-1") is None
    (line,) = summary(index)
    assert (line["parts"], line["kept"], line["complete"]) == (8, 8, True)
    low = next(one for one in index["streams"][0]["tracks"] if one["name"] == "variant-1")
    assert [part["number"] for part in low["parts"]] == [0, 0]
    assert (low["parts_named"], low["complete"]) == (5, False)
    assert {one["refetched"] for one in low["parts"]} == {False}


def test_nothing_is_asked_where_the_player_had_everything(site: StreamSite, tmp_path: Path) -> None:
    site.put("/f.m3u8", media_list("/a.ts", "/b.ts"), "text/plain; charset=utf-8")
    site.put("/a.ts", piece("a"))
    site.put("/b.ts", piece("b"))
    played = play(tmp_path, *(site.url(path) for path in ("/f.m3u8", "/a.ts", "/b.ts")))
    assert played.own == ()
    (track,) = played.chosen()
    assert track["complete"]
    assert {part["archive"] for part in track["parts"]} == {"data/web/page.wacz"}


def test_dash_ranges_and_a_list_that_the_platform_named(site: StreamSite, tmp_path: Path) -> None:
    played = play(
        tmp_path, (site.url("/dash/sound.mp4"), "10-59"), given=(site.url("/dash/film.mpd"),)
    )
    assert played.completed.missing == ()
    video, audio = played.chosen()
    assert [part["url"].rpartition("/")[2] for part in video["parts"]] == [
        *("v2-init.mp4", "v2-001.m4s", "v2-002.m4s", "v2-003.m4s")
    ]
    assert video["complete"]
    assert [part["archive"] for part in audio["parts"]] == [
        *("data/api/exchanges.warc", "data/web/page.wacz", "data/api/exchanges.warc")
    ]
    ranges = [span for path, span in site.asked if path == "/dash/sound.mp4"]
    assert ranges == ["bytes=10-59", "bytes=0-9", "bytes=60-99"]


def test_redirects_lead_to_the_part(site: StreamSite, tmp_path: Path) -> None:
    site.put("/f.m3u8", media_list("/gone/a.ts", "/gone/b.ts"), HLS)
    for name in ("a", "b"):
        site.put(f"/cdn/{name}.ts", piece(name))
        site.moved[f"/gone/{name}.ts"] = f"/cdn/{name}.ts"
    played = play(tmp_path, site.url("/f.m3u8"), site.url("/gone/a.ts"))
    assert played.completed.missing == ()
    (track,) = played.chosen()
    assert [part["sha256"] for part in track["parts"]] == [digest("a"), digest("b")]
    assert site.paths().count("/cdn/a.ts") == 1


def test_what_cannot_be_had_is_said_with_its_reason(site: StreamSite, tmp_path: Path) -> None:
    site.broken["/hls/high-2.m4s"] = 403
    played = play(tmp_path, site.url("/hls/master.m3u8"))
    assert "1 of 5 parts: HTTP 403" in played.why()
    video, audio = played.chosen()
    assert [part["why"] for part in video["parts"]] == ["", "", "", "HTTP 403", ""]
    assert (video["complete"], audio["complete"]) == (False, True)


def test_after_many_failures_a_track_is_given_up(site: StreamSite, tmp_path: Path) -> None:
    site.put("/f.m3u8", media_list(*(f"/no/{n}.ts" for n in range(100))), HLS)
    played = play(tmp_path, site.url("/f.m3u8"))
    assert "100 of 100 parts: HTTP 404" in played.why()
    assert len(played.own) == streams_module.MAX_FAILURES


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("MAX_PARTS", 3, "parts"), ("MAX_BYTES", 7000, "bytes"), ("MAX_SECONDS", 0.0, "seconds")],
)
def test_bounds_are_told(
    site: StreamSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: float,
    said: str,
) -> None:
    monkeypatch.setattr(streams_module, name, value)
    played = play(tmp_path, site.url("/hls/high.m3u8"))
    assert f"limit reached ({said})" in played.why()
    assert [limit.name for limit in played.completed.limits if limit.reached] == [f"stream {said}"]
    assert played.chosen()[0]["complete"] is False


def test_an_address_that_the_guard_refuses_is_recorded(site: StreamSite, tmp_path: Path) -> None:
    def guard(host: str, port: int) -> str:
        if host != "127.0.0.1":
            raise NetworkError(f"{host} port {port} has the address 10.0.0.1, which is not public")
        return host

    site.put("/f.m3u8", media_list("/a.ts", "http://intern.example/x.ts"), HLS)
    site.put("/a.ts", piece("a"))
    played = play(tmp_path, site.url("/f.m3u8"), resolve=guard)
    assert "1 of 2 parts: intern.example port 80 has the address 10.0.0.1" in played.why()


def test_a_live_stream_is_taken_as_far_as_it_was_named(site: StreamSite, tmp_path: Path) -> None:
    for number in range(1, 5):
        site.put(f"/{number}.ts", piece(str(number)))
    head = "#EXT-X-MEDIA-SEQUENCE:1"
    site.put("/live.m3u8", media_list("1.ts", "2.ts", end=False, head=head), HLS)
    from evidence_kit.core.events import Silent
    from tests.platform_tools import recording
    from tests.stream_tools import load

    with recording(tmp_path / "page") as player, recording(tmp_path / "own") as own:
        load(player, site.url("/live.m3u8"))
        head = "#EXT-X-MEDIA-SEQUENCE:3"
        site.put("/live.m3u8", media_list("3.ts", "4.ts", end=False, head=head), HLS)
        load(player, site.url("/live.m3u8"), site.url("/3.ts"))
        done = streams_module.complete_streams(
            player.exchanges, (), own, Silent(), tmp_path, Silent()
        )
        assert [item.url.rpartition("/")[2] for item in own.exchanges] == ["1.ts", "2.ts", "4.ts"]
    assert ["live stream" in item["why"] for item in done.missing] == [True]


@pytest.mark.parametrize(
    ("key", "said", "fetched"),
    [
        ('METHOD=AES-128,URI="/k.bin",IV=0x00', "", ["/k.bin", "/a.ts"]),
        ('METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"', "DRM", []),
    ],
)
def test_keys_are_kept_and_licences_are_not_asked_for(
    site: StreamSite, tmp_path: Path, key: str, said: str, fetched: list[str]
) -> None:
    site.put("/f.m3u8", media_list("/a.ts", head=f"#EXT-X-KEY:{key}"), HLS)
    site.put("/a.ts", piece("a"))
    site.put("/k.bin", piece("k", 16), "application/octet-stream")
    played = play(tmp_path, site.url("/f.m3u8"))
    assert said in played.why()
    assert site.paths()[1:] == fetched
    (track,) = played.chosen()
    assert track["encryption"] == ("drm" if said else "key-named")
    assert track["complete"] is not bool(said)


def test_lists_that_lead_to_each_other_end(site: StreamSite, tmp_path: Path) -> None:
    for one, other in (("/a", "/b"), ("/b", "/a")):
        site.put(f"{one}.m3u8", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{other}.m3u8\n", HLS)
    played = play(tmp_path, site.url("/a.m3u8"))
    assert site.paths() == ["/a.m3u8", "/b.m3u8"]
    assert "what it names is no list of parts" in played.why()


def test_a_million_parts_cost_little(site: StreamSite, tmp_path: Path) -> None:
    lines = "#EXTINF:1,\nx\n" * 500_000
    site.put("/f.m3u8", f"#EXTM3U\n{lines}#EXT-X-ENDLIST\n", HLS)
    site.put("/f.mpd", MANY, DASH)
    played = play(tmp_path, site.url("/f.m3u8"), site.url("/f.mpd"))
    assert "parts are taken in" in played.why()
    assert len(played.own) < 2 * streams_module.MAX_FAILURES + 2
    index = played.index
    assert index is not None
    assert sum(len(t["parts"]) for s in index["streams"] for t in s["tracks"]) <= 20_000


MANY = """<MPD mediaPresentationDuration="PT9000H"><Period><AdaptationSet contentType="video">
<SegmentTemplate media="/s-$Number$" duration="1"/><Representation id="x" bandwidth="5"/>
</AdaptationSet></Period></MPD>"""


def test_a_film_of_which_a_period_is_unnamed_is_not_called_whole(
    site: StreamSite, tmp_path: Path
) -> None:
    more = '<Period><AdaptationSet contentType="video"/></Period></MPD>'
    site.put("/dash/film.mpd", MPD.replace("</MPD>", more), DASH)
    played = play(tmp_path, given=(site.url("/dash/film.mpd"),))
    assert played.index is not None
    (said,) = summary(played.index)
    assert said["parts"] == said["kept"] > 0
    assert not said["complete"]
    assert "track period-2-: the list names no" in played.why()


def test_a_page_of_streams_is_bounded(site: StreamSite, tmp_path: Path) -> None:
    for number in range(30):
        site.put(f"/{number}.m3u8", media_list(f"/{number}.ts"), HLS)
        site.put(f"/{number}.ts", piece(str(number)))
    played = play(tmp_path, *(site.url(f"/{number}.m3u8") for number in range(30)))
    assert len(played.own) == 20
    assert "20 streams are looked into" in played.why()


def test_many_small_lists_that_name_many_parts_share_one_bound(
    site: StreamSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_of, "MAX_ALL_PARTS", 1000)
    read = []

    def counted(text: bytes, base: str, room: int) -> tuple[Track, ...]:
        read.append(read_mpd(text, base, room))
        return read[-1]

    monkeypatch.setattr(streams_of, "read_mpd", counted)
    for number in range(30):
        site.put(f"/{number}.mpd", MANY.replace("9000H", "600S"), DASH)
    with recording(tmp_path / "page") as player:
        load(player, *(site.url(f"/{number}.mpd") for number in range(30)), site.url("/0.mpd"))
        record = streams_of.Record()
        record.add(streams_of.PAGE, player.exchanges)
    found = streams_of.find_streams(record)
    assert (len(found), len(read)) == (streams_of.MAX_STREAMS + 1, streams_of.MAX_STREAMS + 1)
    assert sum(len(track.parts) for stream in found for track in stream.tracks) == 1000
    assert "parts are taken in" in found[-1].tracks[0].problem


def test_a_beginning_alone_is_no_whole_track(site: StreamSite, tmp_path: Path) -> None:
    empty = '#EXTM3U\n#EXT-X-MAP:URI="a.mp4"\n#EXT-X-ENDLIST\n'
    site.put("/f.m3u8", empty, HLS)
    site.put("/a.mp4", piece("a"))
    (track,) = play(tmp_path, site.url("/f.m3u8")).chosen()
    assert (track["parts_named"], track["complete"]) == (1, False)


def test_index_and_capture_record_must_tell_the_same(tmp_path: Path) -> None:
    case = example()
    add_stream(case)
    case.edit_record = lambda record: record["streams"][0].update(complete=False)
    found = [
        item for item in judged(case.write(tmp_path)).findings if item.code == "stream.differs"
    ]
    assert [item.params["detail"] for item in found] == ["the capture record tells it otherwise"]
