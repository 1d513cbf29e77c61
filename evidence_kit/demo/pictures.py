"""Pictures of the example site, drawn by this code: no photograph, no foreign licence."""

from __future__ import annotations

import struct
import zlib
from functools import cache

Colour = tuple[int, int, int]

_PNG = b"\x89PNG\r\n\x1a\n"


class Canvas:
    """A small RGB picture that knows rectangles only.

    Args:
        width: pixels.
        height: pixels.
        top: colour of the first row; the rows run evenly to ``bottom``.
        bottom: colour of the last row.
    """

    def __init__(self, width: int, height: int, top: Colour, bottom: Colour) -> None:
        self.width = width
        self.height = height
        self._rows = [bytearray(self._blend(top, bottom, y) * width) for y in range(height)]

    def _blend(self, top: Colour, bottom: Colour, y: int) -> bytes:
        last = max(self.height - 1, 1)
        return bytes(a + (b - a) * y // last for a, b in zip(top, bottom, strict=True))

    def box(self, left: int, upper: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle, in pixels from the upper left; what falls outside is cut off."""
        right = min(left + width, self.width)
        line = bytes(colour) * max(right - left, 0)
        for y in range(max(upper, 0), min(upper + height, self.height)):
            self._rows[y][left * 3 : right * 3] = line

    def png(self) -> bytes:
        """The picture as PNG (RFC 2083), 8 bits a channel, no filter: the same bytes every time."""
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        data = zlib.compress(b"".join(b"\0" + bytes(row) for row in self._rows), 9)
        return _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def entrance() -> bytes:
    """The entrance of an imaginary hospital in the evening, PNG, 960 by 600 pixels."""
    canvas = Canvas(960, 600, (22, 31, 63), (116, 82, 104))
    canvas.box(0, 500, 960, 100, (44, 47, 56))
    canvas.box(120, 150, 720, 350, (86, 92, 112))
    canvas.box(120, 130, 720, 24, (60, 65, 82))
    for row in range(3):
        for column in range(9):
            lit = (row * 7 + column * 5) % 4 != 1
            colour = (250, 214, 132) if lit else (52, 58, 78)
            canvas.box(156 + column * 74, 184 + row * 76, 46, 48, colour)
    canvas.box(380, 408, 200, 92, (248, 232, 190))
    canvas.box(476, 408, 8, 92, (86, 92, 112))
    canvas.box(350, 386, 260, 22, (178, 40, 52))
    canvas.box(462, 42, 36, 88, (236, 240, 246))
    canvas.box(436, 68, 88, 36, (236, 240, 246))
    for lane in range(8):
        canvas.box(20 + lane * 122, 552, 70, 8, (222, 222, 214))
    return canvas.png()


@cache
def car_park() -> bytes:
    """An empty staff car park, PNG, 960 by 600 pixels."""
    canvas = Canvas(960, 600, (160, 186, 206), (214, 218, 214))
    canvas.box(0, 260, 960, 340, (92, 96, 102))
    canvas.box(0, 200, 960, 60, (84, 118, 84))
    for bay in range(7):
        canvas.box(60 + bay * 134, 300, 8, 200, (232, 232, 226))
    for left, colour in ((82, (42, 74, 128)), (484, (140, 44, 44))):
        canvas.box(left, 360, 98, 110, colour)
        canvas.box(left + 14, 336, 70, 34, (36, 44, 54))
        canvas.box(left + 8, 470, 18, 16, (24, 24, 26))
        canvas.box(left + 72, 470, 18, 16, (24, 24, 26))
    canvas.box(780, 90, 12, 200, (70, 74, 80))
    canvas.box(730, 70, 112, 60, (24, 76, 160))
    canvas.box(762, 80, 12, 40, (244, 246, 250))
    canvas.box(774, 80, 26, 8, (244, 246, 250))
    canvas.box(774, 98, 26, 8, (244, 246, 250))
    canvas.box(796, 84, 8, 18, (244, 246, 250))
    return canvas.png()


@cache
def avatar_png(colour: Colour) -> bytes:
    """A plain figure on a coloured ground, PNG, 96 by 96 pixels."""
    light: Colour = (244, 244, 240)
    canvas = Canvas(96, 96, colour, (colour[0] // 2, colour[1] // 2, colour[2] // 2))
    canvas.box(34, 20, 28, 30, light)
    canvas.box(20, 58, 56, 38, light)
    return canvas.png()


def avatar_svg(letter: str, colour: Colour) -> bytes:
    """A letter in a circle; ``letter`` is one ASCII letter, so nothing needs escaping."""
    red, green, blue = colour
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96">'
        f'<circle cx="48" cy="48" r="48" fill="rgb({red},{green},{blue})"/>'
        '<text x="48" y="64" font-family="sans-serif" font-size="46" text-anchor="middle" '
        f'fill="#fff">{letter}</text></svg>\n'
    ).encode("ascii")
