"""``evidence-kit doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import click

from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, progress, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

SCHEMA = "evidence-kit/doctor/1"


@click.command(name="doctor")
@click.option("--network", is_flag=True, help="Also try to reach the time-stamping authorities.")
@json_option
def command(network: bool, as_json: bool) -> None:
    """Check what works on this machine and say what to do about the rest.

    Nothing is changed and, without --network, nobody is contacted. Ends with 21 when captures
    cannot work, with 0 otherwise.

    \b
    Examples:
      evidence-kit doctor
      evidence-kit doctor --network --json
    """
    from evidence_kit.gather.tsa_list import find_tsa, known_tsas
    from evidence_kit.jobs.setup import CheckState, doctor

    settings = Settings(home())
    names = (settings.many("tsa") or tuple(known_tsas())) if network else ()
    with progress(as_json=as_json) as shown:
        checks = doctor(
            settings.home,
            shown,
            configured=settings.text("browser"),
            reach=tuple(find_tsa(name).url for name in names),
        )
    failed = any(check.state is CheckState.FAIL for check in checks)
    code = ExitCode.CAPTURE if failed else ExitCode.OK
    if as_json:
        rows = [
            {
                "name": check.name,
                "state": check.state.value,
                "found": check.found,
                "todo": check.todo,
            }
            for check in checks
        ]
        emit_json(SCHEMA, code, {"checks": rows})
    else:
        for check in checks:
            say(f"{check.state.value:<5} {check.name:<9} {harmless(check.found)}")
            if check.todo:
                say(f"      {'':<9} → {harmless(check.todo)}")
    if code is not ExitCode.OK:
        click.get_current_context().exit(int(code))
