"""``evidence-kit show``: what a bundle holds, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence_kit.cli.options import json_option, lang_option, trust_options
from evidence_kit.cli.output import emit_json, progress
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.words import Words

if TYPE_CHECKING:
    from rich.console import Console

    from evidence_kit.jobs.show import Shown

MAX_TEXT = 4_000
"""Characters of one post's text that are printed; the whole stands in data/post.json."""

MAX_POSTS = 20
"""Posts that are printed; a conversation may hold hundreds."""


@click.command(name="show")
@click.argument("bundle", type=click.Path(path_type=Path))
@trust_options
@lang_option
@json_option
def command(
    bundle: Path,
    signers: tuple[Path, ...],
    tsas: tuple[Path, ...],
    lang: str | None,
    as_json: bool,
) -> int:
    """Show what is inside a bundle.

    The bundle is verified first; what could not be verified is marked so. Captured text is
    printed so that it cannot act in your terminal.

    \b
    Example:
      evidence-kit show FILE.asice
    """
    from datetime import UTC, datetime

    from evidence_kit.core.verdict_json import verdict_json
    from evidence_kit.jobs.show import show
    from evidence_kit.jobs.trust import load_anchors

    settings = Settings(home())
    words = Words(settings.text("language", lang))
    anchors = load_anchors(settings.home, signers, tsas)
    with progress(as_json=as_json) as shown:
        found = show(bundle, anchors=anchors, now=datetime.now(UTC), progress=shown)
    if as_json:
        emit_json(
            "evidence-kit/show/1",
            ExitCode.OK,
            {
                "verdict": verdict_json(found.verdict, words),
                "sealed": found.sealed,
                "coherent": found.coherent,
                "verified": found.verified,
                "capture": found.record,
                "supplied": found.supplied,
                "posts": list(found.posts),
                "files": [vars(file) for file in found.files],
            },
        )
        return int(ExitCode.OK)
    from evidence_kit.cli.verdict_print import console

    _print(found, words, console())
    return int(ExitCode.OK)


def _print(found: Shown, words: Words, out: Console) -> None:
    from rich.text import Text

    from evidence_kit.cli.verdict_print import hanging
    from evidence_kit.core.verdict_words import finding_sentence, moment, verdict_lines

    out.print(Text(harmless(found.verdict.path), style="bold"))
    for name, sentence in verdict_lines(found.verdict, words):
        hanging(out, Text.assemble((name, "bold"), ": " if name else "", sentence), 2)
    if found.verdict.time.renew_before is not None:
        label = words.say("label", "renew-before")
        out.print(Text(f"  {label}: {moment(found.verdict.time.renew_before)}"))
    mark = "" if found.verified else f" [{words.say('label', 'not-verified')}]"
    if found.record is not None:
        for label, value in _facts(found.record, words):
            _line(out, f"{_label(words.say('label', label), mark)} {harmless(value)}")
    if found.supplied is not None:
        for label, value in _supplied_facts(found.supplied):
            _line(out, f"{words.say('label', label)}{mark}: {harmless(value)}")
    unsound = "" if found.coherent and found.verified else mark or _mark(words)
    for post in found.posts[:MAX_POSTS]:
        out.print(Text(f"{words.say('label', post['role'])}{unsound}", style="bold"))
        for label, value in _post(post, words):
            _line(out, f"  {label}: {value}")
    if len(found.posts) > MAX_POSTS:
        _line(out, words.say("label", "and-more", {"count": str(len(found.posts) - MAX_POSTS)}))
    proven = [one for one in found.verdict.findings if one.code.startswith("atproto.")]
    if proven:
        out.print(Text(f"{words.say('label', 'proof')}{unsound}", style="bold"))
    for finding in proven:
        _line(out, f"  {finding_sentence(finding, words)}")
    if found.files:
        out.print(Text(f"{words.say('label', 'files')}{mark}", style="bold"))
    for file in found.files:
        _line(out, f"  {file.size:>12} {file.sha256[:16]}… {harmless(file.name)}")


def _label(label: str, mark: str) -> str:
    """A question ends in its own sign."""
    said = f"{label}{mark}"
    return said if said.endswith("?") else f"{said}:"


def _mark(words: Words) -> str:
    return f" [{words.say('label', 'not-verified')}]"


def _line(out: Console, text: str) -> None:
    from rich.text import Text

    from evidence_kit.cli.verdict_print import hanging

    told = text.lstrip(" ")
    hanging(out, Text(told), len(text) - len(told), more=2)


def _facts(record: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    from evidence_kit.core.verdict_words import content_words, readable

    page, request = record["page"], record["request"]
    yield "asked", page["requested_url"]
    if page["final_url"]:
        yield "final", page["final_url"]
    if page["permalink"]:
        yield "permalink", page["permalink"]
    yield "captured", " – ".join(readable(record["times"][key]) for key in ("started", "ended"))
    yield "organisation", record["operator"]["organisation"]
    if record["operator"]["staff_code"]:
        yield "staff-code", record["operator"]["staff_code"]
    yield "account", _account(record["account"], words)
    for key in ("reason", "case"):
        if request[key]:
            yield key, request[key]
    check = record["content_check"]
    seen = ": ".join([check["state"], *([", ".join(check["signals"])] if check["signals"] else [])])
    yield "content-check", content_words(seen, words)
    for item in record.get("streams", []):
        whole = words.say("label", "whole" if item["complete"] else "not-whole")
        yield "stream", f"{item['url']}: {item['kept']}/{item['parts']}, {whole}"
    for gap in record["missing"]:
        yield "missing", f"{gap['what']}: {gap['why']}"
    for item in record["warnings"]:
        code, detail = item["code"], item["detail"]
        known = code in words.keys("warning")
        said = f"{words.say('warning', code)} ({code}: {detail})" if known else f"{detail} ({code})"
        yield "warning", said


def _account(account: Mapping[str, Any], words: Words) -> str:
    if not account["logged_in"]:
        return words.say("label", "not-logged-in")
    from evidence_kit.core.verdict_words import readable

    known = [f"{words.say('label', 'account-stated')} {readable(account['stored'])}"]
    if account["on_page"] is not None:
        seen = "account-on-page" if account["on_page"] else "account-not-on-page"
        known.append(words.say("label", seen))
    return f"{account['name']}, {account['site']} ({'; '.join(known)})"


def _supplied_facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "supplied-by", record["supplier"]
    yield "supplied-source", record["source"]
    yield "received", record["received"]
    yield "organisation", record["operator"]["organisation"]
    for item in record["files"]:
        yield "original-name", f"{item['original_name']} ({item['file']})"
    for key in ("reason", "case"):
        if record[key]:
            yield key, record[key]


def _post(post: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    """Label and value of the fields a reader looks for, each with its source."""
    for name, label in (
        ("permalink", "permalink"),
        ("author_handle", "author"),
        ("author_name", "author-name"),
        ("created", "created"),
        ("edited", "edited"),
        ("text", "text"),
    ):
        field = post[name]
        if field is None and name == "text":
            field = post["text_html"]
        if field is None:
            continue
        value = field["value"]
        text = value if isinstance(value, str) else repr(value)
        source = f"{field['source']['file']}#{field['source']['pointer']}"
        shown = harmless(text[:MAX_TEXT]) + ("…" if len(text) > MAX_TEXT else "")
        yield words.say("label", label), f"{shown}  ({harmless(source)})"
