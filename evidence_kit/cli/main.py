"""The command ``evidence-kit``: finds the subcommand, turns errors into words and exit codes.

Subcommands are imported when they are used, so that ``--help`` starts as fast as click itself.
"""

from __future__ import annotations

import codecs
import errno
import gc
import importlib
import os
import sys
import traceback

import click

from evidence_kit import __version__
from evidence_kit.cli.group import Group
from evidence_kit.core.errors import EvidenceError, ExitCode

COMMANDS = {
    "setup": "Find or install a browser, so that captures can be made.",
    "doctor": "Check what works on this machine and say what to do about the rest.",
    "demo": "See everything work once, on an example site on this machine.",
    "identity": "Make and show the key that signs your bundles.",
    "trust": "Say whose signatures and time stamps you trust.",
    "capture": "Capture a page or post into one signed, time-stamped bundle.",
    "recover": "Finish a capture that was stopped: seal what had come in.",
    "discard": "Remove what a stopped capture left; nothing of it can be sealed afterwards.",
    "login": "Log in to a platform for captures, or list who is logged in.",
    "logout": "Forget a platform's session and tokens on this machine.",
    "platforms": "Show which platforms are supported, and which tokens are set.",
    "verify": "Check bundles: unchanged, by whom, when. Works offline.",
    "show": "Show what is inside a bundle.",
    "extract": "Take files out of a bundle after checking it.",
    "timestamp": "Add a time stamp to a sealed bundle; no key needed.",
    "renew": "Renew a bundle's time stamp before it runs out; no key needed.",
    "dossier": "Keep together what belongs to one case: bundles, facts, terms.",
    "custody": "Record who had a bundle, and show that chain.",
    "config": "Show the settings and where each one comes from.",
    "completion": "Print the script that completes commands in your shell.",
}
"""Each command and its one-line help; a test holds that the commands' own help says the same."""

_SYSTEM = os.name

COLLECT_AFTER = 100_000
"""Objects made before memory is searched for cycles, instead of 700: most are the libraries', which
stay. A capture is 0.15 s shorter for it; 100,000 objects are some 10 MB."""

LACKING = "evidence-kit-lacking"
"""Name of the way in which terminals are written to (:func:`codecs.register_error`)."""

PLAIN_MARKS = {"●": "*", "→": "->", "├": "|", "│": "|", "┆": ":", "─": "-", "━": "-", "╸": "-"}
PLAIN_MARKS |= dict.fromkeys("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "*")
"""What is drawn around words, where a code page lacks it. No letters: those keep their numbers."""

EPILOG = """\b
First time here?
  evidence-kit demo               see it work
  evidence-kit setup              find a browser
  evidence-kit identity create    make your key
  evidence-kit capture URL        before you report it
  evidence-kit verify FILE.asice  anywhere, offline
"""


class LazyGroup(Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that is asked for."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"evidence_kit.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="evidence-kit")
def cli() -> None:
    """Keep a web page or post as evidence: the original data, signed and time-stamped."""


def main() -> None:
    """Run the program and end the process with one of the documented exit codes."""
    gc.set_threshold(COLLECT_AFTER)
    code = run(sys.argv[1:])
    gc.freeze()  # the process ends: nobody needs to look through its memory once more
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and give back its exit code; every error is reported here."""
    as_json = "--json" in arguments
    _prepare_streams()
    try:
        result = cli.main(arguments, prog_name="evidence-kit", standalone_mode=False)
        return int(result) if isinstance(result, int) else int(ExitCode.OK)
    except EvidenceError as error:
        return _report(error.code, error.message, error.hint, error.exit_code, as_json)
    except click.Abort:
        return _report("interrupted", "stopped", "", ExitCode.INTERRUPTED, as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        # A bare 'evidence-kit custody' asks what there is; it is still no complete command line.
        return _help(error, as_json)
    except click.ClickException as error:
        hint = ""
        context = getattr(error, "ctx", None)
        if context is not None:
            hint = f"see '{context.command_path} --help'"
        message = error.format_message().rstrip(".")
        return _report("usage", message[:1].lower() + message[1:], hint, ExitCode.USAGE, as_json)
    except KeyboardInterrupt:
        return _report("interrupted", "stopped by the keyboard", "", ExitCode.INTERRUPTED, as_json)
    except BrokenPipeError:
        # The reader of our output went away; there is nobody left to tell.
        _print_nowhere()
        return int(ExitCode.BUG)
    except Exception as error:
        if _reader_gone(error):
            _print_nowhere()
            return int(ExitCode.BUG)
        if _printing(error):
            # A full disk behind '> FILE': nothing more can be printed there.
            _print_nowhere()
            return _report(
                "storage-failed",
                f"the output cannot be written: {getattr(error, 'strerror', '') or error}".lower(),
                "send it to another file, or to the terminal",
                ExitCode.STORAGE,
                as_json=False,
            )
        code = _report(
            "bug",
            f"unexpected {type(error).__name__}: {error}",
            "; ".join(
                [
                    "this is a fault in evidence-kit; run again with EVIDENCE_KIT_DEBUG=1 and "
                    "report what it prints (SECURITY.md says how)",
                    *getattr(error, "__notes__", ()),
                ]
            ),
            ExitCode.BUG,
            as_json,
        )
        if os.environ.get("EVIDENCE_KIT_DEBUG"):
            raise
        return code


def _help(error: click.exceptions.NoArgsIsHelpError, as_json: bool) -> int:
    context = error.ctx
    if as_json or context is None:
        return _report("usage", "missing command", "see --help", ExitCode.USAGE, as_json)
    click.echo(context.get_help(), err=True)
    return int(ExitCode.USAGE)


def _printing(error: Exception) -> bool:
    """Whether it was the printing itself that the system refused: click and rich do all of it."""
    if not isinstance(error, OSError):
        return False
    modules = (
        str(frame.f_globals.get("__name__", ""))
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return any(name == "click.utils" or name.startswith("rich.") for name in modules)


def _reader_gone(error: Exception) -> bool:
    """Whether a pipe's reader went away: Windows calls the next write an invalid argument."""
    return _SYSTEM == "nt" and _printing(error) and getattr(error, "errno", 0) == errno.EINVAL


def _print_nowhere() -> None:
    """Let what is still buffered go nowhere, so that ending the process does not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(code: str, message: str, hint: str, exit_code: ExitCode, as_json: bool) -> int:
    if as_json:
        from evidence_kit.cli.output import emit_error

        emit_error(code, message, hint, exit_code)
    else:
        from evidence_kit.core.terminal_text import harmless

        # A message may quote a file's name or a server's words.
        click.echo(f"error: {harmless(message)}", err=True)
        if hint:
            click.echo(f"hint: {harmless(hint)}", err=True)
    return int(exit_code)


def _drawn_otherwise(error: UnicodeError) -> tuple[str, int]:
    """What a terminal gets for a character it lacks: a plain mark for ours, else its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return (
        "".join(
            PLAIN_MARKS.get(sign, sign.encode("ascii", "backslashreplace").decode("ascii"))
            for sign in lacking
        ),
        error.end,
    )


def _prepare_streams() -> None:
    """Never fail on a character that the terminal's encoding lacks (usual on Windows)."""
    codecs.register_error(LACKING, _drawn_otherwise)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        if stream.isatty():
            reconfigure(errors=LACKING)
        else:
            reconfigure(encoding="utf-8", errors="backslashreplace")
