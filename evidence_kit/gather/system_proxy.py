"""The proxy that the system's own settings name: only to be told of, never used unasked.

Captures use what the environment names, which can be recorded whole and is the same for every part
of a capture. The browser follows the system's settings with ``--browser-proxy system`` alone.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

_KEY = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_ENABLED, _SERVER, _SCRIPT = "ProxyEnable", "ProxyServer", "AutoConfigURL"
_KINDS = ("http=", "https=", "ftp=", "socks=")


def system_proxy() -> str:
    """The proxy or script of this user's settings, for people; empty where there is none."""
    if sys.platform == "win32":
        found = of_windows(_registry())
    elif sys.platform == "darwin":
        named = urllib.request.getproxies()
        found = _shown(named.get("https") or named.get("http") or "")
    else:
        found = ""  # a desktop's settings on Linux are the business of its programs
    return found


def of_windows(values: Mapping[str, object]) -> str:
    """What values of the registry's Internet Settings say.

    A script (PAC) comes before a named proxy, as it does in browsers. ``ProxyServer`` is one
    address, or one for each kind: ``http=proxy:8080;https=proxy:8080``.
    """
    script = str(values.get(_SCRIPT) or "")
    if script:
        return f"the script {_shown(script)}"
    if not values.get(_ENABLED):
        return ""
    parts = str(values.get(_SERVER) or "").split(";")
    kinds = dict(part.split("=", 1) for part in parts if part.startswith(_KINDS))
    return _shown(kinds.get("https") or kinds.get("http") or ("" if kinds else parts[0]))


def _shown(address: str) -> str:
    """Without a user name, a password and what follows a path."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "one that cannot be read"
    return f"{parts.scheme}://{host}{parts.path}" if host else ""


if sys.platform == "win32":
    import winreg

    def _registry() -> Mapping[str, object]:
        found: dict[str, object] = {}
        with (
            suppress(OSError),
            winreg.OpenKey(winreg.HKEY_CURRENT_USER, _KEY) as key,
        ):
            for name in (_ENABLED, _SERVER, _SCRIPT):
                with suppress(FileNotFoundError):
                    found[name] = winreg.QueryValueEx(key, name)[0]
        return found
