"""Every bound that more than one floor needs, with its unit and its reason."""

from __future__ import annotations

CHUNK = 1 << 20
"""Bytes read or written at once: large enough for disk speed, small enough for any machine."""

MAX_ENTRIES = 999
"""Files in a bundle. The EU's DSS validator refuses containers of more than 1,000 entries."""

MAX_NAME = 200
"""Characters in a path inside a bundle: with a folder before it still under Windows' 260."""

MAX_JSON_BYTES = 64 << 20
"""Bytes of one JSON file that is parsed whole; real capture records are under 1 MiB."""

MAX_JSON_VALUES = 2_000_000
"""Strings, arrays and objects in one JSON file: each costs some 60 bytes of memory and a step of
time, however short it is; the longest threads have some 100,000."""

MAX_JSON_DEPTH = 200
"""Levels of nesting; platforms' real answers stay under 30."""

MAX_JSON_DIGITS = 400
"""Digits in one number; Python's own conversion turns quadratic in thousands of digits."""

MAX_TOKEN = 64 << 10
"""Bytes of a time-stamp response; real ones are 2-8 KiB, and a TSA is a stranger."""

MAX_SIGNATURE = 4 << 20
"""Bytes of a signature file; one with a chain, CRLs and a stamp is some 100 KiB at most."""

MAX_MANIFEST = 4 << 20
"""Bytes of a manifest; 999 entries of 200 characters with digests stay under 1 MiB."""
