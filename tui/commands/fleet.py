"""The fleet: bring its boards up and down, see how they stand, and what runs on them gave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ...engine.errors import EdgetuiError
from .doctor import print_checks
from .follow import StatusLine, progress_stream
from .printing import echo, echo_error, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.fleet.fleet_front import Fleet
    from ...engine.schema.fleet import BoardStanding, FleetStatus


@click.command(short_help="Several boards by ssh: bring them up, see how they stand.")
@click.argument("action", type=click.Choice(("up", "down", "status", "doctor")))
@json_option
def fleet(action: str, as_json: bool) -> int:
    """The boards of fleet.toml: `up` starts a scheduler here and a worker on each, `status` says what each is doing, `doctor`
    what is wrong, `down` ends all of that. Runs on boards go on whatever happens here; `--on` of `run`, `study`,
    `search` and `sweep` uses them.
    """
    engine = open_engine()
    return asyncio.run(_fleet(engine.fleet(), action, as_json))


async def _fleet(fleet: Fleet, action: str, as_json: bool) -> int:
    if action == "doctor":
        return print_checks(await fleet.examine(), as_json)
    if action == "down":
        was_up = await fleet.take_down()
        if not as_json:
            echo("the fleet is down; runs on its boards go on" if was_up else "the fleet was not up")
            return 0
    found = await (_up(fleet, as_json) if action == "up" else fleet.status())
    await fleet.close()
    return _print(found, action, as_json)


async def _up(fleet: Fleet, as_json: bool) -> FleetStatus:
    """Bring it up; a terminal's last line says whom it waits for."""
    line, began_s = StatusLine(progress_stream(as_json)), time.monotonic()

    def hear(standing: Sequence[BoardStanding]) -> None:
        late = ", ".join(each.board for each in standing if each.state == "starting")
        up = sum(each.state == "up" for each in standing)
        line.rewrite(f" {up} of {len(standing)} boards are up, waiting for {late}", hint=f"{time.monotonic() - began_s:.0f} s")

    try:
        return await fleet.bring_up(hear)
    finally:
        line.erase()


def _print(found: FleetStatus, action: str, as_json: bool) -> int:
    import msgspec

    from ...engine.report.fleet_table import status_table

    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(status_table(found, width(), paint))
    bad = [each.standing for each in found.boards if each.standing.state in ("away", "refused", "starting")]
    for each in bad:
        echo_error(
            str(EdgetuiError(f"board {each.board}: {each.reason or each.state}", fix=each.fix or "`edgetui fleet status`"))
        )
    return 1 if bad and action != "down" else 0
