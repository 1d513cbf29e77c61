"""Names under which a stranger's file does nothing when it is opened (bundle format, rule 5)."""

from __future__ import annotations

import re
from pathlib import Path

_ACTIVE_SUFFIXES = frozenset(
    {".html", ".htm", ".xhtml", ".xht", ".shtml", ".mht", ".mhtml", ".svg", ".svgz", ".xml"}
    | {".xsl", ".xslt", ".js", ".mjs", ".css", ".php", ".hta", ".vbs", ".wsf", ".ps1", ".sh"}
)
_INERT_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".bmp", ".heic"}
    | {".mp4", ".m4v", ".webm", ".mov", ".mkv", ".ogv", ".m4a", ".mp3", ".ogg", ".oga", ".opus"}
    | {".wav", ".flac", ".txt", ".bin"}
)
_SUFFIX_OF_TYPE = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
}

_TEXT_TYPES = (
    *("text/", "image/svg", "application/xhtml", "application/xml"),
    *("application/javascript", "application/ecmascript"),
)


def inert_name(original: str, content_type: str) -> str:
    """A file name that no double click runs (bundle format, rule 5).

    Known pictures, sound and video keep their suffix where the type agrees; active content such
    as HTML, SVG and scripts gets ``.txt`` behind it, everything else ``.bin``.
    """
    kind = content_type.split(";")[0].strip().lower()
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", original).strip("._-")[-80:].strip("._-") or "media"
    suffix = Path(name).suffix.lower()
    if kind.startswith(_TEXT_TYPES) or suffix in _ACTIVE_SUFFIXES:
        return name if suffix == ".txt" else f"{name}.txt"
    if suffix in _INERT_SUFFIXES:
        return name
    return name + _SUFFIX_OF_TYPE.get(kind, ".bin")
