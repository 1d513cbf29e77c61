"""``evidence-kit setup``: find or install a browser."""

from __future__ import annotations

import click

from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, progress, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

SCHEMA = "evidence-kit/setup/1"


@click.command(name="setup")
@click.option("--no-install", is_flag=True, help="Only look; install nothing.")
@json_option
def command(no_install: bool, as_json: bool) -> None:
    """Find or install a browser, so that captures can be made.

    An existing Chrome, Chromium, Edge or headless shell is used. Otherwise Playwright's own
    download is tried, then the system's packages where that is allowed (Debian, as root).

    \b
    Examples:
      evidence-kit setup
      EVIDENCE_KIT_BROWSER=/opt/chrome/chrome evidence-kit setup --no-install
    """
    from evidence_kit.jobs.setup import setup

    settings = Settings(home())
    with progress(as_json=as_json) as shown:
        result = setup(shown, configured=settings.text("browser"), install=not no_install)
    browser, test = result.browser, result.test
    code = ExitCode.OK if test.exact else ExitCode.GAPS
    if as_json:
        emit_json(
            SCHEMA,
            code,
            {
                "browser": {
                    "path": str(browser.path),
                    "product": browser.product,
                    "version": browser.version,
                    "origin": browser.origin,
                },
                "attempts": [{"way": item.way, "why": item.why} for item in result.attempts],
                "recorder": {
                    "works": test.exact,
                    "method": str(test.method),
                    "why": test.why,
                },
            },
        )
    else:
        for item in result.attempts:
            say(f"tried: {harmless(item.way)}" + (f" ({harmless(item.why)})" if item.why else ""))
        say(f"browser: {browser.product} {browser.version}, {harmless(str(browser.path))}")
        if not test.exact:
            say(f"recorder: captures will fall back to DevTools ({harmless(test.why)})")
        else:
            say("recorder: works")
    if code is not ExitCode.OK:
        click.get_current_context().exit(int(code))
