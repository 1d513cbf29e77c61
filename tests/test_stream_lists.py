"""Lists of streams read: what RFC 8216 and DASH say which bytes are meant, and hostile lists."""

from __future__ import annotations

import contextlib
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.dash import looks_like_mpd, read_mpd
from evidence_kit.seal.hls import is_master, read_master, read_media
from evidence_kit.seal.stream_bytes import WHOLE, digest_spans
from evidence_kit.seal.stream_parts import MAX_ALL_PARTS, MAX_PARTS, Part, StreamError
from tests.stream_tools import MASTER, MPD

BASE = "https://cdn.example/v/list"


def media(text: str) -> list[tuple[str, str, int, int, int]]:
    """Role, name, number and range of each part."""
    found = read_media(f"#EXTM3U\n{text}".encode(), BASE)
    return [
        (part.role, part.url.rpartition("/")[2], part.number, part.first, part.last)
        for part in found.parts
    ]


def test_master_chooses_the_largest_and_what_belongs_to_it() -> None:
    tracks = read_master(MASTER.encode(), BASE)
    assert [(track.name, track.chosen) for track in tracks] == [
        ("variant-1", False),
        ("variant-2", True),
        ("audio-a-nl", True),
        ("audio-a-en", False),
    ]
    best = tracks[1]
    assert (best.bandwidth, best.width, best.height, best.kind) == (5000, 1280, 720, "video")
    assert best.playlist == "https://cdn.example/v/high.m3u8"


def test_variants_with_one_list_are_one_track() -> None:
    lines = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={n}\nsame.m3u8\n" for n in (1, 3, 2))
    (track,) = read_master(f"#EXTM3U\n{lines}".encode(), BASE)
    assert track.chosen


def test_numbers_ranges_and_beginnings() -> None:
    assert media(
        '#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI="i.mp4",BYTERANGE="10@5"\n'
        "#EXTINF:2,titel, met komma\n#EXT-X-BYTERANGE:100@0\nf.mp4\n"
        "#EXTINF:2.5\n#EXT-X-BYTERANGE:50\nf.mp4\n# een opmerking\n"
        '#EXT-X-MAP:URI="i.mp4",BYTERANGE="10@5"\n#EXTINF:1,\ng.mp4\n'
    ) == [
        ("init", "i.mp4", 7, 5, 14),
        ("segment", "f.mp4", 7, 0, 99),
        ("segment", "f.mp4", 8, 100, 149),
        ("segment", "g.mp4", 9, -1, -1),
    ]


def test_gaps_of_the_list_count_and_have_no_part() -> None:
    assert [item[1:3] for item in media("#EXTINF:1\n#EXT-X-GAP\na\n#EXTINF:1\nb\n")] == [("b", 1)]


def test_a_list_with_gaps_is_not_called_whole() -> None:
    found = read_media(b"#EXTM3U\n#EXTINF:1\n#EXT-X-GAP\na\n#EXTINF:1\nb\n#EXT-X-ENDLIST\n", BASE)
    assert "EXT-X-GAP" in found.problem


def test_keys_once_each() -> None:
    key = '#EXT-X-KEY:METHOD=AES-128,URI="k1"\n'
    text = f"{key}#EXTINF:1\na\n{key}#EXTINF:1\nb\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:1\nc\n"
    assert [item[0] for item in media(text)] == ["key", "segment", "segment", "segment"]
    assert read_media(f"#EXTM3U\n{text}".encode(), BASE).encryption == "key-named"


@pytest.mark.parametrize(
    "text",
    [
        "EXTM3U\n",
        "\ufeff#EXTM3U\n",
        "#EXTM3U8\n#EXTINF:1\na\n",
        "#EXTM3U\n#EXTINF:kort\na\n",
        "#EXTM3U\n#EXTINF:1\n#EXT-X-BYTERANGE:10\na\n",
        "#EXTM3U\n#EXTINF:1\n#EXT-X-BYTERANGE:0@0\na\n",
        "#EXTM3U\n#EXTINF:1\n#EXT-X-BYTERANGE:-1@0\na\n",
        "#EXTM3U\n#EXTINF:1\na\n#EXT-X-MEDIA-SEQUENCE:5\n",
        "#EXTM3U\n#EXT-X-MAP:URI=i.mp4,URI=j.mp4\n",
        '#EXTM3U\n#EXT-X-MAP:BYTERANGE="1@1"\n',
        "#EXTM3U\n#EXT-X-KEY:METHOD\n",
        '#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="b"\n',
        "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:1\na\n",
        "#EXTM3U\n#EXTINF:1\nfile:///etc/passwd\n",
        "#EXTM3U\n#EXTINF:1\nhttp://[oops/\n",
        "#EXTM3U\n#EXTINF:1\n" + "x" * 9000,
    ],
)
def test_what_is_no_media_playlist_is_refused(text: str) -> None:
    with pytest.raises(StreamError):
        read_media(text.encode(), BASE)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\na.m3u8\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\nb.ts\n",
        "#EXTM3U\n" + "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n" * 500,
    ],
)
def test_what_is_no_master_playlist_is_refused(text: str) -> None:
    with pytest.raises(StreamError):
        read_master(text.encode(), BASE)


def mpd(inside: str, given: str = 'mediaPresentationDuration="PT1M0.5S"') -> list[tuple[str, ...]]:
    """Names of each track's parts."""
    text = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {given}>{inside}</MPD>'
    return [
        tuple(part.url.removeprefix("https://cdn.example/v/") for part in track.parts)
        for track in read_mpd(text.encode(), BASE)
    ]


def period(template: str, given: str = "") -> str:
    return (
        f'<Period {given}><AdaptationSet mimeType="video/mp4">{template}'
        '<Representation id="a" bandwidth="7"/></AdaptationSet></Period>'
    )


def test_dash_chooses_the_largest_of_each_kind() -> None:
    tracks = read_mpd(MPD.encode(), BASE)
    assert [(track.name, track.chosen) for track in tracks] == [
        ("period-1-v1", False),
        ("period-1-v2", True),
        ("period-1-a1", True),
    ]


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ('<SegmentTemplate media="$Number$" duration="30"/>', ("1", "2", "3")),
        ('<SegmentTemplate media="$Number%03d$$$" duration="30" endNumber="2"/>', ("001$", "002$")),
        (
            '<SegmentTemplate media="$RepresentationID$-$Bandwidth$-$Time$" timescale="10">'
            '<SegmentTimeline><S t="5" d="10" r="1"/><S d="5"/></SegmentTimeline>'
            "</SegmentTemplate>",
            ("a-7-5", "a-7-15", "a-7-25"),
        ),
        (
            '<SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="20" r="-1"/>'
            "</SegmentTimeline></SegmentTemplate>",
            ("0", "20", "40", "60"),
        ),
        (
            '<SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="5" r="-1"/>'
            '<S t="10" d="60"/></SegmentTimeline></SegmentTemplate>',
            ("0", "5", "10"),
        ),
        (
            '<SegmentTemplate media="$Time$" presentationTimeOffset="1000"><SegmentTimeline>'
            '<S t="1000" d="20" r="-1"/></SegmentTimeline></SegmentTemplate>',
            ("1000", "1020", "1040", "1060"),
        ),
        ('<SegmentBase indexRange="0-9"/>', ("list",)),
        ("<BaseURL>ander/</BaseURL><BaseURL>kopie/</BaseURL>", ("ander/",)),
        ("", ("list",)),
        (
            '<SegmentList duration="1"><Initialization sourceURL="i" range="0-4"/>'
            '<SegmentURL media="x"/></SegmentList>',
            ("i", "x"),
        ),
    ],
)
def test_dash_names_its_parts(template: str, parts: tuple[str, ...]) -> None:
    assert mpd(period(template)) == [parts]


def test_dash_periods_have_the_length_that_is_left() -> None:
    template = '<SegmentTemplate media="$Number$" duration="10"/>'
    found = mpd(period(template, 'duration="PT20S"') + period(template))
    assert [len(parts) for parts in found] == [2, 5]


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        (period('<SegmentTemplate media="$Number$" duration="0"/>'), "nought"),
        (period('<SegmentTemplate media="$SubNumber$" duration="1"/>'), "not known"),
        (period('<SegmentTemplate media="$Number" duration="1"/>'), "not known"),
        (period('<SegmentTemplate media="file:///$Number$" duration="1"/>'), "no web address"),
        (period('<SegmentList><SegmentURL mediaRange="9-1"/></SegmentList>'), "no range"),
    ],
)
def test_a_track_that_cannot_be_read_says_why(inside: str, why: str) -> None:
    text = f'<MPD mediaPresentationDuration="PT1M">{inside}</MPD>'
    (track,) = read_mpd(text.encode(), BASE)
    assert why in track.problem.replace("not a web address", "no web address")


@pytest.mark.parametrize(
    "text",
    [
        "<MPD/>",
        "<mpd>",
        "<MPD><Period>",
        '<!DOCTYPE MPD [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><MPD>&b;</MPD>',
        '<!DOCTYPE MPD SYSTEM "http://10.0.0.1/x.dtd"><MPD/>',
        "<MPD>&onbekend;</MPD>",
        '<MPD><Period xmlns:xlink="x" xlink:href="http://10.0.0.1/p.xml"/></MPD>',
        "<a>" * 100 + "</a>" * 100,
        "<MPD>" + "<Period/>" * 250_000 + "</MPD>",
    ],
)
def test_what_is_no_mpd_is_refused(text: str) -> None:
    with pytest.raises(StreamError):
        read_mpd(text.encode(), BASE)


@pytest.mark.parametrize("kind", ["<!DOCTYPE MPD>", '<!DOCTYPE MPD [<!ENTITY n "a">]>'])
def test_a_document_type_is_refused_whatever_it_holds(kind: str) -> None:
    good = MPD.partition("?>\n")[2]
    assert read_mpd(good.encode(), BASE)
    with pytest.raises(StreamError, match="document type"):
        read_mpd(f"{kind}{good.replace('v1', '&n;') if 'ENTITY' in kind else good}".encode(), BASE)


def test_large_lists_are_bounded_in_parts_and_time() -> None:
    start = time.process_time()
    found = read_media(b"#EXTM3U\n" + b"#EXTINF:1\na\n" * 500_000, BASE)
    assert (len(found.parts), bool(found.problem)) == (MAX_PARTS, True)
    one = '<S t="0" d="1" r="99999999999"/>'
    timeline = f"<SegmentTimeline>{one}</SegmentTimeline>"
    many = f'<SegmentTemplate media="$Time$">{timeline}</SegmentTemplate>'
    tracks_of = f"<AdaptationSet>{many}{'<Representation/>' * 200}</AdaptationSet>"
    text = f"<MPD><Period>{tracks_of}</Period></MPD>"
    tracks = read_mpd(text.encode(), BASE)
    assert sum(len(track.parts) for track in tracks) == MAX_ALL_PARTS
    assert all(track.problem for track in tracks)
    assert time.process_time() - start < 30


KEY_LINE = '#EXT-X-KEY:METHOD=AES-128,URI="k%s"\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("#EXTINF:1\na\n" * 19_000, KEY_LINE % ""),
        ("".join(KEY_LINE % number for number in range(19_000)), "#EXT-X-MEDIA-SEQUENCE:1\n"),
    ],
    ids=["keys", "numbers"],
)
def test_lines_are_not_each_compared_with_all_before(first: str, again: str) -> None:
    start = time.process_time()
    found = read_media(f"#EXTM3U\n{first}{again * 180_000}".encode(), BASE)
    assert len(found.parts) <= 19_001
    assert time.process_time() - start < 25  # some 2 s; 50 and more where each looks at all


@pytest.mark.slow
def test_tracks_that_share_a_long_timeline_are_bounded() -> None:
    entries = '<S t="0" d="1" r="-1"/>' * 100_000
    timeline = f"<SegmentTimeline>{entries}</SegmentTimeline>"
    shared = f'<SegmentTemplate media="$Time$">{timeline}</SegmentTemplate>'
    found = f"<AdaptationSet>{shared}{'<Representation/>' * 6}</AdaptationSet>"
    tracks = read_mpd(f"<MPD><Period>{found}</Period></MPD>".encode(), BASE)
    assert ["more than" in track.problem for track in tracks] == [False] * 4 + [True] * 2


@given(st.binary(max_size=400))
def test_any_bytes_give_a_list_or_the_one_error(noise: bytes) -> None:
    for text in (noise, b"#EXTM3U\n" + noise, MASTER.encode()[:150] + noise, noise + MPD.encode()):
        looks_like_mpd(text)
        for reader in (read_media, read_mpd, read_master if is_master(text) else read_media):
            with contextlib.suppress(StreamError):
                reader(text, BASE)


@given(
    st.lists(st.binary(max_size=40), max_size=8),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 60)), max_size=6),
)
def test_digests_of_spans_are_those_of_the_slices(
    chunks: list[bytes], spans: list[tuple[int, int]]
) -> None:
    body = b"".join(chunks)
    found = digest_spans(chunks, [*spans, WHOLE])
    for start, size in spans:
        piece = body[start : start + size]
        taken = found[start, size]
        assert (taken.size, taken.sha256) == (len(piece), hashlib.sha256(piece).hexdigest())
    assert found[WHOLE].sha256 == hashlib.sha256(body).hexdigest()


def test_a_part_is_a_range_or_a_file() -> None:
    assert not Part("x").ranged
    assert Part("x", first=0, last=0).ranged


def told(inside: str) -> list[tuple[str, str, bool, bool]]:
    """Name and kind of each track, whether it is chosen and whether something is said of it."""
    text = f'<MPD mediaPresentationDuration="PT1M">{inside}</MPD>'
    return [
        (track.name, track.kind, track.chosen, bool(track.problem))
        for track in read_mpd(text.encode(), BASE)
    ]


def empty_beside(mime: str) -> str:
    """A period of which one set of tracks is empty and another is not."""
    return period("").replace("<Adap", f'<AdaptationSet mimeType="{mime}"/><Adap', 1)


REST = '<Period><AdaptationSet contentType="%s"/></Period>'


@pytest.mark.parametrize(
    ("inside", "tracks"),
    [
        (period("", 'duration="PT9S"') + "<Period/>", [("period-2-", "", True, True)]),
        ('<Period duration="PT9S"/>' + period(""), [("period-1-", "", True, True)]),
        (period("") + REST % "video", [("period-2-", "video", True, True)]),
        # thumbnails are never fetched
        (period("") + REST % "image", [("period-2-", "image", False, True)]),
        # beside a set of another kind, and of the same
        (empty_beside("audio/mp4"), [("period-1-", "audio", True, True)]),
        (empty_beside("video/mp4"), [("period-1-", "video", False, True)]),
        # a period that takes no time needs no tracks (5.3.2.2)
        (period("") + '<Period duration="PT0S"/>', []),
    ],
    ids=["last", "first", "set", "pictures", "no-sound", "other-set", "no-time"],
)
def test_what_a_dash_list_leaves_unnamed_is_told(
    inside: str, tracks: list[tuple[str, str, bool, bool]]
) -> None:
    found = told(inside)
    assert [track for track in found if track[3]] == tracks
    (named,) = [track for track in found if not track[3]]
    assert named[1:3] == ("video", True)


def test_periods_without_tracks_alone_are_no_list_and_many_are_bounded() -> None:
    for inside in ("<Period/>", "<Period><AdaptationSet/></Period>", "<Period/>" * 300):
        with pytest.raises(StreamError, match="tracks"):
            told(inside)
    with pytest.raises(StreamError, match="tracks"):
        told(period("") + "<Period/>" * 300)
