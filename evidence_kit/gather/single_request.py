"""One request to a stranger that gives one small answer: authorities of time and of certificates.

Both are asked in the same way: with no more than what the request needs, through the proxy that
everything goes through, and for a time that is bounded as a whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import requests

from evidence_kit.core.errors import EvidenceError
from evidence_kit.gather.http_exchange import ca_bundle
from evidence_kit.gather.proxy import proxies_from
from evidence_kit.gather.waiting import result_in_time

T = TypeVar("T")


def in_time(work: Callable[[], T], seconds: float) -> T:
    """What ``work`` gives, if it does so in time.

    It is done in a thread of its own, because a server that sends a byte now and then would
    otherwise never run into a timeout; what takes longer is left alone and ends with the program.

    Raises:
        TimeoutError: it took longer.
        EvidenceError, OSError, ValueError: raised by ``work``.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except (EvidenceError, OSError, ValueError) as error:  # raised again below
            done.set_exception(error)

    threading.Thread(target=run, name="single-request", daemon=True).start()
    return result_in_time(done, seconds)


@contextmanager
def bare_session(url: str) -> Iterator[requests.Session]:
    """A session for one request: no stored passwords, the proxy and authorities of everything else.

    Raises:
        InputError: a proxy or a file of authorities that cannot be used.
    """
    with requests.Session() as session:
        session.auth = _no_auth
        session.trust_env = False
        session.verify = ca_bundle(os.environ)
        session.proxies = _proxy_for(url)
        yield session


def _proxy_for(url: str) -> dict[str, str]:
    """The same proxy as for everything else; requests itself reads the environment otherwise."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = proxies_from(os.environ).for_target(parts.hostname or "", port)
    return {parts.scheme: proxy.url} if proxy is not None else {}


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from sending what a .netrc file holds for this host."""
    return request
