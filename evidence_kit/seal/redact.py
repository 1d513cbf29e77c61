"""Take credentials out of recorded messages and files, and say exactly what was taken out.

Two rules (bundle format, rule 6): named credential fields are masked where they stand; values
that look random are masked wherever else they recur, in whatever coding. Everything else stays,
whatever a page sets. In bodies and files a marker fills exactly the place of the value, so lengths,
chunk framing and offsets remain those that were sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from evidence_kit.core.digests import read_chunks
from evidence_kit.core.exchange import Exchange
from evidence_kit.seal.http_message import (
    BadMessageError,
    Message,
    body_chunks,
    body_segments,
    can_decode,
    chunk_coded,
    decode,
    encode,
)
from evidence_kit.seal.redact_fields import (
    AUTH_FIELDS,
    Named,
    basic_password,
    in_json,
    in_url,
)
from evidence_kit.seal.redact_looks import MIN_LENGTH
from evidence_kit.seal.redact_marks import (
    Mark,
    copy_file,
    cut_heads,
    fill,
    fresh_path,
    gaps,
    insert,
    items_of,
    mapped,
    measured,
    named_in_body,
    named_in_head,
    overlay,
    patch_file,
    read_on,
    union,
    where,
    with_end,
    with_length,
)
from evidence_kit.seal.redact_mhtml import rewrite_mhtml
from evidence_kit.seal.redact_types import Content, RedactedExchange, RedactionItem
from evidence_kit.seal.redact_values import Secrets

MAX_DECODED = 4 << 30
"""Bytes that a coded body may unpack to when it is searched."""

MAX_MHTML = 512 << 20
"""Bytes of an MHTML file, which is rewritten in memory; real pages are under 50 MiB."""

MAX_NOTES = 200
"""Notes that are kept."""


class Redactor:
    """Knows the secrets of one capture.

    First :meth:`learn` from every exchange (and :meth:`learn_value` what is known beforehand), then
    redact: a value must be known before the first file is written.
    """

    def __init__(self) -> None:
        self._secrets = Secrets()
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left standing or could not be searched, in words for ``capture.json``."""
        return tuple(self._notes)

    def learn_value(self, name: str, value: str | bytes) -> None:
        """Remember a secret known beforehand, such as an API token or a login cookie."""
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        if raw:
            self._secrets.learn(name, raw)

    def learn_private(self, name: str, value: str) -> None:
        """Remember what is the operator's own business, such as the address of mail of an account.

        It is masked wherever it stands, also where it looks like words; so nothing that a page
        could have chosen may come in here.
        """
        if value:
            self._secrets.learn_private(name, value.encode("utf-8", "surrogateescape"))

    def learn_standin(self, secret: bytes, standin: bytes) -> None:
        """What was written in place of a secret while it was recorded is that secret here."""
        self._secrets.learn("session", secret)
        self._secrets.learn_standin(secret, standin)

    def learn_url(self, url: str) -> None:
        """Remember the credentials of an address that was asked for, where it recurs as well."""
        raw = url.encode("utf-8", "surrogateescape")
        for named in in_url(raw):
            self._learn(named)
            self._secrets.learn_in_url(raw, named.start, named.value)

    def learn_message(self, text: bytes) -> None:
        """Remember the values of credential fields in a message of a WebSocket."""
        for named in in_json(text):
            self._learn(named)

    def learn_public(self, data: bytes) -> None:
        """Values in ``data`` are known to everybody and stay wherever else they recur.

        Call it after everything was learnt, with what a platform gives to anyone and signs: a page
        must not be able to spoil that by naming a cookie after it.
        """
        self._secrets.publish(data)

    def learn(self, exchange: Exchange) -> None:
        """Remember the values of all named credential fields of an exchange."""
        self.learn_url(exchange.url)
        for path, response in ((exchange.request, False), (exchange.response, True)):
            if path is None:
                continue
            message = measured(path, exchange.method if response else "")
            for head in message.heads if message is not None else cut_heads(path):
                for named in named_in_head(head, request=not response):
                    self._learn(named)
                for name in AUTH_FIELDS:
                    for value in head.all(name):
                        self.learn_value("password", basic_password(value.rpartition(b" ")[2]))
            if message is not None:
                for named in named_in_body(path, message, response=response):
                    self._learn(named)

    def redact_url(self, url: str) -> str:
        """A URL with its credentials masked, the same way everywhere in a bundle."""
        raw = url.encode("utf-8", "surrogateescape")
        text, _ = insert(raw, self._marks(raw, in_url(raw)))
        return text.decode("utf-8", "surrogateescape")

    def redact_bytes(self, data: bytes, subject: str) -> tuple[bytes, tuple[RedactionItem, ...]]:
        """A file's bytes with every known random value masked.

        Args:
            data: text of any kind; an MHTML file where ``subject`` ends in ``.mhtml``.
            subject: the file's name, for the items.
        """
        if subject.endswith((".mhtml", ".mht")):
            return self._mhtml(data, subject)
        marks = self._scan([data], subject)
        out = b"".join(overlay([data], marks))
        return out, tuple(items_of(subject, "file", where(marks)))

    def redact_file(self, path: Path, subject: str) -> tuple[RedactionItem, ...]:
        """The same for a file, in place and streaming (MHTML is rewritten whole).

        Raises:
            OSError: it cannot be read or written.
        """
        if subject.endswith((".mhtml", ".mht")) and path.stat().st_size <= MAX_MHTML:
            data, items = self.redact_bytes(path.read_bytes(), subject)
            if items:
                path.write_bytes(data)
            return items
        with path.open("rb") as stream:
            marks = self._scan(read_on(stream), subject)
        patch_file(path, [(mark.start, fill(mark)) for mark in marks])
        return tuple(items_of(subject, "file", where(marks)))

    def redact_exchange(self, exchange: Exchange, folder: Path) -> RedactedExchange:
        """An exchange as it may be delivered.

        Args:
            exchange: unredacted.
            folder: where changed messages are written under the same names; a message that needs
                no change keeps its own file.

        Raises:
            OSError: a file cannot be read or written.
        """
        record = str(exchange.number)
        request, request_content, items = self._message(exchange.request, record, folder)
        response, response_content = exchange.response, Content.EXACT
        if exchange.response is not None:
            response, response_content, more = self._message(
                exchange.response,
                record,
                folder,
                exchange.method,
                cut=exchange.truncated is not None,
            )
            items += more
        raw = exchange.url.encode("utf-8", "surrogateescape")
        url, places = insert(raw, self._marks(raw, in_url(raw)))
        items += items_of(record, "url", places)
        changed = replace(
            exchange,
            url=url.decode("utf-8", "surrogateescape"),
            initiator=self.redact_url(exchange.initiator),
            request=request,
            response=response,
        )
        return RedactedExchange(changed, request_content, response_content, tuple(items))

    def mask(self, data: bytes, subject: str) -> tuple[bytes, list[Mark]]:
        """Mask random values in place; what was masked, for formats that wrap data."""
        marks = self._scan([data], subject)
        return b"".join(overlay([data], marks)), marks

    def mask_message(self, data: bytes, subject: str) -> tuple[bytes, list[Mark]]:
        """:meth:`mask`, and named credential fields whatever their value looks like."""
        marks = union([*map(self._mark, in_json(data)), *self._scan([data], subject)])
        return b"".join(overlay([data], marks)), marks

    def note(self, text: str) -> None:
        """Keep a note once, and not without end."""
        if len(self._notes) < MAX_NOTES:
            self._notes.setdefault(text)

    def _learn(self, named: Named) -> None:
        self._secrets.learn(named.field, named.value)
        quoted = named.value.strip(b'"')
        if quoted and quoted != named.value:
            self._secrets.learn(named.field, quoted)
        if quoted and named.cookie:
            self._secrets.learn_cookie(named.cookie, quoted)

    def _mhtml(self, data: bytes, subject: str) -> tuple[bytes, tuple[RedactionItem, ...]]:
        items: list[RedactionItem] = []

        def change(part: bytes, name: str) -> bytes:
            masked, marks = self.mask(part, subject)
            places = [(replace(mark, field=name), mark.start, mark.end) for mark in marks]
            items.extend(items_of(subject, "file", places))
            return masked

        return rewrite_mhtml(data, change), tuple(items)

    def _message(
        self, path: Path, record: str, folder: Path, method: str = "", *, cut: bool = False
    ) -> tuple[Path, Content, list[RedactionItem]]:
        """One stored message; ``method`` is empty for a request, ``cut`` where it is not whole."""
        side = path.suffix.lstrip(".") or "file"
        message = measured(path, method)
        if message is None:
            # A head that was cut off, or no HTTP message after all: searched as plain bytes.
            named = [
                self._mark(item)
                for head in cut_heads(path)
                for item in named_in_head(head, request=side == "request")
            ]
            with path.open("rb") as stream:
                marks = union([*named, *self._scan(read_on(stream), record)])
            if not marks:
                return path, Content.EXACT, []
            target = fresh_path(path, folder)
            copy_file(path, target, 0)
            patch_file(target, [(mark.start, fill(mark)) for mark in marks])
            items = items_of(record, side, where(marks))
            return target, Content.REDACTED, items
        head, places = self._heads(message, request=side == "request")
        codings = message.head.codings
        if codings and message.size > message.body:
            found = self._coded(path, message, record, side)
            if found:
                target = fresh_path(path, folder)
                self._recode(path, message, head, found, target)
                items = items_of(record, side, places)
                items += items_of(record, side, where(found), "decoded ")
                return target, Content.RECODED, items
            moves: list[tuple[int, bytes]] = []
        else:
            marks = self._body_marks(path, message, record, side, cut=cut or not message.complete)
            moves, ranges = mapped(marks, body_segments(path, message))
            shift = len(head) - message.body
            places += [(mark, start + shift, end + shift) for mark, start, end in ranges]
        for mark in self._around(path, message, record):
            moves.append((mark.start, fill(mark)))
            shift = len(head) - message.body
            places.append((mark, mark.start + shift, mark.end + shift))
        if not places:
            return path, Content.EXACT, []
        target = fresh_path(path, folder)
        with target.open("wb") as out, path.open("rb") as source:
            out.write(head)
            source.seek(message.body)
            for chunk in read_on(source):
                out.write(chunk)
        patch_file(target, [(start + len(head) - message.body, text) for start, text in moves])
        return target, Content.REDACTED, items_of(record, side, places)

    def _heads(
        self, message: Message, *, request: bool
    ) -> tuple[bytes, list[tuple[Mark, int, int]]]:
        out = b""
        places: list[tuple[Mark, int, int]] = []
        for head in message.heads:
            marks = self._marks(head.raw, named_in_head(head, request=request))
            text, found = insert(head.raw, marks)
            places += [(mark, start + len(out), end + len(out)) for mark, start, end in found]
            out += text
        return out, places

    def _body_marks(
        self, path: Path, message: Message, record: str, side: str, *, cut: bool
    ) -> list[Mark]:
        marks = self._scan(body_chunks(path, message), record, cut=cut)
        if side == "request":
            named = [self._mark(item) for item in named_in_body(path, message, response=False)]
            marks = union([*named, *marks])
        return marks

    def _around(self, path: Path, message: Message, record: str) -> list[Mark]:
        """Secrets in what is no body, at their places in the file.

        That is the framing of chunks, fields behind the last chunk, and bytes behind the end of the
        message. A value may begin in the body and end behind it, where a stated length is wrong.
        """
        found: list[Mark] = []
        for start, stop in gaps(message, body_segments(path, message)):
            if stop < message.size and stop - start < MIN_LENGTH:
                continue
            begin = max(0, start - self._secrets.reach)
            with path.open("rb") as stream:
                stream.seek(begin)
                chunks = read_chunks(stream, stop - begin)
                marks = self._scan(chunks, record, cut=stop == message.size)
            found += [
                replace(mark, start=mark.start + begin, end=mark.end + begin)
                for mark in marks
                if mark.end + begin > start
            ]
        return found

    def _coded(self, path: Path, message: Message, record: str, side: str) -> list[Mark]:
        """Secrets within a coded body, at their places in the decoded one."""
        codings = message.head.codings
        if not can_decode(codings):
            coding = ", ".join(codings)[:40]
            self.note(f"body of {side} {record} was not searched: coding {coding}")
            return []
        chunks = decode(body_chunks(path, message), codings, MAX_DECODED)
        marks = self._scan(self._until_bad(chunks, record, side), record)
        if side == "request":
            named = [self._mark(item) for item in named_in_body(path, message, response=False)]
            marks = union([*named, *marks])
        return marks

    def _until_bad(self, chunks: Iterator[bytes], record: str, side: str) -> Iterator[bytes]:
        """What can be decoded; a cut-off body was at least searched up to the cut."""
        try:
            yield from chunks
        except BadMessageError as error:
            self.note(f"body of {side} {record} was searched in part: {error}")

    def _recode(
        self, path: Path, message: Message, head: bytes, marks: list[Mark], target: Path
    ) -> None:
        """Decode, mask, code again; Content-Length says the new length."""
        codings = message.head.codings
        plain = decode(body_chunks(path, message), codings, MAX_DECODED)
        chunks = encode(overlay(self._until_bad(plain, "", ""), marks), codings)
        if message.framing == "chunked":
            with target.open("wb") as out:
                out.write(head)
                out.writelines(chunk_coded(chunks))
            return
        body = target.with_suffix(target.suffix + ".body")
        with body.open("wb") as out:
            out.writelines(chunks)
        with target.open("wb") as out, body.open("rb") as source:
            out.write(with_length(head, body.stat().st_size))
            for chunk in read_on(source):
                out.write(chunk)
        body.unlink()

    def _marks(self, text: bytes, named: Iterable[Named]) -> list[Mark]:
        marks = [self._mark(item) for item in named]
        marks += [
            Mark(span.start, span.end, span.number, f"value {span.coding}".strip())
            for span in self._secrets.find(text)
        ]
        return union(marks)

    def _mark(self, named: Named) -> Mark:
        number = self._secrets.learn(named.field, named.value)
        return Mark(named.start, named.end, number, named.field)

    def _scan(self, chunks: Iterable[bytes], subject: str, *, cut: bool = True) -> list[Mark]:
        """Recurrences in a stream, which is held in memory only as far as a value can reach.

        ``cut`` is False where it is known that the stream ends where it should: else it may end
        within a value.
        """
        found: list[Mark] = []
        buffer, base = b"", 0
        reach = max(self._secrets.reach, 1)
        ordinary: set[int] = set()
        for chunk in with_end(chunks):
            buffer += chunk or b""
            if chunk is not None and len(buffer) < 2 * reach:
                continue
            edge = len(buffer) if chunk is None else len(buffer) - reach
            done = edge
            spans = self._secrets.find(buffer, cut=cut and chunk is None)
            for span in spans:
                if span.since < edge:
                    field = f"body {span.coding}".strip()
                    found.append(Mark(base + span.start, base + span.end, span.number, field))
                    done = max(done, span.end)
            ordinary |= self._secrets.find_ordinary(buffer, spans)
            buffer, base = buffer[done:], base + done
        for number in sorted(ordinary):
            name = self._secrets.names[number]
            self.note(f"value of {name} recurs in {subject} and stands: it looks like words")
        return found
